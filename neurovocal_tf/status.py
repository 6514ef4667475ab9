"""What became of one row of a batch: a bad row says so, and never fails the rows beside it."""

import enum


class Status(enum.IntEnum):
    """The `status` of a row in every endpoint; the first that holds: UNKNOWN_CONDITION; of a text
    TOO_LONG by its letters, NO_TEXT, UNKNOWN_LABEL, UNKNOWN_LETTER, TOO_LONG by its song; or from
    NOT_WAV up in this list to the first. Samples are looked at, for ABSURD, where none from NOT_WAV
    to TOO_LONG holds.
    """

    FINE = 0
    CLEANED = 1
    TOO_SHORT = 2
    NO_SOUND = 3
    TOO_LONG = 4
    NO_CHANNEL = 5
    WRONG_RATE = 6
    UNSUPPORTED = 7
    NOT_WAV = 8
    ABSURD = 9
    UNKNOWN_CONDITION = 10
    UNKNOWN_LABEL = 11
    NO_TEXT = 12
    UNKNOWN_LETTER = 13


# A row of any but the first two statuses is answered as if it had no frames.
DESCRIPTIONS: dict[int, str] = {
    Status.FINE: "nothing is wrong",
    Status.CLEANED: "NaN, infinite or absurdly large numbers were replaced",
    Status.TOO_SHORT: "fewer samples than a window has, or fewer frames than the answer needs",
    Status.NO_SOUND: "no vocalization was found",
    Status.TOO_LONG: "more frames than this export takes",
    Status.NO_CHANNEL: "the channel that the model listens to is not there",
    Status.WRONG_RATE: "another sample rate than the model's",
    Status.UNSUPPORTED: "a WAV file, but not of 8, 16, 24 or 32 bit PCM or 32 bit floats",
    Status.NOT_WAV: "not a WAV file, or one without samples",
    Status.ABSURD: "a WAV file with samples that are NaN, infinite or beyond 16 times full scale",
    Status.UNKNOWN_CONDITION: "a condition that the model does not know, one said twice, or shares "
    "that do not add up to 1",
    Status.UNKNOWN_LABEL: "a text with a label that the model has not learned",
    Status.NO_TEXT: "a text without a label, or without a letter",
    Status.UNKNOWN_LETTER: "a text with a letter that the model has never read",
}
