"""Which annotations are of which recording."""

import unicodedata

import pytest
import reference
import scipy.io

from neurovocal_tf.annotations import matching
from neurovocal_tf.annotations.matching import Choice, Length

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


# --- names that have changed on their way


@pytest.mark.parametrize(
    "recording, named",
    [
        ("Käfer.wav", unicodedata.normalize("NFD", "Käfer.wav")),
        (unicodedata.normalize("NFD", "Käfer.wav"), "Käfer.wav"),
        ("song.WAV", "Song.wav"),
        ("song.wav", "song"),
        ("song.wav", "song.cbin"),
        ("song.wav", "song.wav.not.mat"),
    ],
)
def test_other_letters_capitals_and_extensions_are_matched_and_said(recording, named, folder):
    base, recordings = folder({recording: "RIFF", "t.csv": f"{ROWS}{named},1,2\n"})
    by_name, found = matched(base / "t.csv", recordings, base)
    assert by_name == {recording: [1.0]}
    assert found.remarks == (
        "1 recordings have other letters, capitals or extensions than in their annotations; the "
        f"first: {base / recording} for {named}",
    )


def test_a_name_with_its_own_capitals_is_meant_before_one_with_others(folder):
    base, recordings = folder({"a.wav": "RIFF", "A.wav": "RIFF", "t.csv": f"{ROWS}A.wav,1,2\n"})
    by_name, found = matched(base / "t.csv", recordings, base)
    assert by_name == {"A.wav": [1.0]} and found.remarks == ()
    base, recordings = folder({"b/B.wav": "RIFF", "B/B.wav": "RIFF", "t.csv": f"{ROWS}b/B.wav,1,2"})
    assert "b/B.wav" in matched(base / "t.csv", recordings, base)[0]
    folder({"t.csv": f"{ROWS}aA.wav,1,2\n", "aa.wav": "RIFF", "AA.wav": "RIFF"})
    with pytest.raises(ValueError, match="t.csv: aA.wav may mean"):
        matching.match(base / "t.csv", [str(base / "aa.wav"), str(base / "AA.wav")])


def test_programs_name_their_files_after_recordings(folder):
    empty = '{"onset": [], "offset": []}'
    base, recordings = folder(
        {
            **{f"{name}.wav": "RIFF" for name in "abcde"},
            "a.BirdNET.results.csv": "Start (s),End (s),Common name\n1,2,x\n",
            "b.BirdNET.results.txt": "1\t2\tx\n",
            "c.wav.json": empty,
            "d.PHN": "0 1 x\n",
        }
    )
    scipy.io.savemat(base / "e.cbin.not.mat", {"onsets": [1.0], "offsets": [2.0], "labels": "x"})
    found, _ = matched(base, recordings, base, length_of=lambda path: Length(1000, 9000))
    assert found == {
        "a.wav": [1.0],
        "b.wav": [1.0],
        "c.wav": [],
        "d.wav": [0.0],
        "e.wav": [0.001],
    }


def test_koumura_s_birds_have_recordings_of_the_same_names(folder):
    text = (
        "<Sequences><Sequence><WaveFileName>0.wav</WaveFileName><Position>0</Position>"
        "<Note><Position>{}</Position><Length>9</Length><Label>x</Label></Note></Sequence>"
        "</Sequences>"
    )
    texts = {f"Bird{i}/Annotation.xml": text.format(i) for i in (0, 1)}
    base, recordings = folder({**texts, "Bird0/Wave/0.wav": "RIFF", "Bird1/Wave/0.wav": "RIFF"})
    by_name, _ = matched(base, recordings, base, length_of=lambda path: Length(1.0, 99))
    assert by_name == {"Bird0/Wave/0.wav": [0.0], "Bird1/Wave/0.wav": [1.0]}
    found = matching.match(base, recordings)
    assert found.of == {} and "count samples, and the rate" in found.remarks[0]


# --- what cannot be


def long(path):
    return Length(1000, 20_000)


