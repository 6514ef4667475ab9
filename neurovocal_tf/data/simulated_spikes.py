"""Neurons with known couplings: their spikes come with the truth about who drives whom.

Neuron i spikes in bin t with probability sigmoid(l), bins of 5 ms,

    l_i(t) = base_i + rhythm_i cos(phase(t) + phase_i) + 4 sum_k [i in assembly k] z_k(t)
             + sum_d sum_j couplings[d, j, i] s_j(t - 1 - d)

a generalised linear model with a logistic link (Truccolo et al., 2005, J. Neurophysiol. 93) under
common input: a rhythm of 8 Hz that all share, and assemblies, whose members are called together by
events z_k that nobody records. Couplings of a neuron with itself are its refractoriness.
"""

import dataclasses
import json
import os
from collections.abc import Sequence

import numpy as np

from neurovocal_tf import files

BIN_S = 0.005
#: Bins, as far back as a spike is felt.
MAX_DELAY = 3
_FEWEST_NEURONS = 8
_REFRACTORINESS = (-8.0, -4.0, -1.5)
_RHYTHM_HZ = 8.0
_PHASE_STEP = 0.1
_ASSEMBLY_SIZE, _ASSEMBLY_LOGIT, _EVENTS_A_BIN = 4, 4.0, 0.02
_HELD_OUT_SHARE = 0.15
#: What is written: the raster, the shuffled one, the truth.
FILES = ("spikes.npz", "shuffled.npz", "truth.json")


