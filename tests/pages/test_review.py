"""Which pages of review are written, and what each is told."""

import json
import os
import pathlib
import re
import urllib.parse

import pytest
import reviewed

from neurovocal_tf.config import Config
from neurovocal_tf.pages import excerpts, review

TIMES = [(0.3, 0.42), (0.8, 0.9)]
NESTED = os.path.join("day 2", 'a "b" <i>#1.wav')


def data_of(path, name="recording"):
    text = pathlib.Path(path).read_text(encoding="utf-8")
    return json.loads(re.search(rf'<script [^>]*id="{name}">(.*?)</script>', text)[1])


def target(page, address):
    """The file that a page's link leads to."""
    return os.path.normpath(os.path.join(os.path.dirname(page), urllib.parse.unquote(address)))


def test_each_recording_has_a_page_with_its_segments_and_several_have_an_index(tmp_path):
    folder = reviewed.reviewed(tmp_path, {"a.wav": TIMES, NESTED: []}, 1.5, ("x<y>",))
    seen = []
    assert review.write(folder, Config(), on_recording=lambda: seen.append(1)) == {}
    assert len(seen) == 2
    pages = os.path.join(folder.out_dir, "review")
    data = data_of(os.path.join(pages, "a.wav.html"))
    rows = [row[:4] for row in data["rows"]]
    assert rows == [[0.3, 0.42, "x<y>", 0.25], [0.8, 0.9, "x<y>", 1.25]]
    # A tone of 3 kHz lies in the band that is told of it.
    assert all(low < 3000 < high for _, _, _, _, low, high, _ in data["rows"])
    assert data["file"] == os.path.abspath(folder.paths["a.wav"])
    nested = os.path.join(pages, f"{NESTED}.html")
    assert data_of(nested)["rows"] == []
    index = os.path.join(pages, "index.html")
    for row in data_of(index, "recordings"):
        [page] = [target(index, address) for address in row["pages"]]
        assert page == os.path.join(pages, f"{row['name']}.html") and os.path.exists(page)
        assert target(page, data_of(page)["index"]) == index


def test_one_recording_has_no_index(tmp_path):
    folder = reviewed.reviewed(tmp_path, {"a.wav": TIMES}, 1.5)
    review.write(folder, Config())
    assert os.listdir(os.path.join(folder.out_dir, "review")) == ["a.wav.html"]


def test_recordings_that_differ_in_their_extension_save_tables_of_their_own(tmp_path):
    folder = reviewed.reviewed(tmp_path, {"a.wav": [], "A.flac": [], "b.wav": []}, 0.5)
    review.write(folder, Config())
    pages = os.path.join(folder.out_dir, "review")
    stems = [data_of(os.path.join(pages, f"{name}.html"))["stem"] for name in folder.finished]
    assert stems == ["A.flac", "a.wav", "b"]


def test_what_was_dropped_is_told_with_its_reason(tmp_path):
    folder = reviewed.reviewed(tmp_path, {"a.wav": TIMES}, 1.5)
    folder.what_is_dropped = ((0.5, 0.51, "too short"),)
    review.write(folder, Config())
    page = os.path.join(folder.out_dir, "review", "a.wav.html")
    assert data_of(page)["dropped"] == [[0.5, 0.51, "too short"]]


def test_a_recording_that_is_too_long_has_several_pages_each_with_all_segments(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(excerpts, "_MAX_SAMPLES", 10_000)
    folder = reviewed.reviewed(tmp_path, {"a.wav": TIMES}, 1.5)
    review.write(folder, Config())
    pages = [
        os.path.join(folder.out_dir, "review", name)
        for name in ("a.wav.html", "a.wav_2.html", "a.wav_3.html")
    ]
    for number, page in enumerate(pages):
        data = data_of(page)
        assert data["page"] == number and len(data["rows"]) == 2
        assert [target(page, address) for address in data["pages"]] == pages
        assert data_of(page, "excerpt")["startS"] == pytest.approx(number * 0.5)
    text = pathlib.Path(pages[0]).read_text(encoding="utf-8")
    assert "The page holds 0.5 of 1.5 s" in text and "of which this is one page" in text
    assert sorted(os.listdir(os.path.dirname(pages[0]))) == [os.path.basename(p) for p in pages]


def test_a_recording_that_is_gone_costs_its_own_page(tmp_path):
    folder = reviewed.reviewed(tmp_path, {"a.wav": TIMES, "b.wav": TIMES}, 1.5)
    os.unlink(folder.paths["a.wav"])
    assert review.write(folder, Config()) == {"a.wav": "is not there"}
    pages = os.path.join(folder.out_dir, "review")
    [row] = data_of(os.path.join(pages, "index.html"), "recordings")
    assert row["name"] == "b.wav"


def test_ten_minutes_fit_on_a_page_that_a_browser_opens():
    rate, num_samples = 44_100, 600 * 44_100
    heard = excerpts.sound_rate(rate, 10_000)
    assert excerpts.excerpt_samples(num_samples, rate, heard) == num_samples
    # Whatever the rate, what is read for a page fits into memory.
    assert excerpts.excerpt_samples(600 * 10**7, 10**7, 24_000) <= 2**25
    # Of anything at all: sound and pixels, uncompressed, a third more as text.
    assert (excerpts._MAX_SAMPLES + excerpts._MAX_PIXELS) * 4 / 3 < 48e6
