"""The settings of the model: the shape of the RNN-RBM."""

import dataclasses

from neurovocal_tf.settings import setting

VISIBLE_UNITS = ("gaussian", "mean_field", "bernoulli")


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The shape of the RNN-RBM, and the noise that keeps it from learning by heart."""

    visible_units: str = setting(
        "gaussian",
        "Visible units of the RBM. gaussian: for real numbers, such as dB. mean_field: for numbers "
        "from 0 to 1. bernoulli: for zeros and ones.",
        choices=VISIBLE_UNITS,
    )
    num_hidden: int = setting(
        0, "Hidden units of the RBM. 0: --hidden_scalar says how many.", low=0, high=1_000_000
    )
    num_recurrent: int = setting(
        0,
        "Recurrent units in each layer. 0: --recurrent_scalar says how many.",
        low=0,
        high=1_000_000,
    )
    hidden_scalar: float = setting(
        1.7, "Hidden units for each visible unit, if --num_hidden is 0.", low=0.01, high=100.0
    )
    recurrent_scalar: float = setting(
        1.3, "Recurrent units for each visible unit, if --num_recurrent is 0.", low=0.01, high=100.0
    )
    num_layers: int = setting(3, "Recurrent layers of the encoder.", low=1, high=32)
    num_direct_frames: int = setting(
        2, "How many of the last frames the RBM sees directly, past the encoder.", low=0, high=16
    )
    gates: str = setting(
        "sigmoid", "Function in the gates of the encoder.", choices=("sigmoid", "tanh")
    )
    memory_frames: tuple[int, ...] = setting(
        (0,),
        "Start the encoder's update gates slow: longest time constant of each layer, in frames, "
        "from the bottom up; one number counts for all layers. The gates' constants lie between 2 "
        "frames and that, as many in every octave. 0: all gates start at 2 frames.",
        low=0,
        high=100_000,
    )
    layer_periods: tuple[int, ...] = setting(
        (1,),
        "How many frames each layer of the encoder takes for a step, from the bottom up, such as "
        "1,4,16: it reads the mean of what the layer below did in them, and the RBM reads all "
        "layers. Each is a multiple of the one before; one number counts for all layers.",
        low=1,
        high=100_000,
    )
    attention_frames: int = setting(
        0,
        "How many frames back the encoder attends to what it told then, once in the longest of "
        "--layer_periods. The state carries all of it. 0: no attention.",
        low=0,
        high=100_000,
    )
    attention_heads: int = setting(
        1, "Heads of that attention, each with a query of its own.", low=1, high=64
    )
    learned_initial_state: bool = setting(
        True, "Learn the state of the encoder before the first frame. Otherwise it is zero."
    )
    coupling_gain: bool = setting(
        False,
        "The encoder also scales the couplings W of each hidden unit from frame to frame. This "
        "helps with binary frames.",
    )
    noise_context: float = setting(
        0.0,
        "By how many nats the encoder may raise or lower, from frame to frame, the log of the "
        "standard deviation of each gaussian visible unit: 1 is a factor between 0.37 and 2.7. 0: "
        "it is the same for every frame.",
        low=0.0,
        high=10.0,
    )
    noise_by_level: bool = setting(
        False,
        "Sing each bin with as much of the noise of its gaussian unit as held-out recordings have "
        "at that level, instead of all of it: quiet frames are smoother than loud ones. What the "
        "encoder reads of a song has all of it. Other units have no such noise.",
    )
    latent_size: int = setting(
        0,
        "Numbers that are drawn anew for each frame and that the RBM reads beside the state of the "
        "encoder: what a frame has that the frames before it do not tell. 0: none.",
        low=0,
        high=10_000,
    )
    condition_size: int = setting(
        8,
        "Numbers of the vector that stands for a value of each condition, such as an individual, "
        "where --condition_columns or --condition_from name conditions.",
        low=1,
        high=1024,
    )
    label_size: int = setting(
        16,
        "Numbers of the vector that stands for a label along time, where --labels has any.",
        low=1,
        high=1024,
    )
    unknown_share: float = setting(
        0.1,
        "How often training takes each condition of a window, or all of its labels, for unknown, "
        "so that the model also reads and sings what nothing is known of.",
        low=0.0,
        high=1.0,
    )
    weight_init: str = setting(
        "scaled",
        "How the weights start. scaled: Glorot and orthogonal. published: W from N(0, 0.01), all "
        "others from N(0, 0.0001).",
        choices=("scaled", "published"),
    )
    dropout: float = setting(
        0.0, "Share of the inputs of each layer that training drops.", low=0.0, high=0.95
    )
    state_dropout: float = setting(
        0.0,
        "Share of the encoder's state that training drops where the RBM reads it.",
        low=0.0,
        high=0.95,
    )
    input_noise: float = setting(
        0.1,
        "Noise that training adds to the input of the encoder: its standard deviation, where that "
        "of the data is 1.",
        low=0.0,
    )

    def hidden_units(self, num_visible: int) -> int:
        """Hidden units of the RBM of a model with `num_visible` visible units."""
        return self.num_hidden or max(int(self.hidden_scalar * num_visible), 1)

    def recurrent_units(self, num_visible: int) -> int:
        """Recurrent units in each layer of a model with `num_visible` visible units."""
        return self.num_recurrent or max(int(self.recurrent_scalar * num_visible), 1)
