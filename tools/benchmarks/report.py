"""Results as a table to read and as flat figures to keep."""

import numpy as np

from benchmarks import ceilings
from benchmarks.timing import Figures, ratio

_HEADER = (
    f"{'':30}{'rate':>24}{'quartiles':>20}{'best':>10}{'slower by':>11}{'of GEMM':>9}{'memory':>9}"
)


def table(comparison):
    """One comparison as lines of text.

    Rate: median over the rounds. Slower by: the first that is no ceiling over this one, within a
    round. Of GEMM: share of the matrix product's rate in the same round. Memory: by how many MB the
    process grew. Of `Figures`: one a line.
    """
    if isinstance(comparison[0], Figures):
        return (
            "\n".join(f"{of.suite}: {of.configuration}\n{_lines(of.values)}" for of in comparison)
            + "\n"
        )
    ours, first = _ours(comparison), comparison[0]
    lines = [f"{first.suite}: {first.configuration}, {len(first.times_s)} rounds", _HEADER]
    for result in comparison:
        factor, unit = _scaled(result)
        low, middle, high = np.percentile(result.rates, (25, 50, 75)) * factor
        columns = [
            f"{result.variant.name:30}",
            f"{middle:>13.5g} {unit:10}",
            f"{f'{low:.5g} - {high:.5g}':>20}",
            f"{result.rates.max() * factor:>10.5g}",
            f"{ratio(ours, result):>11.2f}"
            if result.variant.unit == ours.variant.unit
            else f"{'':11}",
            f"{gemm_share(result, comparison):>9.1%}" if result.variant.operations else f"{'':9}",
            "" if np.isnan(result.peak_memory_mb) else f"{result.peak_memory_mb:>9.0f}",
        ]
        lines.append("".join(columns).rstrip())
    if ours.variant.operations:
        lines.append(f"operations a {ours.variant.unit}: {ours.variant.operations:,.0f}")
    return "\n".join(lines) + "\n"


def figures(results):
    """All results as a flat dict of numbers, with units in the names."""
    found = {}
    for result in results:
        if isinstance(result, Figures):
            found |= {
                f"{result.suite}/{result.configuration}/{name}": value
                for name, value in result.values.items()
            }
            continue
        comparison = [
            other
            for other in results
            if (other.suite, other.configuration) == (result.suite, result.configuration)
        ]
        ours, unit = _ours(comparison), result.variant.unit
        values = {
            "rounds": len(result.times_s),
            "median_s": float(np.median(result.times_s)),
            "min_s": float(result.times_s.min()),
        }
        values |= {f"quartile_{i}_s": float(np.percentile(result.times_s, 25 * i)) for i in (1, 3)}
        values |= {f"median_{unit}s_per_s": float(np.median(result.rates))}
        if unit == ours.variant.unit:
            values["slower_by"] = ratio(ours, result)
        if result.variant.operations:
            values[f"operations_per_{unit}"] = float(result.variant.operations)
            values["share_of_gemm"] = gemm_share(result, comparison)
        if not np.isnan(result.peak_memory_mb):
            values["peak_memory_mb"] = result.peak_memory_mb
        where = "/".join(
            (
                result.suite,
                result.configuration,
                result.variant.name.replace(" ", "_").replace(",", ""),
            )
        )
        found |= {f"{where}/{name}": value for name, value in values.items()}
    return found


def _lines(values):
    return "\n".join(f"  {name:42}{value:>12.5g}" for name, value in values.items())


def gemm_share(result, comparison):
    """The operations a second that a result reached, over those of the matrix product,
    as the median over the rounds.
    """
    ceiling = next(other for other in comparison if other.variant.name == ceilings.GEMM)
    return float(np.median(result.rates * result.variant.operations / ceiling.rates))


def _ours(comparison):
    return next(
        result
        for result in comparison
        if result.variant.name not in (ceilings.GEMM, ceilings.MEMORY)
    )


def _scaled(result):
    """Factor and unit that make a rate readable: a call's own time where it is what counts."""
    return {"operation": (1e-9, "GFLOP/s"), "byte": (1e-9, "GB/s"), "call": (1.0, "calls/s")}.get(
        result.variant.unit, (1.0, f"{result.variant.unit}s/s")
    )
