"""Models that earlier versions have saved."""

from typing import Any

from neurovocal_tf.layers.conditional_rbm import ConditionalRBM
from neurovocal_tf.layers.gated_recurrent_encoder import GatedRecurrentEncoder


def of_version_0_1(config: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a model that was saved when it made its layers itself,
    from sizes and options all in one.
    """
    config = dict(config)
    num_visible, num_hidden, num_units = (
        config.pop(name) for name in ("num_visible", "num_hidden", "num_recurrent")
    )
    visible_units, coupling_gain, weight_init = (
        config.pop(name) for name in ("visible_units", "coupling_gain", "weight_init")
    )
    of_encoder = ("num_layers", "gates", "learned_initial_state", "dropout", "num_direct_frames")
    options = {name: config.pop(name) for name in of_encoder}
    encoder = GatedRecurrentEncoder(
        num_units, **options, weight_init=weight_init, name="gated_recurrent_encoder"
    )
    rbm = ConditionalRBM(
        num_visible, num_hidden, visible_units, coupling_gain, weight_init, name="conditional_rbm"
    )
    return config | {"encoder": encoder, "conditional_rbm": rbm}
