"""Annotation files of four formats: what is written is read again, what programs write is read, and
what is broken is named.
"""

import os
import re
import warnings

import hypothesis
import hypothesis.strategies as st
import pytest
import reference
from annotation_formats import FORMATS

from neurovocal_tf import annotations
from neurovocal_tf.annotations import Annotation

TEXT_GRID = {
    "duration_s": 2.5,
    "tiers": [
        ("calls", [(0.0, 0.25, ""), (0.25, 1.5, 'say "ü"\nə'), (1.5, 2.5, "b")]),
        ("pitch", [(0.5, "120")]),
    ],
}
MICROSECOND = 1e-6

# Neither line breaks, in whatever script, nor what no file of text can hold.
plain_text = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8)
# Raven and Audacity have no quotes, and Praat takes an interval of blanks for silence.
labels = {
    "csv": plain_text,
    "audacity": plain_text,
    "raven": plain_text,
    "textgrid": plain_text.filter(str.strip),
    # One letter each, and "-" for none.
    "notmat": st.characters(min_codepoint=33, max_codepoint=126),
}
frequencies = st.none() | st.floats(0, 1e6)


def vocalizations(format):
    def built(onset_s, duration_s, **values):
        return Annotation(onset_s=onset_s, offset_s=onset_s + duration_s, **values)

    several, known = annotations.EXTENSIONS[format].endswith(".csv"), format == "raven"
    several |= known or format == "parquet"
    return st.builds(
        built,
        file=st.sampled_from(["a.wav", "b 1/ü.wav"] if several else ["a.wav"]),
        onset_s=st.floats(0, 2e5),
        duration_s=st.floats(2e-6, 1e3),
        label=labels.get(format, plain_text),
        channel=st.integers(0, 99) if known else st.none() | st.integers(0, 99),
        low_hz=st.floats(0, 1e6) if known else frequencies,
        high_hz=st.floats(0, 1e6) if known else frequencies,
        score=st.none() | st.floats(-1e3, 1e3),
    )


KEPT = {
    "csv": ("file", "label", "channel", "low_hz", "high_hz", "score"),
    "parquet": ("file", "label", "channel", "low_hz", "high_hz", "score"),
    "audacity": ("label", "low_hz", "high_hz"),
    "raven": ("file", "label", "channel", "low_hz", "high_hz", "score"),
    "textgrid": ("label",),
    "kaleidoscope": ("label",),
    "opensoundscape": ("file", "label", "low_hz", "high_hz"),
    "avn": ("label",),
    "whisperseg": ("label",),
    "batdetect2": ("label",),
    "notmat": ("label",),
}


@pytest.mark.parametrize("format", FORMATS)
@hypothesis.given(data=st.data())
@hypothesis.settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_what_is_written_is_read_again_within_a_microsecond(format, data, tmp_path):
    written = data.draw(st.lists(vocalizations(format), max_size=6))
    path = tmp_path / f"annotations{annotations.EXTENSIONS[format]}"
    durations_s = {
        "raven": {"a.wav": 2e5, "b 1/ü.wav": 5.0},
        "textgrid": {"a.wav": 2e5},
    }
    annotations.write(path, written, format, durations_s.get(format), {"a.wav": 16_000})
    with warnings.catch_warnings():
        # Where no annotation has a label, other columns may be meant to have them.
        warnings.simplefilter("ignore")
        found = annotations.read(path)
    if format == "textgrid":  # tier by tier
        written, found = (
            sorted(some, key=lambda a: (round(a.onset_s, 8), round(a.offset_s, 8), a.label))
            for some in (written, found)
        )
    assert len(found) == len(written)
    for one, other in zip(found, written, strict=True):
        assert one.onset_s == pytest.approx(other.onset_s, abs=MICROSECOND, rel=0)
        assert one.offset_s == pytest.approx(other.offset_s, abs=MICROSECOND, rel=0)
        for name in KEPT[format]:
            expected = getattr(other, name)
            assert getattr(one, name) == (
                pytest.approx(expected, abs=1e-6) if isinstance(expected, float) else expected
            )


