"""Which units a model of binary frames has found to depend on which, and how well that fits a truth
that is known, beside simpler ways to find it.
"""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
import scipy.stats
import tensorflow as tf
from matplotlib.figure import Figure

from neurovocal_tf.data.simulated_spikes import Truth
from neurovocal_tf.evaluation.likelihood_baselines import LogisticBits
from neurovocal_tf.model.rnn_rbm import RNNRBM
from neurovocal_tf.plots.couplings import couplings_figure
from neurovocal_tf.rbm.energy import RBM, hidden_logits, mean_field
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.runs.trained import Trained

# Frames whose machines are asked, and windows whose past is changed.
_NUM_FRAMES, _NUM_WINDOWS = 256, 128
# Frames before the one that is changed, from which the state comes.
_CONTEXT_FRAMES = 32
_NUM_RENAMINGS = 500


@dataclasses.dataclass(frozen=True, eq=False)
class Couplings:
    """How N units depend on one another.

    Attributes:
        within: of units in the same frame, symmetrical `[N, N]`; None where it was not asked.
        lagged: of units on those before, `[D, N, N]` by (delay - 1, from, to).
    """

    within: np.ndarray | None
    lagged: np.ndarray


def measured(
    trained: Trained,
    workdir: str | os.PathLike[str],
    data_dir: str | os.PathLike[str] | None = None,
    num_delays: int = 3,
    truth: Truth | None = None,
    seed: int = 0,
) -> tuple[Couplings, dict[str, float], Figure]:
    """How a model's units depend on one another, in the frames that it learned from.

    Args:
        trained: `trained.Trained` of binary frames.    workdir: its run folder.
        data_dir: .npz file of the frames; None: where the run found them.
        num_delays: frames back, at least 1; where there is a truth, as far as that goes.
        truth: what is known of them.    seed: of the frames that are looked at.

    Returns:
        (`Couplings` of the model, figures of `recovery` beside correlations and regressions, none
        without a truth; a picture).

    Raises:
        ValueError: the frames are not binary, have gone, or are none for this truth.
    """
    if trained.config.model.visible_units != "bernoulli":
        raise ValueError(
            "`coupling_delays` must be 0 but for binary frames. Received: a model with "
            f"visible_units={trained.config.model.visible_units}"
        )
    parts = RunFolder(workdir).data().parts_in(trained.config, data_dir)
    sequences = [frames for frames, *_ in parts.training.sequences().as_numpy_iterator()]
    if truth is not None:
        num_delays, num_units = truth.couplings.shape[:2]
        if num_units != trained.model.num_visible:
            raise ValueError(
                f"`truth` must be of {trained.model.num_visible} units, as the model is. "
                f"Received: one of {num_units}"
            )
    found = of_model(trained.model, sequences, num_delays, seed)
    panels = {"in the same frame": found.within, "frames before": strongest(found.lagged)}
    figures = {}
    if truth is not None:
        panels["true, frames before"] = strongest(truth.couplings)
        ways = {
            "model": found,
            "correlation": of_correlations(sequences, num_delays),
            "regression": of_regressions(sequences, num_delays),
        }
        figures = recovery(ways, truth, seed)
    return found, figures, couplings_figure(panels)


def strongest(lagged: np.ndarray) -> np.ndarray:
    """Of each pair the coupling that is largest over delays, with its sign.

    [D, N, N] -> [N, N]
    """
    return np.take_along_axis(lagged, np.abs(lagged).argmax(axis=0)[np.newaxis], axis=0)[0]


