"""Floating-point operations of the model, counted from its sizes:
a multiplication and an addition are two.

Only products of matrices count. Noise, gates and the optimiser are what a fast
implementation hides beside them.
"""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Sizes:
    """V, H, U, layers, and the frames P that the biases see directly."""

    num_visible: int
    num_hidden: int
    num_recurrent: int
    num_layers: int
    num_direct_frames: int

    @property
    def u(self):
        """Size of what sets the biases: U + P V."""
        return self.num_recurrent + self.num_direct_frames * self.num_visible


def encoder(sizes):
    """One frame through the encoder: per layer, its input and its state times [., 3 U]."""
    inputs = sizes.num_visible + (sizes.num_layers - 1) * sizes.num_recurrent
    states = sizes.num_layers * sizes.num_recurrent
    return 2 * (inputs + states) * 3 * sizes.num_recurrent


def biases(sizes):
    """One frame's bv and bh: u times [U + P V, V + H]."""
    return 2 * sizes.u * (sizes.num_visible + sizes.num_hidden)


def gibbs(sizes, num_steps):
    """One frame's chain: v times W and h times W', each step."""
    return 2 * num_steps * 2 * sizes.num_visible * sizes.num_hidden


def training(sizes, num_steps):
    """One frame of a training step.

    Backward, each product is two: by its weights and by its input. The lowest layer's input and, of
    the RBM's biases, the frames they see directly need no gradient; neither do the data and the
    chain's end, so that F's share of W's gradient is one product.
    """
    first_inputs = 2 * sizes.num_visible * 3 * sizes.num_recurrent
    direct = (
        2 * sizes.num_direct_frames * sizes.num_visible * (sizes.num_visible + sizes.num_hidden)
    )
    recurrent = 3 * encoder(sizes) - first_inputs + 3 * biases(sizes) - direct
    free_energies = 2 * 2 * 2 * sizes.num_visible * sizes.num_hidden
    return recurrent + gibbs(sizes, num_steps) + free_energies


def generation(sizes, num_steps):
    """One generated frame."""
    return encoder(sizes) + biases(sizes) + gibbs(sizes, num_steps)
