"""Which recording a name means, whatever has become of the name on its way: folders have moved,
capitals and the forms of accented letters have changed, an extension is missing or another.
"""

import collections
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence

# What programs append to a recording's name: Raven's `song.Table.1.selections.txt`, DAS's
# `song_annotations.csv`, BirdNET's `song.BirdNET.results.csv`, or an extension.
_ENDINGS = re.compile(
    r"(\.Table\.\d+)?(\.selections)?\.txt$|_annotations\.csv$"
    r"|\.BirdNET\.(results(\.kaleidoscope)?\.csv|results\.txt|selection\.table\.txt)$"
    r"|\.not\.mat$|\.(csv|tsv|textgrid|json|xml|eaf|phn|wrd)$",
    re.IGNORECASE,
)
# evsonganaly's recordings, which other programs only read once they are converted.
_CBIN = re.compile(r"\.cbin$", re.IGNORECASE)


def _letters(name: str) -> str:
    """A name with its accented letters in one form."""
    return unicodedata.normalize("NFC", name)


def _any_case(name: str) -> str:
    return _letters(name).casefold()


def _stem(name: str) -> str:
    return _any_case(os.path.splitext(name)[0])


def bare(file: str) -> str:
    """Name of an annotation file without what programs append to that of its recording."""
    return _ENDINGS.sub("", file)


class Recordings:
    """Recordings by their names.

    Args:
        paths: of the recordings.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._by: list[dict[str, list[str]]] = []
        for form in (str, _letters, _any_case, _stem):
            names = collections.defaultdict(list)
            for path in paths:
                names[form(os.path.basename(path))].append(path)
            self._by.append(names)

    def meant(self, name: str, file: str) -> tuple[str | None, tuple[int, int], bool]:
        """The recording that is meant.

        Args:
            name: as the annotations give it; "": the file is named after its recording.
            file: of the annotations.

        Returns: its path, or None; how many of its folders agree, counted from the last, in any
            case and in the same; and whether its own name is another than the one given.

        Raises ValueError if two may be meant.
        """
        # Raven on Windows writes paths that no other system can split.
        place = os.path.join(os.path.dirname(file), name.replace("\\", "/")) if name else file
        *folders, base = os.path.abspath(place).split(os.sep)
        for candidates, is_exact in self._candidates(base, is_file=not name):
            if candidates:
                return self._best(candidates, folders, name, file, is_exact)
        return None, (0, 0), False

    def _candidates(self, base: str, is_file: bool) -> Iterable[tuple[Sequence[str], bool]]:
        """Those that a name may mean, in the order of how well they fit."""
        stripped = bare(base)
        stems = (stripped,) if is_file else (base, stripped)
        forms: tuple[Callable[[str], str], ...] = (str, _letters, _any_case)
        for names, form in zip(self._by, forms, strict=False):
            yield names.get(form(stripped if is_file else base), []), names is self._by[0]
        for stem in dict.fromkeys((*stems, _CBIN.sub("", stripped))):
            found = self._by[3].get(_any_case(stem), [])
            if is_file:
                exact = [p for p in found if os.path.splitext(os.path.basename(p))[0] == stem]
                yield exact, True
            yield found, False
        # avn names the file of annotations in the place of its recording.
        yield self._by[0].get(stripped, []), False

    def _best(
        self,
        candidates: Sequence[str],
        folders: Sequence[str],
        name: str,
        file: str,
        is_exact: bool,
    ) -> tuple[str, tuple[int, int], bool]:
        agreements = [
            _agreement(folders, os.path.abspath(recording).split(os.sep)[:-1])
            for recording in candidates
        ]
        best = [
            recording
            for recording, agreement in zip(candidates, agreements, strict=True)
            if agreement == max(agreements)
        ]
        if len(best) > 1:
            raise ValueError(
                f"{file}: {name or os.path.basename(file)} may mean {best[0]} or {best[1]}."
            )
        return best[0], max(agreements), not is_exact


def _agreement(folders: Sequence[str], others: Sequence[str]) -> tuple[int, int]:
    """How many folders agree, counted from the last, in any case and in the same."""
    pairs = list(zip(reversed(folders), reversed(others), strict=False))
    in_any_case = [_any_case(one) == _any_case(other) for one, other in pairs]
    in_the_same = [one == other for one, other in pairs]
    return _leading(in_any_case), _leading(in_the_same)


def _leading(holds: Sequence[bool]) -> int:
    return [*holds, False].index(False)
