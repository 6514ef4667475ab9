"""The settings of texts, by which recordings are found, and which are found by recordings."""

import dataclasses

from neurovocal_tf.settings import setting


@dataclasses.dataclass(frozen=True)
class TextsConfig:
    """How texts and sounds come into one space, once the model itself is trained."""

    texts: str = setting(
        "",
        "What each call says, so that the run learns texts and sounds in one space and `neurovocal "
        "find` finds calls by words, and words by calls: annotations, folder or name_part:N, as of "
        "--labels. The same command with it lets a run learn that has ended already.",
        may_change=True,
    )
    spellings: str = setting(
        "",
        "How labels are written that say something else than they mean, with commas between, such "
        "as 0=zero,1=one. All others are texts as they are.",
        may_change=True,
    )
    text_updates: int = setting(
        800,
        "Updates at most in which texts and sounds are learned; the best of them by the held-out "
        "recordings is kept, and what no longer gets better ends sooner.",
        low=1,
        high=1_000_000,
        may_change=True,
    )

    @property
    def spelling_of(self) -> dict[str, str]:
        """Text of each label that `spellings` names."""
        pairs = (pair.partition("=") for pair in self.spellings.split(",") if pair.strip())
        return {label.strip(): text.strip() for label, _, text in pairs}
