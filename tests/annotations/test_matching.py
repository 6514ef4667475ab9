"""Which annotations are of which recording."""

import pytest
import reference

from neurovocal_tf.annotations import matching

AUDACITY = "{}\t{}\tx\n"
ROWS = "file,onset_s,offset_s\n"


@pytest.fixture
def folder(tmp_path):
    """Writes {path below a folder: text}; a recording is a file that begins with RIFF."""

    def write(texts):
        for name, text in texts.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return tmp_path, [str(tmp_path / name) for name, text in texts.items() if text == "RIFF"]

    return write


def matched(path, recordings, base, **options):
    """{recording: onsets}, paths relative to the base."""
    found = matching.match(path, recordings, **options)
    return {
        recording[len(str(base)) + 1 :]: [a.onset_s for a in of_one]
        for recording, of_one in found.of.items()
    }, found


@pytest.mark.parametrize(
    "name", ["a.txt", "a.wav.txt", "a.Table.1.selections.txt", "a.selections.txt"]
)
def test_a_file_that_names_no_recording_is_of_the_one_it_is_named_after(name, folder):
    base, recordings = folder({"a.wav": "RIFF", "a2.wav": "RIFF", name: AUDACITY.format(1, 2)})
    assert matched(base, recordings, base)[0] == {"a.wav": [1.0]}
    assert matched(base / name, recordings, base)[0] == {"a.wav": [1.0]}


def test_das_names_its_tables_after_the_recording(folder):
    base, recordings = folder(
        {"a.wav": "RIFF", "a_annotations.csv": "name,start_seconds,stop_seconds\nx,1,2\n"}
    )
    assert matched(base, recordings, base)[0] == {"a.wav": [1.0]}


def test_annotations_come_in_time_order_and_an_empty_file_says_that_there_is_nothing(folder):
    base, recordings = folder(
        {
            "a.wav": "RIFF",
            "b.wav": "RIFF",
            "c.wav": "RIFF",
            "a.txt": "3\t4\ty\n1\t2\tx\n",
            "b.txt": "",
        }
    )
    assert matched(base, recordings, base)[0] == {"a.wav": [1.0, 3.0], "b.wav": []}


def test_of_recordings_of_one_name_the_one_whose_folders_agree_is_meant(folder):
    base, recordings = folder(
        {
            "data/day 1/a.wav": "RIFF",
            "data/day 2/a.wav": "RIFF",
            "data/day 2/b.wav": "RIFF",
            "one/all.csv": f"{ROWS}day 1/a.wav,1,2\n/moved/day 2/a.wav,3,4\nC:\\old\\b.wav,5,6\n",
            "mirrored/day 1/a.txt": AUDACITY.format(7, 8),
            "mirrored/day 2/a.txt": AUDACITY.format(9, 10),
        }
    )
    by_name = {"data/day 1/a.wav": [1.0], "data/day 2/a.wav": [3.0], "data/day 2/b.wav": [5.0]}
    assert matched(base / "one", recordings, base)[0] == by_name
    assert matched(base / "mirrored", recordings, base)[0] == {
        "data/day 1/a.wav": [7.0],
        "data/day 2/a.wav": [9.0],
    }


def test_a_name_that_may_mean_two_recordings_is_refused(folder):
    base, recordings = folder(
        {"data/1/a.wav": "RIFF", "data/2/a.wav": "RIFF", "all.csv": f"{ROWS}a.wav,1,2\n"}
    )
    with pytest.raises(ValueError, match=r"all.csv: a.wav may mean .*1/a.wav or .*2/a.wav\.$"):
        matching.match(base, recordings)
    base, recordings = folder(
        {"b/c.wav": "RIFF", "b/c.flac": "RIFF", "b/c.txt": AUDACITY.format(1, 2)}
    )
    with pytest.raises(ValueError, match=r"c.txt: c.txt may mean .*c.wav or .*c.flac\.$"):
        matching.match(base / "b", recordings)


def test_a_recording_that_is_annotated_twice_is_refused(folder):
    base, recordings = folder(
        {"a.wav": "RIFF", "a.txt": AUDACITY.format(1, 2), "all.csv": f"{ROWS}a.wav,1,2\n"}
    )
    with pytest.raises(
        ValueError,
        match=r"a.wav is annotated twice: as .*a.txt in .*a.txt, and as a.wav in .*all.csv\.$",
    ):
        matching.match(base, recordings)


def test_of_two_that_may_be_meant_the_nearer_counts_whatever_their_order(folder):
    base, recordings = folder(
        {"data/day 1/a.wav": "RIFF", "all.csv": f"{ROWS}day 1/a.wav,1,2\nday 3/a.wav,3,4\n"}
    )
    for text in ("day 1/a.wav,1,2\nday 3/a.wav,3,4\n", "day 3/a.wav,3,4\nday 1/a.wav,1,2\n"):
        folder({"all.csv": ROWS + text})
        by_name, found = matched(base / "all.csv", recordings, base)
        assert by_name == {"data/day 1/a.wav": [1.0]} and found.unmatched == ("day 3/a.wav",)


def test_what_is_not_there_and_what_is_no_annotation_file_is_told(folder):
    texts = {
        "a.wav": "RIFF",
        "README.txt": "Notes\n",
        "meta.csv": "bird,age\n1,2\n",
        ".hidden.txt": "0\t1",
        "s.csv": f"{ROWS}gone.wav,1,2\n",
    }
    base, recordings = folder(
        {**texts, ".git/a.txt": AUDACITY.format(1, 2), "b.txt": AUDACITY.format(1, 2)}
    )
    found = matching.match(base, recordings)
    assert (found.of, set(found.unmatched)) == ({}, {"gone.wav", str(base / "b.txt")})
    assert found.passed_over == (str(base / "README.txt"), str(base / "meta.csv"))
    with pytest.raises(
        ValueError, match="meta.csv, line 1: must be the begin of an annotation file"
    ):
        matching.match(base / "meta.csv", recordings)
    with pytest.raises(
        ValueError,
        match=(
            "`annotations` must be an annotation file, or a folder of them. "
            "Received: annotations=.*gone"
        ),
    ):
        matching.match(base / "gone", recordings)


def test_a_tier_is_named_behind_the_file_or_the_folder_and_a_file_may_have_that_sign_in_its_name(
    folder,
):
    tiers = [("words", [(0.0, 1.0, "one")]), ("phones", [(0.0, 0.5, "w"), (0.5, 1.0, "n")])]
    base, recordings = folder(
        {"a.wav": "RIFF", "a.TextGrid": reference.text_grid(1.0, tiers, short=False)}
    )
    for where in (base, base / "a.TextGrid"):
        assert matched(f"{where}#words", recordings, base)[0] == {"a.wav": [0.0]}
        assert matched(f"{where}#phones", recordings, base)[0] == {"a.wav": [0.0, 0.5]}
    with pytest.raises(
        ValueError, match="a.TextGrid: has no interval tier calls; it has words, phones.$"
    ):
        matching.match(f"{base / 'a.TextGrid'}#calls", recordings)
    with pytest.raises(
        ValueError, match="`truth` must name recordings .*: has no interval tier calls; it has"
    ):
        matching.match(f"{base}#calls", recordings).check_any(base, "truth")
    folder({"day#2.csv": f"{ROWS}a.wav,3,4\n"})
    assert matched(base / "day#2.csv", recordings, base)[0] == {"a.wav": [3.0]}
    with pytest.raises(
        ValueError,
        match="`annotations` must be an annotation file, .* Received: annotations=.*gone#words$",
    ):
        matching.match(base / "gone#words", recordings)