def of_model(
    model: RNNRBM, sequences: Sequence[np.ndarray], num_delays: int, seed: int = 0
) -> Couplings:
    """What a model of binary frames has learned, in logits.

    `within` is the logarithm of the odds ratio of two units, given all others and the past;
    `lagged` is by how much a unit's mean-field logit moves if one unit of an earlier frame is on
    instead of off. Both are means over recorded frames, drawn by `seed`.

    Args:
        model: `RNNRBM` of binary units.    num_delays: int, D, at least 1.
        sequences: list of zeros and ones `[L, N]`, one longer than D + 1 at least.

    Raises:
        ValueError: all sequences are too short.
    """
    windows, first = _windows(sequences, num_delays, seed)
    machine = tf.function(
        lambda frames: model(frames).map_frames(lambda x: x[:, first + 1 :]),
        input_signature=[tf.TensorSpec([None, windows.shape[1], model.num_visible])],
        autograph=False,
    )

    @tf.function(input_signature=machine.input_signature, autograph=False)
    def logits(frames):
        rate = tf.clip_by_value(mean_field(machine(frames)), 1e-7, 1 - 1e-7)
        return tf.reduce_mean(tf.math.log(rate) - tf.math.log1p(-rate), axis=0)

    lagged = []
    for unit in range(model.num_visible):
        on, off = windows.copy(), windows.copy()
        on[:, first, unit], off[:, first, unit] = 1.0, 0.0
        lagged.append(np.asarray(logits(tf.constant(on)) - logits(tf.constant(off))))
    rbm = machine(tf.constant(windows))
    chosen = np.random.default_rng(seed).permutation(num_delays * len(windows))[:_NUM_FRAMES]

    def flat(x):
        return tf.gather(tf.reshape(x, [-1, x.shape[-1]]), chosen)

    frames = flat(tf.constant(windows[:, first + 1 :]))
    gain = rbm.gain if rbm.gain.shape.rank == 1 else flat(rbm.gain)
    machines = rbm._replace(bv=flat(rbm.bv), bh=flat(rbm.bh), gain=gain)
    return Couplings(log_odds_ratios(machines, frames), np.stack(lagged, axis=1))


def log_odds_ratios(rbm: RBM, v: tf.Tensor) -> np.ndarray:
    """log p(1, 1) p(0, 0) / (p(1, 0) p(0, 1)) of every two visible units given the rest of a frame,
    mean over frames [F, V] of a machine of binary units.  -> [V, V], zeros on the diagonal

    With l the hidden logits of a frame without both units, exactly
    sum_j softplus(l + w_i + w_k) - softplus(l + w_i) - softplus(l + w_k) + softplus(l).
    """
    weights = rbm.W[tf.newaxis] * rbm.gain[..., tf.newaxis, :]  # [F or 1, V, H]
    logits, num_units = hidden_logits(rbm, v), v.shape[-1]
    found = np.zeros((num_units, num_units))
    for unit in range(num_units):
        own = weights[:, unit, tf.newaxis]
        others = v[..., tf.newaxis] * weights
        rest = (logits - v[:, unit, tf.newaxis] * weights[:, unit])[:, tf.newaxis] - others
        found[unit] = tf.reduce_mean(
            tf.reduce_sum(
                tf.nn.softplus(rest + weights + own)
                - tf.nn.softplus(rest + weights)
                - tf.nn.softplus(rest + own)
                + tf.nn.softplus(rest),
                axis=-1,
            ),
            axis=0,
        )
    np.fill_diagonal(found, 0.0)
    return found


def of_correlations(sequences: Sequence[np.ndarray], num_delays: int) -> Couplings:
    """Pearson's correlations of the units' spike counts, in the same frame and `num_delays` before:
    what is usually drawn as cross-correlograms, and does not tell a drive from a shared input.
    """
    frames = np.concatenate(sequences).astype(np.float64)
    mean, sd = frames.mean(axis=0), np.maximum(frames.std(axis=0), 1e-12)
    scores = [(sequence - mean) / sd for sequence in sequences]

    def correlation(delay):
        pairs = sum(z[: len(z) - delay].T @ z[delay:] for z in scores if len(z) > delay)
        return pairs / max(sum(max(len(z) - delay, 0) for z in scores), 1)

    lagged = np.stack([correlation(delay) for delay in range(1, num_delays + 1)])
    return Couplings(correlation(0), lagged)