def test_a_file_is_replaced_in_one_step_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "annotations.csv"
    for rows in ([Annotation("a.wav", 0, 0.25)], [Annotation('odd, "name".wav', 0.1, 0.25, "i")]):
        annotations.write(path, rows, "csv")
    assert (
        path.read_text(encoding="utf-8")
        == 'file,onset_s,offset_s,label\n"odd, ""name"".wav",0.100000,0.250000,i\n'
    )
    assert os.listdir(tmp_path) == ["annotations.csv"]


# --- what other programs write


@pytest.fixture
def written(tmp_path):
    """Writes a text and returns its path."""

    def write(name, text, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.mark.parametrize(
    "text",
    [
        # a spreadsheet's
        "\ufeffoffset_s,bird,file,onset_s,label\r\n2,gy6or6,a.wav,1,x\r\n,,,,\r\n",
        "onset_s;offset_s;label;file\n1,0;2,0;x;a.wav\n",  # one in a country with decimal commas
        # crowsetta's generic-seq, which vak writes
        (
            "label,onset_s,offset_s,onset_sample,offset_sample,notated_path,annot_path,sequence,"
            "annotation\nx,1.0,2.0,,,a.wav,a.csv,0,0\n"
        ),
        "filename,onset,offset,cluster\na.wav,1.0,2.0,x\n",  # WhisperSeg
        # DAS, with a kind of song that does not occur, and an event that has no duration
        (
            "filename,name,start_seconds,stop_seconds\na.wav,x,1.0,2.0\na.wav,sine,NaN,NaN\n"
            "a.wav,pulse,1.5,1.5\n"
        ),
    ],
    ids=["spreadsheet", "decimal commas", "generic-seq", "WhisperSeg", "DAS"],
)
@pytest.mark.filterwarnings("ignore:.* without a duration")
def test_tables_of_other_programs_are_read(text, written):
    assert annotations.read(written("a.csv", text)) == [Annotation("a.wav", 1.0, 2.0, "x")]


def test_a_table_without_names_of_recordings_or_labels_is_read(written):
    assert annotations.read(written("a.csv", "onset_s,offset_s\n1,2\n")) == [
        Annotation("", 1.0, 2.0)
    ]


@pytest.mark.filterwarnings("ignore:.* without a duration")
def test_audacitys_labels_may_lack_a_text_and_have_a_line_of_frequencies(written):
    text = (
        "0.5\t1.0\ta b\r\n\\\t100.5\t2000\r\n1.25\t1.5\t\r\n2\t2\ta point\n3\t4\n"
        "\\\t-1.000000\t300.0\n"
    )
    assert annotations.read(written("a.txt", text)) == [
        Annotation("", 0.5, 1.0, "a b", low_hz=100.5, high_hz=2000),
        Annotation("", 1.25, 1.5, ""),
        Annotation("", 3, 4, "", high_hz=300),
    ]
    assert annotations.read(written("empty.txt", "")) == []


HEADER = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_a_selection_in_two_views_is_one_and_its_time_is_that_in_its_own_file(written):
    text = (
        f"{HEADER}\tBegin File\tFile Offset (s)\tAnnotation\n"
        '1\tWaveform 1\t2\t100.5\t100.75\t0\t8000\tb.wav\t0.5\t"x\n1\tSpectrogram '
        '1\t2\t100.5\t100.75\t0\t8000\tb.wav\t0.5\t"x\n'
    )
    assert annotations.read(written("a.txt", text)) == [
        Annotation("b.wav", 0.5, 0.75, '"x', 1, 0.0, 8000.0)
    ]


def test_a_table_of_ravens_may_have_other_columns(written):
    text = f"{HEADER}\tConfidence\tSpecies\n1\tSpectrogram 1\t1\t0.5\t0.75\t100\t8000\t0.9\tEATO\n"
    assert annotations.read(written("a.Table.1.selections.txt", text)) == [
        Annotation("", 0.5, 0.75, "EATO", 0, 100.0, 8000.0, 0.9)
    ]


def test_one_table_over_several_recordings_counts_time_through_all_of_them(tmp_path):
    rows = [
        Annotation("b.wav", 0.5, 0.75, "x\ty", 1, 100, 8000),
        Annotation(str(tmp_path / "c" / "a.wav"), 0, 1, "", None, 0, 1e4),
    ]
    durations_s = {"none.wav": 10.0, "b.wav": 2.0, rows[1].file: 3.0}
    annotations.write(tmp_path / "all.txt", rows, "raven", durations_s)
    header, *lines = (
        line.split("\t") for line in (tmp_path / "all.txt").read_text(encoding="utf-8").splitlines()
    )
    assert "\t".join(header) == f"{HEADER}\tBegin File\tBegin Path\tFile Offset (s)\tAnnotation"
    first, second = (dict(zip(header, line, strict=True)) for line in lines)
    assert (float(first["Begin Time (s)"]), float(first["End Time (s)"]), first["Begin Path"]) == (
        10.5,
        10.75,
        str(tmp_path / "b.wav"),
    )
    assert (
        float(second["Begin Time (s)"]),
        float(second["File Offset (s)"]),
        second["Begin File"],
    ) == (12, 0, "a.wav")
    assert (first["Selection"], first["View"], first["Channel"], first["Annotation"]) == (
        "1",
        "Spectrogram 1",
        "2",
        "x y",
    )
    assert [a.file for a in annotations.read(tmp_path / "all.txt")] == [
        "b.wav",
        os.path.join("c", "a.wav"),
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("short", [False, True])
def test_praats_two_forms_are_read_in_all_encodings(short, newline, encoding, written):
    path = written(
        "a.TextGrid", reference.text_grid(**TEXT_GRID, short=short).replace("\n", newline), encoding
    )
    assert annotations.read(path) == [
        Annotation("", 0.25, 1.5, 'say "ü"\nə'),
        Annotation("", 1.5, 2.5, "b"),
    ]


def test_praat_on_a_big_endian_machine_exponents_and_comments_are_read(written):
    text = reference.text_grid(
        1.0, [("calls", [(0.0, 1e-05, "a"), (1e-05, 1.0, "! no comment")])], short=True
    )
    text = text.replace("<exists>", "! what follows is a flag <absent>\n<exists>")
    expected = [Annotation("", 0.0, 1e-05, "a"), Annotation("", 1e-05, 1.0, "! no comment")]
    assert annotations.read(written("a.TextGrid", "\ufeff" + text, "utf-16-be")) == expected


def test_one_tier_can_be_chosen(written):
    tiers = [("words", [(0.0, 1.0, "one")]), ("phones", [(0.0, 0.5, "w"), (0.5, 1.0, "n")])]
    path = written("a.TextGrid", reference.text_grid(1.0, tiers, short=False))
    assert [a.label for a in annotations.read(path)] == ["one", "w", "n"]
    assert [a.label for a in annotations.read(path, tier="phones")] == ["w", "n"]
    with pytest.raises(
        ValueError, match="a.TextGrid: has no interval tier calls; it has words, phones.$"
    ):
        annotations.read(path, tier="calls")


@hypothesis.given(
    segments=st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 9), st.sampled_from(["", "a", '"'])),
        max_size=8,
    ),
    extra=st.integers(1, 5),
)
@hypothesis.settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_intervals_tile_every_tier_from_beginning_to_end(segments, extra, tmp_path):
    rows = [
        Annotation("a.wav", onset / 10, (onset + length) / 10, label)
        for onset, length, label in segments
    ]
    duration_s = max([a.offset_s for a in rows], default=0) + extra
    annotations.write(tmp_path / "a.TextGrid", rows, "textgrid", {"a.wav": duration_s})
    text = (tmp_path / "a.TextGrid").read_text(encoding="utf-8")
    tiers = text.split("    item [")[1:]
    assert text.count("IntervalTier") == len(tiers) >= 1
    for tier in tiers:
        _, *intervals = (
            tuple(map(float, pair)) for pair in re.findall(r"xmin = (\S+)\n *xmax = (\S+)", tier)
        )
        assert f"intervals: size = {len(intervals)}\n" in tier
        assert (intervals[0][0], intervals[-1][1]) == (0, pytest.approx(duration_s, abs=1e-9))
        assert all(offset == onset for (_, offset), (onset, _) in zip(intervals, intervals[1:]))
        assert all(onset < offset for onset, offset in intervals)


