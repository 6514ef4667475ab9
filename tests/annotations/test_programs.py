"""What the programs of the field write, as their own sources and examples have it, and what people
and spreadsheets make of it.
"""

import importlib.util
import json
import warnings

import numpy as np
import pytest
import scipy.io

from neurovocal_tf import annotations
from neurovocal_tf.annotations import Annotation, Options, mat_file

ONE = Annotation("a.wav", 1.0, 2.0, "x")


@pytest.fixture
def written(tmp_path):
    """Writes a text, or bytes, and returns its path."""

    def write(name, content, encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
        return path

    return write


def read(path, **options):
    """Without a warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return annotations.read(path, **options)


def notes_of(path, **options):
    found = annotations.contents(path, Options(**options))
    return [*found.bad_rows, *found.notes]


@pytest.mark.parametrize(
    "text, expected",
    {
        "BirdNET-Analyzer": (
            "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
            "1.0,2.0,Poecile atricapillus,Chickadee,0.9,C:\\songs\\a.wav\n",
            Annotation("C:\\songs\\a.wav", 1.0, 2.0, "Chickadee", score=0.9),
        ),
        "BirdNET-Analyzer for Kaleidoscope": (
            "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,lat,lon,"
            "week,overlap,sensitivity\n"
            "/songs,day 1,a.wav,1.0,1.0,Poecile,Chickadee,0.9,-1,-1,1,0,1\n",
            Annotation("/songs/day 1/a.wav", 1.0, 2.0, "Chickadee", score=0.9),
        ),
        "Kaleidoscope's clusters": (
            '"INDIR","FOLDER","IN FILE","CHANNEL","OFFSET","DURATION","Fmin","Fmean","Fmax",'
            '"TOP1MATCH*","TOP1DIST","MANUAL ID*"\n'
            '"D:\\in","day 1","a.wav","0","1.0","1.0","2000","3000","4000","c1","0.1",""\n',
            Annotation("D:/in/day 1/a.wav", 1.0, 2.0, "c1", 0, 2000.0, 4000.0),
        ),
        "Kaleidoscope's bats, whose frequencies are in kHz": (
            "INDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,AUTO ID*,Fmax,Fmin,MANUAL ID\n"
            "/in,,a.wav,0,1,1,PIPPIP,50,42,PIPPYG\n",
            Annotation("/in/a.wav", 1.0, 2.0, "PIPPYG", 0),
        ),
        "opensoundscape": (
            "audio_file,annotation_file,annotation,start_time,end_time,low_f,high_f\n"
            "a.wav,a.txt,x,1.0,2.0,100.0,\n",
            Annotation("a.wav", 1.0, 2.0, "x", low_hz=100.0),
        ),
        "avn": (",onsets,offsets,files,labels\n0,1.0,2.0,a.wav,x\n", ONE),
        "batdetect2": (
            "id,det_prob,start_time,end_time,high_freq,low_freq,class,class_prob\n"
            "0,0.7,1.0,2.0,50000,40000,x,0.6\n",
            Annotation("", 1.0, 2.0, "x", low_hz=40000.0, high_hz=50000.0, score=0.7),
        ),
        "DAS with the index of pandas": (
            ",name,start_seconds,stop_seconds\n0,x,1.0,2.0\n1,sine,,\n",
            Annotation("", 1.0, 2.0, "x"),
        ),
        "vak, whose column annotation is a number": (
            "label,onset_s,offset_s,onset_sample,offset_sample,notated_path,annot_path,sequence,"
            "annotation\nx,1.0,2.0,,,a.wav,a.csv,0,0\n",
            ONE,
        ),
        "Praat's tables": ("tmin\ttier\ttext\ttmax\n1\tcalls\tx\t2\n", Annotation("", 1, 2, "x")),
        "milliseconds": ("file,Onset_ms,Offset_ms,Label\na.wav,1000,2000,x\n", ONE),
        "a duration": ("Filename,Start,Duration,Type\na.wav,1,1,x\n", ONE),
        "labels in the plural": ("file,onset_s,offset_s,labels\na.wav,1,2,x\n", ONE),
        "a species": ("file,onset_s,offset_s,SPECIES\na.wav,1,2,x\n", ONE),
        "an empty annotation beside": (
            "file,onset_s,offset_s,Annotation,Species\na.wav,1,2,,x\n",
            ONE,
        ),
        "sep=": ("sep=;\nfile;onset_s;offset_s;label\na.wav;1,0;2,0;x\n", ONE),
        "quoted decimal commas": ('file,onset_s,offset_s,label\na.wav,"1,0","2,0",x\n', ONE),
        "tabs and decimal commas": ("file\tonset_s\toffset_s\tlabel\na.wav\t1,0\t2,0\tx\n", ONE),
        "an onset that is 0 but for rounding": (
            "file,onset_s,offset_s,label\na.wav,-1e-17,2,x\n",
            Annotation("a.wav", 0.0, 2.0, "x"),
        ),
    }.values(),
)
def test_tables_are_read_by_their_own_words(text, expected, written):
    assert read(written("t.csv", text)) == [expected]


@pytest.mark.parametrize("text", ["1 2\n", "1,2\n\n", " 1.0\t2.0\n", "1;2\n"])
def test_two_columns_without_a_header_are_onsets_and_offsets(text, written):
    path = written("a.csv", text)
    assert annotations.contents(path, Options()).annotations == [Annotation("", 1, 2)]
    # With a tab between they are Audacity's.
    assert "\t" in text or "no header" in notes_of(path)[0]


def test_three_columns_without_a_header_have_labels(written):
    with pytest.warns(UserWarning, match="has no header"):
        assert annotations.read(written("a.txt", "1 2 x y\n")) == [Annotation("", 1, 2, "x y")]


def test_numbers_with_commas_between_and_within_are_not_guessed(written):
    with pytest.raises(ValueError, match="line 1: must be the begin of an annotation file"):
        annotations.read(written("a.csv", "1,0,2,0\n"))
    with pytest.raises(ValueError, match="a.csv, line 2: must have 3 cells, as the header. Rec"):
        annotations.read(written("a.csv", "file,onset_s,offset_s\na.wav,1,0,2,0\n"))


def notmat_bytes(tmp_path, **variables):
    scipy.io.savemat(tmp_path / "m.mat", variables)
    return (tmp_path / "m.mat").read_bytes()


def test_evsonganaly_s_times_are_in_milliseconds_and_its_labels_letters(written, tmp_path):
    column = np.array([[1000.0], [3000.0]])
    content = notmat_bytes(tmp_path, onsets=column, offsets=column + 500, labels="xy", Fs=32000)
    expected = [Annotation("", 1.0, 1.5, "x"), Annotation("", 3.0, 3.5, "y")]
    assert read(written("a.cbin.not.mat", content)) == expected
    # One syllable alone is no column.
    content = notmat_bytes(tmp_path, onsets=1000, offsets=1500, labels="x")
    assert read(written("a.wav.not.mat", content)) == expected[:1]
    content = notmat_bytes(tmp_path, onsets=column, offsets=column, labels="x")
    with pytest.raises(ValueError, match="as many onsets as offsets and labels. Received: 2, 2 an"):
        annotations.read(written("a.not.mat", content))
    for broken in (b"", b"MATLAB 5.0", content[:150], content[:-20]):
        with pytest.raises(ValueError, match="a.not.mat: "):
            annotations.read(written("a.not.mat", broken))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i2", "u1", "i8"])
def test_mat_files_are_read_as_scipy_reads_them(dtype, compressed, tmp_path):
    variables = {
        "onsets": np.array([[1], [2], [100]], dtype),
        "labels": "aä-",
        "none": np.zeros((0, 0)),
        "structure": {"x": 1.0},
        "cells": np.array([1, "x"], object),
        "a_name_longer_than_four_letters": 7.5,
    }
    scipy.io.savemat(tmp_path / "m.mat", variables, do_compression=compressed)
    expected = scipy.io.loadmat(tmp_path / "m.mat")
    found = mat_file.variables((tmp_path / "m.mat").read_bytes())
    assert set(found) == set(variables) - {"structure", "cells"}
    assert found.pop("labels") == expected["labels"].item() == "aä-"
    for name, value in found.items():
        np.testing.assert_array_equal(value, expected[name].ravel())


def test_koumura_s_notes_count_from_their_sequence_in_samples(written):
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<Sequences><NumSequence>1</NumSequence><Sequence>'
        "<WaveFileName>0.wav</WaveFileName><Position>800</Position><Length>3200</Length>"
        "<Note><Position>200</Position><Length>1000</Length><Label>x</Label></Note>"
        "<Note><Position>-1</Position><Length>1000</Length><Label>y</Label></Note>"
        "</Sequence></Sequences>"
    )
    path = written("Annotation.xml", text)
    with pytest.warns(UserWarning, match="sequence 1, note 2: `Position` must be a number of sam"):
        found = annotations.read(path, sample_rate=1000)
    assert found == [Annotation("Wave/0.wav", 1.0, 2.0, "x")]
    with pytest.raises(ValueError, match="counts samples: `sample_rate` must be that of the rec"):
        read(written("Annotation.xml", text.replace("-1", "1")))
    with pytest.raises(ValueError, match="Annotation.xml, line 2: is not XML that is whole"):
        read(written("Annotation.xml", text[:-10]))


def test_timit_counts_samples(written):
    path = written("sa1.PHN", "0 1000 h#\n1000 2000 sh\n")
    assert read(path, sample_rate=1000) == [
        Annotation("", 0, 1, "h#"),
        Annotation("", 1, 2, "sh"),
    ]


def test_whisperseg_s_lists(written):
    lists = {"onset": [1.0, 3.0], "offset": [2.0, 4], "cluster": ["x", "y"], "sr": 32000}
    path = written("a.json", json.dumps(lists))
    assert read(path) == [Annotation("", 1.0, 2.0, "x"), Annotation("", 3.0, 4.0, "y")]
    with pytest.raises(ValueError, match="as many of onset, offset and cluster as of each"):
        read(written("a.json", json.dumps({**lists, "cluster": ["x"]})))


def test_batdetect2_s_json(written):
    call = {"start_time": 1.0, "end_time": 2.0, "low_freq": 4e4, "class": "x", "det_prob": 0.5}
    recording = {"id": "a.wav", "annotation": [call], "time_exp": 1}
    expected = [Annotation("a.wav", 1.0, 2.0, "x", low_hz=4e4, score=0.5)]
    assert read(written("a.wav.json", json.dumps(recording))) == expected
    assert read(written("all.json", json.dumps([recording]))) == expected
    bad = {**recording, "annotation": [call, {**call, "end_time": True}, 3]}
    assert len(notes_of(written("bad.json", json.dumps(bad)))) == 2


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a": 1}', "[]", "{}", "[1]"])
def test_other_json_is_no_annotation_file(text, written):
    with pytest.raises(ValueError, match="a.json"):
        annotations.read(written("a.json", text))


EAF = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+00:00" FORMAT="3.0" VERSION="3.0"
    xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///data/a%201.wav" MIME_TYPE="audio/x-wav"/></HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="1000"/>
<TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2000"/><TIME_SLOT TIME_SLOT_ID="ts3"/></TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="default-lt" TIER_ID="calls">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>x</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts2" TIME_SLOT_REF2="ts3">
<ANNOTATION_VALUE>y</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION></TIER>
<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="default-lt" TIME_ALIGNABLE="true"/></ANNOTATION_DOCUMENT>
"""


@pytest.mark.skipif(not importlib.util.find_spec("pympi"), reason="pympi-ling is not installed")
def test_elan_s_tiers(written):
    path = written("a.eaf", EAF)
    for tier in (None, "calls"):
        found = annotations.contents(path, Options(tier))
        assert found.annotations == [Annotation("/data/a 1.wav", 1.0, 2.0, "x")]
        assert found.bad_rows == [
            f"{path}, tier calls, annotation a2: must have two times, not negative"
        ]
    with pytest.raises(ValueError, match="has no tier words with times; it has calls.$"):
        annotations.contents(path, Options("words"))
    for broken in (EAF[:-30], EAF.replace("ts1", ""), EAF.replace('VALUE="1000"', 'VALUE="x"')):
        with pytest.raises(ValueError, match="a.eaf: is not a file of ELAN's that is whole"):
            annotations.contents(written("a.eaf", broken), Options())


def test_elan_without_its_package_says_what_to_install(written, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pympi", None)
    with pytest.raises(ValueError, match="a.eaf: is ELAN's, and needs .*: pip install pympi-ling$"):
        annotations.read(written("a.eaf", EAF))


def test_birdnet_s_audacity_labels_have_a_score(written):
    assert read(written("a.txt", "1.0\t2.0\tPoecile, Chickadee\t0.9000\n")) == [
        Annotation("", 1.0, 2.0, "Poecile, Chickadee", score=0.9)
    ]


# --- one bad row costs that row


@pytest.mark.parametrize(
    "bad, reason",
    [
        ("a.wav,-1,2,y", "`onset_s` must be a time in seconds, not negative"),
        ("a.wav,3,2,y", "`offset_s` must not be before `onset_s`"),
        ("a.wav,,,y", "`onset_s` must be a time in seconds. Received: onset_s=$"),
        ("a.wav,1_0,20,y", "`onset_s` must be a time in seconds"),
        ("a.wav,1,2,y,z", "must have 4 cells, as the header"),
    ],
)
def test_one_bad_row_of_a_table_costs_that_row(bad, reason, written):
    path = written("t.csv", f"file,onset_s,offset_s,label\n{bad}\na.wav,1,2,x\n")
    with pytest.warns(UserWarning, match=f"t.csv, line 2: {reason}"):
        assert annotations.read(path) == [ONE]


def test_one_bad_label_costs_that_label_with_its_band(written):
    path = written("a.txt", "2\t1\ty\n\\\t1\t2\n1\t2\tx\n\\\t100\thigh\n3\t4\tz\n")
    assert notes_of(path) == [
        f"{path}, line 1: `offset` must not be before `onset`. Received: onset=2, offset=1",
        f"{path}, line 4: `high_hz` must be a number. Received: high_hz=high",
    ]
    found = annotations.contents(path, Options()).annotations
    assert [(a.label, a.low_hz) for a in found] == [("x", None), ("z", None)]


def test_one_bad_interval_costs_that_interval_and_what_has_no_label_may_begin_before_0(written):
    text = '"ooTextFile" "TextGrid" -1 9 <exists> 1 "IntervalTier" "calls" -1 9 4\n'
    text += '-1 1 ""\n1 2 "x"\n5 3 "reversed"\n3 4 "y"\n'
    path = written("a.TextGrid", text)
    assert [a.label for a in annotations.contents(path, Options()).annotations] == ["x", "y"]
    assert notes_of(path) == [
        f"{path}, line 4: `xmax` must not be before `xmin`. Received: xmin=5, xmax=3"
    ]


# --- labels in doubt


def test_where_two_columns_have_labels_the_one_taken_is_said_and_another_can_be_named(written):
    path = written("t.csv", "file,onset_s,offset_s,Annotation,Type\na.wav,1,2,x,y\n")
    assert notes_of(path) == [
        f"{path} has labels in Annotation and Type: those in Annotation are taken; "
        "--label_column=Type takes others."
    ]
    assert read(path, label_column="type") == [Annotation("a.wav", 1, 2, "y")]
    with pytest.raises(
        ValueError, match="`label_column` must be one of its columns, file, onset_s"
    ):
        read(path, label_column="kind")


def test_a_column_of_an_unknown_name_is_said_and_can_be_named(written):
    path = written("t.csv", ",file,onset_s,offset_s,Laut\n0,a.wav,1,2,x\n")
    assert annotations.contents(path, Options()).annotations == [Annotation("a.wav", 1, 2)]
    assert notes_of(path) == [
        f"{path} has no labels in a column of a known name, and Laut beside: --label_column=NAME "
        "takes one of them."
    ]
    assert read(path, label_column="Laut") == [ONE]


def test_two_columns_of_onsets_are_refused(written):
    with pytest.raises(ValueError, match="one column of onsets .* Received: onset_s and start_s"):
        read(written("t.csv", "file,onset_s,start_s,offset_s\na.wav,1,1,2\n"))


# --- encodings


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_are_no_letters(encoding, written):
    text = "sep=,\nfile,onset_s,offset_s,label\nü.wav,1,2,x\n"
    assert read(written("t.csv", text, encoding)) == [Annotation("ü.wav", 1, 2, "x")]


def test_windows_1252_is_read_and_said(written):
    path = written("t.csv", "file,onset_s,offset_s,label\nü.wav,1,2,x\n", "cp1252")
    with pytest.warns(UserWarning, match="t.csv, line 2: is not UTF-8, .* read as Windows-1252"):
        assert annotations.read(path) == [Annotation("ü.wav", 1, 2, "x")]


# --- Raven

RAVEN = "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)"


def test_of_a_selection_in_two_views_the_spectrogram_has_the_band_and_either_the_label(written):
    text = (
        f"{RAVEN}\tspecies\n1\tWaveform 1\t1\t1\t2\t0\t0\t\n1\tSpectrogram 1\t1\t1\t2\t10\t90\tx\n"
        "2\tSpectrogram 1\t1\t3\t4\t10\t90\t\n2\tWaveform 1\t1\t3\t4\t0\t0\ty\n"
    )
    assert read(written("a.txt", text)) == [
        Annotation("", 1, 2, "x", 0, 10, 90),
        Annotation("", 3, 4, "y", 0, 10, 90),
    ]


def test_times_through_several_recordings_need_the_times_within_each(written):
    rows = "1\tSpectrogram 1\t1\t1\t2\t0\t9\ta.wav\n2\tSpectrogram 1\t1\t{}\t{}\t0\t9\tb.wav\n"
    path = written("all.txt", f"{RAVEN}\tBegin File\n{rows.format(61, 62)}")
    with pytest.raises(ValueError, match=r"all.txt, line 2: must have a time in a column File Off"):
        annotations.read(path)
    # What overlaps cannot have been played one after another.
    path = written("all.txt", f"{RAVEN}\tBegin File\n{rows.format(1.5, 2)}")
    assert [a.onset_s for a in annotations.contents(path, Options()).annotations] == [1, 1.5]
    assert "their times overlap" in notes_of(path)[0]
