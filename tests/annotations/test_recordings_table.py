"""Tables of facts about recordings: what serves, and what does not, each told in a line."""

import pytest

from neurovocal_tf.annotations import recordings_table


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("name,day\n", "day", "`recordings_table` must name a column"),
        ("file,day\n", "month", "`group_column` must name a column"),
        ("file,day\nx.wav,1\n", "day", "names none"),
        ("file,day\na.wav,1\na.wav,2\n", "day", "must have one day. Received: 1 and 2"),
    ],
)
def test_a_table_that_does_not_serve_is_told_in_a_line(tmp_path, text, column, told):
    path = tmp_path / "table.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=told) as error:
        recordings_table.values_of(path, column, {"a.wav": str(tmp_path / "a.wav")})
    assert "\n" not in str(error.value)


def test_a_table_with_labels_for_half_of_the_recordings_serves(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("file,day\na.wav,1\nb.wav,\nz.wav,2\n")
    paths = {name: str(tmp_path / name) for name in ("a.wav", "b.wav")}
    found, notes = recordings_table.values_of(path, "day", paths)
    assert found == {"a.wav": "1"}
    assert notes == [
        "1 recordings of the table are not in the folder: z.wav",
        "1 of 2 recordings have no day: b.wav",
    ]