def of_regressions(sequences: Sequence[np.ndarray], num_delays: int) -> Couplings:
    """Coefficients of logistic regressions on the frames before, the generalised linear model that
    spikes are usually given; nothing within a frame.
    """
    return Couplings(None, LogisticBits.fit(sequences, num_delays).coefficients)


def recovery(found: dict[str, Couplings], truth: Truth, seed: int = 0) -> dict[str, float]:
    """How much of a known truth is found: flat dict of figures, for each of `found` by its name.

    coupling_auc_NAME: how well the largest coupling over delays, whatever its sign, tells pairs
    that are coupled (area under the ROC curve); coupling_correlation_NAME: of all couplings with
    the true ones; coupling_delay_share_NAME: of the true couplings, those largest at their true
    delay; assembly_auc_NAME: how well `within` tells pairs of one assembly. `_null_high` is what
    is exceeded in 2.5 % of trials where the truth's neurons have each other's names.
    """
    num_delays, num_units, _ = truth.couplings.shape
    rng = np.random.default_rng(seed)
    renamings = [rng.permutation(num_units) for _ in range(_NUM_RENAMINGS)]
    apart = ~np.eye(num_units, dtype=bool)
    is_coupled = np.any(truth.couplings != 0, axis=0)
    together = np.zeros((num_units, num_units), bool)
    for members in truth.assemblies:
        together[np.ix_(members, members)] = True
    figures = {}
    for name, couplings in found.items():
        lagged = couplings.lagged[:num_delays]
        strength = np.abs(strongest(lagged))
        figures |= _auc(f"coupling_auc_{name}", strength, is_coupled, apart, renamings)
        figures[f"coupling_correlation_{name}"] = float(
            np.corrcoef(lagged[:, apart].ravel(), truth.couplings[:, apart].ravel())[0, 1]
        )
        delays = [np.abs(c).argmax(axis=0)[is_coupled & apart] for c in (lagged, truth.couplings)]
        figures[f"coupling_delay_share_{name}"] = float(np.mean(delays[0] == delays[1]))
        if couplings.within is not None:
            above = np.triu(apart)
            figures |= _auc(f"assembly_auc_{name}", couplings.within, together, above, renamings)
    return figures


def _auc(name, scores, is_true, counted, renamings):
    """The area under the ROC curve over pairs [N, N] that count, and what chance exceeds."""

    def area(true):
        num_true = int(true.sum())
        num_false = len(true) - num_true
        if not num_true or not num_false:
            return np.nan
        return (ranks[true].sum() - num_true * (num_true + 1) / 2) / (num_true * num_false)

    ranks = scipy.stats.rankdata(scores[counted])
    chance = [area(is_true[np.ix_(order, order)][counted]) for order in renamings]
    return {
        name: float(area(is_true[counted])),
        f"{name}_null_high": float(np.quantile(chance, 0.975)),
    }


def _windows(sequences, num_delays, seed):
    """Stretches of frames float32 [B, context + 1 + D, N] drawn from sequences, and the place of
    the frame to change.
    """
    long_enough = [s for s in sequences if len(s) > num_delays + 1]
    if not long_enough:
        raise ValueError(
            f"`coupling_delays` must leave sequences that are longer by two frames. Received: "
            f"coupling_delays={num_delays}, and sequences of at most {max(map(len, sequences))}"
        )
    length = min(_CONTEXT_FRAMES + 1 + num_delays, max(map(len, long_enough)))
    long_enough = [s for s in long_enough if len(s) >= length]
    rng = np.random.default_rng(seed)
    starts = np.array([len(s) - length + 1 for s in long_enough], np.float64)
    windows = []
    for index in rng.choice(len(starts), _NUM_WINDOWS, p=starts / starts.sum()):
        start = rng.integers(int(starts[index]))
        windows.append(long_enough[index][start : start + length])
    return np.stack(windows).astype(np.float32), length - 1 - num_delays
