"""The machines of frames for draws of a model's latent variable."""

from typing import TYPE_CHECKING

import tensorflow as tf

from neurovocal_tf.rbm import noise
from neurovocal_tf.rbm.energy import RBM, masked_mean

if TYPE_CHECKING:
    from neurovocal_tf.model.rnn_rbm import RNNRBM


def machines_to_learn(
    model: "RNNRBM",
    frames: tf.Tensor,
    mask: tf.Tensor,
    is_start: tf.Tensor,
    training: bool,
    stream: noise.Stream,
    condition: tf.Tensor | None = None,
    cues: tf.Tensor | None = None,
) -> tuple[RBM, RBM, tf.Tensor | float]:
    """`RBM` of every frame to learn from and as it is foretold, and what it costs that a latent
    variable has seen the frame itself.

    Args:
        model: `RNNRBM`.    frames: [B, T, V].    mask: [B, T], 1 where a frame counts.
        is_start, training, stream, condition, cues: as of `RNNRBM.call`.

    Returns:
        (`RBM` with a latent variable drawn by its posterior; `RBM` with it at its prior's mean,
        which is that of `RNNRBM.call`; the mean over masked frames of the posterior's divergence
        from the prior, in nats). Without a latent variable both are the same, and it is 0.
    """
    if model.latent is None:
        told = {"condition": condition, "cues": cues}
        rbm = model(frames, is_start, training=training, stream=stream, **told)
        return rbm, rbm, 0.0
    u = model.contexts(frames, is_start, training, stream, condition, cues)
    prior = model.latent.prior(u)
    posterior = model.latent.posterior(u, model.standardisation(frames))
    learned, foretold = (
        model.conditional_rbm(model.latent.read(u, z))
        for z in (posterior.sample(stream), prior.mean)
    )
    return learned, foretold, masked_mean(posterior.divergence(prior), mask)


def drawn_machines(
    model: "RNNRBM",
    frames: tf.Tensor,
    stream: noise.Stream,
    index: int | tf.Tensor,
    from_posterior: bool = True,
    condition: tf.Tensor | None = None,
    cues: tf.Tensor | None = None,
) -> tuple[RBM, tf.Tensor]:
    """`RBM` of every frame for a draw of a latent variable that the model has.

    Args:
        model: `RNNRBM`.    frames: [B, T, V], from each row's true beginning.
        stream: source of noise.    index: which draw.
        from_posterior: whether it is drawn by the frame itself, too, or from the prior.
        condition, cues: as of `RNNRBM.call`.

    Returns:
        (`RBM`; the log of the prior's density over that which was drawn from, [B, T]).
    """
    u = model.contexts(frames, condition=condition, cues=cues)
    prior = proposal = model.latent.prior(u)
    if from_posterior:
        proposal = model.latent.posterior(u, model.standardisation(frames))
    z = proposal.sample(stream, index=index)
    rbm = model.conditional_rbm(model.latent.read(u, z))
    return rbm, prior.log_density(z) - proposal.log_density(z)