@dataclasses.dataclass(frozen=True, eq=False)
class Circuit:
    """N neurons and what moves them.

    Attributes:
        base: logit of a spike when all else is silent `[N]`.
        rhythm, phase: strength, in logits, and phase of the shared rhythm `[N]`.
        couplings: what a spike adds to a logit, `[MAX_DELAY, N, N]` by (delay - 1, from, to).
        assemblies: of each the numbers of its members.
    """

    base: np.ndarray
    rhythm: np.ndarray
    phase: np.ndarray
    couplings: np.ndarray
    assemblies: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, object]:
        """The truth, as JSON's kinds."""
        return {
            "bin_s": BIN_S,
            "num_neurons": len(self.base),
            "couplings": [
                {
                    "from": int(source),
                    "to": int(target),
                    "delay_bins": int(delay) + 1,
                    "logit": round(float(self.couplings[delay, source, target]), 4),
                }
                for delay, source, target in np.argwhere(self.couplings)
                if source != target
            ],
            "refractoriness_logits": list(_REFRACTORINESS),
            "assemblies": [list(members) for members in self.assemblies],
            "rhythm_hz": _RHYTHM_HZ,
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Truth:
    """What truth.json tells: `couplings` [D, N, N] by (delay - 1, from, to), in logits, none of a
    neuron with itself; `assemblies`, of each the numbers of its members.
    """

    couplings: np.ndarray
    assemblies: tuple[tuple[int, ...], ...]


def read_truth(path: str | os.PathLike[str]) -> Truth:
    """The truth about a simulated raster, as `write_raster` writes it.

    Raises ValueError where the file is none.
    """
    try:
        with open(path, encoding="utf-8") as file:
            values = json.load(file)
        num_neurons = int(values["num_neurons"])
        delays = [int(coupling["delay_bins"]) for coupling in values["couplings"]]
        couplings = np.zeros((max(delays, default=1), num_neurons, num_neurons))
        for delay, coupling in zip(delays, values["couplings"], strict=True):
            place = _within(num_neurons, coupling["from"], coupling["to"])
            couplings[(_within(len(couplings), delay - 1)[0], *place)] = float(coupling["logit"])
        assemblies = tuple(_within(num_neurons, *members) for members in values["assemblies"])
    # Of a file that is something else whatever it lacks first.
    except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(
            "`truth` must be a truth.json that `neurovocal simulate --kind=spikes` has written. "
            f"Received: truth={path} ({type(error).__name__}: {error})"
        ) from None
    return Truth(couplings, assemblies)


def _within(count, *numbers):
    """The numbers as ints; ValueError where one is not from 0 to below `count`."""
    if not all(isinstance(number, int) and 0 <= number < count for number in numbers):
        raise ValueError(f"{numbers} of {count}")
    return numbers


def draw_circuit(num_neurons: int = 24, seed: int = 0) -> Circuit:
    """A circuit in which every neuron is driven by two others, one in three of them inhibitory,
    after 1 to 3 bins, and half of all are in assemblies of four.

    Raises ValueError for fewer than eight neurons.
    """
    if num_neurons < _FEWEST_NEURONS:
        raise ValueError(
            f"`num_neurons` must be at least {_FEWEST_NEURONS}. Received: num_neurons={num_neurons}"
        )
    rng = np.random.default_rng((seed, num_neurons))
    couplings = np.zeros((MAX_DELAY, num_neurons, num_neurons))
    for target in range(num_neurons):
        others = np.delete(np.arange(num_neurons), target)
        for source in rng.choice(others, 2, replace=False):
            sign = -1.0 if rng.random() < 1 / 3 else 1.0
            couplings[rng.integers(MAX_DELAY), source, target] = sign * rng.uniform(0.8, 1.8)
    itself = np.arange(num_neurons)
    couplings[:, itself, itself] = np.array(_REFRACTORINESS)[:, np.newaxis]
    members = rng.permutation(num_neurons)
    num_assemblies = num_neurons // (2 * _ASSEMBLY_SIZE)
    return Circuit(
        base=rng.uniform(-3.6, -2.4, num_neurons),
        rhythm=rng.uniform(0.5, 1.5, num_neurons),
        phase=rng.uniform(-1.5, 1.5, num_neurons),
        couplings=couplings,
        assemblies=tuple(
            tuple(sorted(members[i * _ASSEMBLY_SIZE : (i + 1) * _ASSEMBLY_SIZE].tolist()))
            for i in range(num_assemblies)
        ),
    )


def simulate_spikes(
    circuit: Circuit, num_trials: int, num_bins: int, seed: int | Sequence[int] = 0
) -> np.ndarray:
    """Trials of a circuit, each from silence, at a phase of the rhythm of its own.

    A trial does not depend on how many are asked for.

    Args:
        circuit: `Circuit` of N neurons.    num_trials, num_bins: int, at least 1.
        seed: int or sequence of ints.

    Returns: zeros and ones, uint8 `[num_trials, num_bins, N]`.
    """
    num_neurons = len(circuit.base)
    membership = np.zeros((len(circuit.assemblies), num_neurons))
    for index, members in enumerate(circuit.assemblies):
        membership[index, list(members)] = 1.0
    chances, common = [], []
    for trial in range(num_trials):
        rng = np.random.default_rng((*np.atleast_1d(seed).tolist(), trial))
        chances.append(rng.random((num_bins, num_neurons)))
        steps = 2 * np.pi * _RHYTHM_HZ * BIN_S + _PHASE_STEP * rng.standard_normal(num_bins)
        phase = rng.uniform(0, 2 * np.pi) + np.cumsum(steps)[:, np.newaxis] + circuit.phase
        events = rng.random((num_bins, len(membership))) < _EVENTS_A_BIN
        common.append(circuit.rhythm * np.cos(phase) + _ASSEMBLY_LOGIT * events @ membership)
    logits, spikes = circuit.base + np.stack(common), np.zeros((num_trials, num_bins, num_neurons))
    for bin_, drawn in enumerate(np.stack(chances, axis=1)):
        spikes[:, bin_] = drawn < 1 / (1 + np.exp(-logits[:, bin_]))
        for delay, coupling in enumerate(circuit.couplings[: num_bins - bin_ - 1], 1):
            logits[:, bin_ + delay] += spikes[:, bin_] @ coupling
    return spikes.astype(np.uint8)


def shuffled_trials(spikes: np.ndarray, seed: int = 0) -> np.ndarray:
    """The same spikes with each neuron's trials in an order of its own: what a neuron does alone
    stays, and what neurons do to one another is gone.  [trials, bins, N] -> [trials, bins, N]

    No two neurons of up to as many as there are trials are left in one trial.
    """
    num_trials, _, num_neurons = spikes.shape
    order = np.random.default_rng(seed).permutation(num_trials)
    moved = np.empty_like(spikes)
    for neuron in range(num_neurons):
        moved[order, :, neuron] = spikes[np.roll(order, neuron), :, neuron]
    return moved


def write_raster(
    folder: str | os.PathLike[str],
    num_trials: int = 60,
    duration_s: float = 6.0,
    seed: int = 0,
    num_neurons: int = 24,
) -> list[str]:
    """Writes spikes.npz, frame sequences as `frame_sequences` reads them, a trial each;
    shuffled.npz, the same as `shuffled_trials` within each split; and truth.json.

    The same arguments give the same frames. Existing files of these names are replaced.

    Args:
        folder: where to; made if it is not there.    num_trials: int, at least 3.
        duration_s: seconds of each trial.    seed: of the spikes; the circuit is always the same.
        num_neurons: int, at least 8.

    Returns: the paths of the three files.
    """
    if num_trials < 3:
        raise ValueError(
            "`num_recordings` must be at least 3 trials, one each to train, validate and test. "
            f"Received: num_recordings={num_trials}"
        )
    circuit = draw_circuit(num_neurons)
    spikes = simulate_spikes(circuit, num_trials, max(round(duration_s / BIN_S), 1), seed)
    num_held_out = max(round(_HELD_OUT_SHARE * num_trials), 1)
    parts = np.split(spikes, [num_trials - 2 * num_held_out, num_trials - num_held_out])
    splits = dict(zip(("train", "valid", "test"), parts, strict=True))
    os.makedirs(folder, exist_ok=True)
    paths = [os.path.join(folder, name) for name in FILES]
    _write(paths[0], splits)
    _write(paths[1], {name: shuffled_trials(trials, seed) for name, trials in splits.items()})
    files.write_json(paths[2], circuit.to_json())
    return paths


def _write(path, splits):
    arrays = {"frames_are": np.array("neurons")}
    for name, trials in splits.items():
        arrays[name] = trials.reshape(-1, trials.shape[-1])
        arrays[f"{name}_lengths"] = np.full(len(trials), trials.shape[1])
    with files.replacing(path) as temporary:
        np.savez_compressed(temporary, **arrays)
