"""The CSV of onsets, offsets and labels."""

import pytest

from neurovocal_tf.audio.annotations import Annotation, read_annotations, write_annotations

ROWS = [Annotation("a.wav", 0.0, 0.25, "i"), Annotation('odd, "name".wav', 1.5, 1.500001, ""), Annotation("b/ü.wav", 10, 20, "x y")]


def written(folder, text):
    path = folder / "annotations.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_what_is_written_is_read_again(tmp_path):
    path = tmp_path / "annotations.csv"
    write_annotations(path, ROWS[:1])
    write_annotations(path, ROWS)
    assert read_annotations(path) == ROWS
    assert path.read_text(encoding="utf-8").splitlines()[:2] == ["file,onset_s,offset_s,label", "a.wav,0.000000,0.250000,i"]
    assert [p.name for p in tmp_path.iterdir()] == ["annotations.csv"]


def test_a_spreadsheets_mark_and_more_columns_do_no_harm_and_labels_may_be_missing(tmp_path):
    path = written(tmp_path, "\ufeffoffset_s,bird,file,onset_s\r\n2,gy6or6,a.wav,1\r\n")
    assert read_annotations(path) == [Annotation("a.wav", 1.0, 2.0, "")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "annotations.csv: has no column `file`; the first line must be file,onset_s,offset_s,label.$"),
        ("file,onset,offset_s\n", "has no column `onset_s`"),
        ("file,onset_s,offset_s\na.wav,0,1\na.wav,x,1\n", "csv, line 3: `onset_s` must be a time in seconds. Received: onset_s=x$"),
        ("file,onset_s,offset_s\na.wav,0\n", "line 2: `offset_s` must be a time in seconds. Received: offset_s=None$"),
        ("file,onset_s,offset_s\na.wav,0,nan\n", "`offset_s` must be a time in seconds. Received: offset_s=nan$"),
        ("file,onset_s,offset_s\na.wav,2,1\n", "line 2: `offset_s` must be after `onset_s`. Received: onset_s=2, offset_s=1$"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_annotations(written(tmp_path, text))


def test_a_missing_file_or_one_that_is_no_text_is_named(tmp_path):
    with pytest.raises(ValueError, match="nothing.csv: cannot be read: No such file or directory.$"):
        read_annotations(tmp_path / "nothing.csv")
    (tmp_path / "sound.csv").write_bytes(b"RIFF\xff\xfe\x00")
    with pytest.raises(ValueError, match="sound.csv: is not a CSV file"):
        read_annotations(tmp_path / "sound.csv")


def test_peoples_annotations_are_read(shared_recordings):
    annotations = read_annotations(shared_recordings / "bengalese_finch_gy6or6" / "annotations.csv")
    assert len(annotations) == 601 and len({a.label for a in annotations}) == 11