def test_peoples_annotations_are_read(shared_recordings):
    found = annotations.read(shared_recordings / "bengalese_finch_gy6or6" / "annotations.csv")
    assert len(found) == 601 and len({a.label for a in found}) == 11
    speech = shared_recordings / "annotated_speech"
    words = annotations.read(speech / "bobby_words.TextGrid", tier="word")
    assert [(a.onset_s, a.label) for a in words[:2]] == [
        (0.06469123242311078, "BOBBY"),
        (0.41156462585, "RIPPED"),
    ] and len(words) == 4
    phones = annotations.read(speech / "mary.TextGrid", tier="phone")
    assert "".join(a.label for a in phones[:5]) == "mərir"


# --- what is broken


@pytest.mark.parametrize(
    "name, text, message",
    [
        (
            "a.csv",
            "",
            (
                r"a.csv, line 1: must be the begin of an annotation file: a CSV header with "
                r"onset_s and offset_s, or another"
            ),
        ),
        (
            "a.csv",
            "file,onset,duration_ms\n",
            "a.csv, line 1: must be the begin of an annotation file",
        ),
        (
            "a.txt",
            "Notes of the 3rd of May\n",
            "a.txt, line 1: must be the begin of an annotation file",
        ),
        (
            "a.csv",
            "file,onset_s,offset_s\n\na,x,1\n",
            "a.csv, line 3: `onset_s` must be a time in seconds. Received: onset_s=x$",
        ),
        (
            "a.csv",
            "file,onset_s,offset_s\na,0\n",
            "line 2: `offset_s` must be a time in seconds. Received: offset_s=$",
        ),
        (
            "a.csv",
            "file,onset_s,offset_s\na,0,nan\n",
            "`offset_s` must be a time in seconds. Received: offset_s=nan$",
        ),
        (
            "a.csv",
            "file,onset_s,offset_s\na,-1,2\n",
            "`onset_s` must be a time in seconds, not negative. Received: onset_s=-1$",
        ),
        (
            "a.csv",
            "file,onset_s,offset_s\na,2,1\n",
            "line 2: `offset_s` must not be before `onset_s`. Received: onset_s=2, offset_s=1$",
        ),
        (
            "a.csv",
            "file,onset_s,offset_s\na,0,5,1,0\n",
            "a.csv, line 2: must have 3 cells, as the header. Received: 5 cells$",
        ),
        ("a.csv", 'file,onset_s,offset_s\n"a"b,2,1\n', "a.csv, line 2: is not a table: "),
        (
            "a.csv",
            "file,onset_s,offset_s,low_hz\na,1,2,low\n",
            "line 2: `low_hz` must be a number. Received: low_hz=low$",
        ),
        (
            "a.txt",
            "0\t-1\tx\n\n1\t2s\ty\n",
            "a.txt, line 1: `offset` must be a time in seconds, not negative. Received: offset=-1$",
        ),
        (
            "a.txt",
            f"{HEADER}\n2\tS\t1\t2\t1\t0\t9\n",
            r"a.txt, line 2: `End Time \(s\)` must not be before `Begin Time",
        ),
        (
            "a.TextGrid",
            'File type = "ooTextFile"\nObject class = "Pitch 1"\n',
            "a.TextGrid, line 2: must be a TextGrid",
        ),
        (
            "a.TextGrid",
            'File type = "ooTextFile"\nObject class = "TextGrid"\n\n0\n1\n',
            "a.TextGrid, line 5: ends before `tiers\\?`.$",
        ),
        (
            "a.TextGrid",
            '"ooTextFile"\n"TextGrid"\n0\n1\n<exists>\nmany\n"x"',
            'line 7: `size` must be a number. Received: "x"$',
        ),
        (
            "a.TextGrid",
            '"ooTextFile"\n"TextGrid"\n0\n1\n<exists>\n1\n"Tier"\n"x"\n0 1',
            "line 9: `class` must be IntervalTier or TextTier",
        ),
        (
            "a.TextGrid",
            '"ooTextFile"\n"TextGrid"\n0\n1\n<exists> 1 "IntervalTier" "a" 0 1 1\n1\n0\n"x"',
            "line 7: `xmax` must not be before",
        ),
        (
            "a.TextGrid",
            '"ooTextFile"\n"TextGrid"\n0\n1\n<exists> 1 "IntervalTier" "a\n',
            "line 5: a quotation mark opens a text that does not",
        ),
    ],
)
def test_a_broken_file_is_named_with_its_line(name, text, message, written):
    with pytest.raises(ValueError, match=message) as error:
        annotations.read(written(name, text))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"RIFF\xff\xfe\x00", "a.csv, line 1: is not text in UTF-8, UTF-16 or Windows-1252.$"),
        (b"file,onset_s,offset_s\n\x81.wav,0,1\n", "a.csv, line 2: is not text in UTF-8"),
        (b"RIFF\n\0\0", "a.csv, line 2: is not text in UTF-8"),
        (
            b"ooBinaryFile\x08TextGrid",
            "a.csv: is a binary file of Praat's; save it there as a text file.$",
        ),
        (None, "a.csv: cannot be read: No such file or directory.$"),
    ],
)
def test_what_is_no_text_is_named(content, message, tmp_path):
    if content is not None:
        (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        annotations.read(tmp_path / "a.csv")


VALID = {
    "a.csv": "file,onset_s,offset_s,label\na.wav,0.5,1.5,x\nb.wav,1,2,y\n",
    "a.txt": "0.5\t1.5\tx\n\\\t100\t200\n1\t2\ty\n",
    "b.txt": f"{HEADER}\n1\tSpectrogram 1\t1\t0.5\t1.5\t0\t9000\n",
    "a.TextGrid": reference.text_grid(**TEXT_GRID, short=False),
    "b.TextGrid": reference.text_grid(**TEXT_GRID, short=True),
}


@hypothesis.given(
    name=st.sampled_from(sorted(VALID)),
    place=st.floats(0, 1),
    cut=st.integers(0, 9),
    put=st.binary(max_size=5),
)
@hypothesis.settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
def test_a_damaged_file_is_read_or_named_in_one_line(name, place, cut, put, tmp_path):
    content = VALID[name].encode()
    position = round(place * len(content))
    path = tmp_path / name
    path.write_bytes(content[:position] + put + content[position + cut :])
    try:
        with warnings.catch_warnings(record=True):
            found = annotations.read(path)
    except ValueError as error:
        assert str(error).startswith(str(path)) and "\n" not in str(error)
    else:
        assert all(0 <= a.onset_s < a.offset_s for a in found)


@pytest.mark.parametrize(
    "rows, format, message",
    [
        ([], "xml", "`format` must be one of csv, .*, notmat. Received: format=xml"),
        (
            [Annotation("a", 0, 1), Annotation("b", 0, 1)],
            "audacity",
            "`annotations` must be of one recording for format=audacity. Received: a, b",
        ),
        (
            [Annotation("a", 0, 1), Annotation("b", 0, 1)],
            "textgrid",
            "`annotations` must be of one recording for format=textgrid",
        ),
        ([], "textgrid", "`durations_s` must tell how long a recording without annotations is"),
        (
            [Annotation("a", 0, 1)],
            "raven",
            (
                "`annotations` must have low_hz and high_hz for format=raven. "
                "Received: none at 0 s of a"
            ),
        ),
        (
            [Annotation(f, 0, 1, "", 0, 0, 1) for f in "ab"],
            "raven",
            "`durations_s` must hold every recording of a table over several",
        ),
    ],
)
def test_what_a_format_cannot_hold_is_refused_and_nothing_is_written(
    rows, format, message, tmp_path
):
    with pytest.raises(ValueError, match=message):
        annotations.write(tmp_path / "a", rows, format)
    assert not os.listdir(tmp_path)


def test_a_recording_whose_duration_is_not_told_has_no_place_in_a_table_over_several(tmp_path):
    with pytest.raises(
        ValueError,
        match=(
            "`durations_s` must hold every recording of a table over several. Received: none of a$"
        ),
    ):
        annotations.write(tmp_path / "a", [Annotation("a", 0, 1, "", 0, 0, 1)], "raven", {"b": 1.0})