def test_what_lies_beyond_the_end_is_left_out_cut_and_said(folder):
    rows = "".join(f"a.wav,{onset},{onset + 1}\n" for onset in (1, 18, 19.5, 21))
    base, recordings = folder({"a.wav": "RIFF", "t.csv": ROWS + rows})
    found = matching.match(base, recordings, length_of=long)
    (annotations,) = found.of.values()
    assert [(a.onset_s, a.offset_s) for a in annotations] == [(1, 2), (18, 19), (19.5, 20)]
    end = f"the end of {base / 'a.wav'}, 20 s, and are"
    assert found.remarks == (
        f"1 of a.wav lie beyond {end} left out",
        f"1 of a.wav reach over {end} cut there",
    )
    # Encoders pad, and programs round.
    folder({"t.csv": f"{ROWS}a.wav,1,20.04\n"})
    assert matching.match(base, recordings, length_of=long).remarks == ()


def test_times_in_milliseconds_are_not_taken_for_seconds(folder):
    base, recordings = folder(
        {
            "a.wav": "RIFF",
            "b.wav": "RIFF",
            "a_annotations.csv": (
                ",name,start_seconds,stop_seconds\n0,x,10,15\n1,x,300,350\n2,x,400,450\n"
            ),
            "b.csv": "onset_ms,offset_ms\n300,350\n",
        }
    )
    by_name, found = matched(base, recordings, base, length_of=long)
    assert by_name == {"b.wav": [0.3]}
    assert "up to 450 s of 20 s: are they in milliseconds?" in found.remarks[-1]
    with pytest.raises(ValueError, match="names none; passed over: most annotations of .*beyond"):
        matching.match(base / "a_annotations.csv", recordings, length_of=long).check_any(base, "x")


def test_one_file_that_cannot_be_read_does_not_stop_those_beside_it(folder):
    base, recordings = folder({"a.wav": "RIFF", "a.txt": AUDACITY.format(1, 2)})
    (base / "photo.txt").write_bytes(b"\x89PNG\x00")
    (base / "half.csv").write_text('file,onset_s,offset_s\n"a.wav,1,2\n')
    (base / "gone.csv").symlink_to(base / "nowhere.csv")
    (base / "bad.csv").write_text(f"{ROWS}a.wav,2,1\n")
    by_name, found = matched(base, recordings, base)
    assert by_name == {"a.wav": [1.0]} and len(found.remarks) == 4
    assert all(remark.startswith("passed over: ") for remark in found.remarks)
    for name in ("photo.txt", "half.csv", "gone.csv", "bad.csv"):
        assert sum(f"{name}" in remark for remark in found.remarks) == 1
    with pytest.raises(ValueError, match="half.csv, line"):
        matching.match(base / "half.csv", recordings)


def test_bad_rows_are_told_and_only_so_many_of_them(folder):
    rows = "a.wav,1,2\n" + "a.wav,2,1\n" * 30
    base, recordings = folder({"a.wav": "RIFF", "t.csv": ROWS + rows})
    found = matching.match(base, recordings)
    notes = found.notes(base)
    assert notes[0] == f"taken from {base}: annotations 1, labels 0, recordings 1"
    assert notes[1].startswith(f"left out: {base / 't.csv'}, line 3: `offset_s` must not be before")
    assert notes[-1] == "and 20 more of these" and len(notes) == 12


def test_labels_that_mark_nothing_are_left_out_and_unknown_ones_said(folder):
    rows = "".join(f"a.wav,{i},{i + 1},{label}\n" for i, label in enumerate(("x", "n", "SIL", "N")))
    base, recordings = folder(
        {"a.wav": "RIFF", "t.csv": f"file,onset_s,offset_s,label\n{rows}b.wav,0,1,-\n"}
    )
    folder({"b.wav": "RIFF"})
    by_name, found = matched(
        base, [*recordings, str(base / "b.wav")], base, choice=Choice.of("n,SIL, 0,@,-", "")
    )
    assert by_name == {"a.wav": [0.0, 3.0], "b.wav": []}
    assert found.remarks == (
        "ignore_labels leaves out n (1), SIL (1), - (1)",
        "ignore_labels names what is no label: 0, @",
    )
