"""The page of review in headless Chromium: segments dragged, deleted, labelled, undone, heard and
saved, and nothing asked of anybody.
"""

import dataclasses
import json
import os
import pathlib
import time

import headless_browser
import numpy as np
import pytest
import reviewed

from neurovocal_tf import annotations
from neurovocal_tf.annotations import Annotation, matching
from neurovocal_tf.config import Config
from neurovocal_tf.pages import excerpts, review

TIMES = [(0.3, 0.42), (0.8, 0.9), (1.1, 1.2)]
KEPT = "Not saved; kept in this browser only"
IS_READY = "globalThis.page !== undefined"


def page_of(folder, name):
    return pathlib.Path(folder.out_dir, "review", f"{name}.html").as_uri()


@pytest.fixture(scope="module")
def browser():
    if headless_browser.executable() is None:
        pytest.skip(
            "there is no Chromium on this machine: chromium, chromium-browser or google-chrome"
        )
    with headless_browser.Page("about:blank#", 1280, 1000) as page:
        page.resize(1280, 1000)
        yield page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("review")
    folder = reviewed.reviewed(root, {"a b.wav": TIMES, "c.wav": []}, 1.5)
    folder.what_is_dropped = ((0.5, 0.52, "too short"),)
    assert review.write(folder, Config()) == {}
    return folder


def reopened(page, url):
    page.go(url)
    page.wait_for(IS_READY)


@pytest.fixture
def page(browser, folder, tmp_path):
    """A page as it was found, all of it in view."""
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    reopened(browser, page_of(folder, "a b.wav"))
    browser.evaluate("element('zoom-all').click(); element('over').focus()")
    yield browser
    # Neither kept for the next test, nor asked about before it begins.
    browser.evaluate(
        "clearTimeout(page.work.timer); page.work.digest = page.work.savedDigest = 0; undefined"
    )
    browser.evaluate("localStorage.clear()")


def rows_of(page):
    return page.evaluate("page.segments.rows.map(row => [row.onset, row.offset, row.label])")


def times_of(page):
    return [row[:2] for row in rows_of(page)]


def place(page, seconds, from_top=150):
    """Where a time is on the screen."""
    x = page.evaluate(f"page.view.xOf({seconds}) + element('over').getBoundingClientRect().left")
    return x, page.evaluate("element('over').getBoundingClientRect().top") + from_top


# --- by mouse


def test_an_edge_is_dragged_and_what_is_between_moves_as_a_whole(page):
    page.drag(place(page, 0.42), place(page, 0.5))
    page.drag(place(page, 0.85), place(page, 0.65))
    second_s = page.evaluate("(page.view.end - page.view.start) / page.view.width")
    np.testing.assert_allclose(times_of(page)[:2], [(0.3, 0.5), (0.6, 0.7)], atol=2 * second_s)
    # Its length is what it was, to the microsecond.
    onset, offset = times_of(page)[1]
    assert offset - onset == pytest.approx(0.1, abs=2e-6)
    assert times_of(page)[2] == [1.1, 1.2]


def test_an_edge_stays_beyond_the_other_and_a_segment_within_the_recording(page):
    page.drag(place(page, 0.3), place(page, 0.7))
    onset, offset = times_of(page)[0]
    assert offset == 0.42 and 0 < offset - onset <= 1.01e-4
    page.drag(place(page, 1.15), place(page, 1.49))
    assert times_of(page)[2] == pytest.approx([1.4, 1.5])


def test_dragging_where_nothing_is_adds_a_segment_and_a_click_does_not(page):
    page.drag(place(page, 0.6), place(page, 0.7))
    second_s = page.evaluate("(page.view.end - page.view.start) / page.view.width")
    np.testing.assert_allclose(times_of(page)[1], (0.6, 0.7), atol=2 * second_s)
    page.drag(place(page, 0.1), place(page, 0.1))
    assert len(rows_of(page)) == 4 and page.evaluate("page.view.selected") is None
    added = page.evaluate("page.segments.rows[1]")
    assert added["score"] is None and [added["low"], added["high"]] == [500, 8000]


def test_the_wheel_scrolls_and_zooms_and_the_map_shows_where(page):
    x, y = place(page, 0.75)
    for modifiers, amount in ((2, -300), (0, 200)):
        page.call(
            "Input.dispatchMouseEvent", type="mouseWheel", x=x, y=y, deltaX=0, deltaY=amount,
            modifiers=modifiers,
        )  # fmt: skip
        page.evaluate("new Promise(requestAnimationFrame)")
    start, end = page.evaluate("[page.view.start, page.view.end]")
    assert end - start == pytest.approx(1.5 * 1.003**-300, rel=0.01) and start > 0.3
    box = page.evaluate("(({left, top}) => [left, top])(element('map').getBoundingClientRect())")
    page.drag((box[0] + 5, box[1] + 10), (box[0] + 5, box[1] + 11))
    assert page.evaluate("page.view.start") == 0


# --- by keyboard


def test_arrows_go_from_segment_to_segment_and_letters_and_digits_label(page):
    for key in ("ArrowRight", "a", "7", "ArrowRight", "ArrowLeft", "ä"):
        page.press(key)
    # After a label it goes on by itself, and stays at the last.
    assert [row[2] for row in rows_of(page)] == ["a", "ä", ""]
    page.press("Home")
    assert page.evaluate("element('told').textContent").startswith(
        "Segment 1 of 3: 0.300 to 0.420 s, 120.0 ms, label a"
    )
    legend = page.evaluate("[...element('legend').children].map(one => one.textContent)")
    assert legend == ["a · 1", "ä · 1"]


def test_a_longer_label_is_typed_after_f2(page):
    page.press("ArrowRight")
    page.press("F2")
    for key in "so 1":
        page.press(key)
    page.press("Enter")
    assert [row[2] for row in rows_of(page)] == ["so 1", "", ""]
    assert page.evaluate("document.activeElement.id") == "over"


def test_what_is_typed_counts_also_where_one_clicks_elsewhere_or_saves(page):
    page.press("ArrowRight")
    page.press("F2")
    page.press("u")
    page.drag(place(page, 1.15), place(page, 1.15))
    page.press("F2")
    page.press("v")
    page.press("s", "Control")
    assert [row[2] for row in rows_of(page)] == ["u", "", "v"]
    assert page.evaluate("element('kept').textContent") == "Saved as a b.csv"


def test_a_segment_that_is_gone_meanwhile_is_not_brought_back_by_a_drag(page):
    page.evaluate("globalThis.gone = page.segments.rows[0]; page.editor.replaceAll([], 'emptied')")
    page.evaluate("page.editor.replace(gone, { ...gone, onset: 0.1 }, 'moved'); undefined")
    assert rows_of(page) == []


def test_a_segment_is_deleted_and_added_and_its_edges_are_nudged(page):
    page.press("ArrowRight")
    page.press("Delete")
    assert times_of(page) == [[0.8, 0.9], [1.1, 1.2]]
    step = page.evaluate("page.editor.step")
    page.press("ArrowRight", "Shift")
    page.press("ArrowLeft", "Shift", "Control")
    assert times_of(page)[0] == pytest.approx([0.8 + step, 0.9 - step])
    page.evaluate("page.editor.select(null); page.view.cursor = 0.2")
    page.press("Insert")
    assert times_of(page)[0] == pytest.approx([0.2, 0.3], abs=0.01)


def test_everything_is_undone_and_done_again(page):
    before = rows_of(page)
    page.drag(place(page, 0.42), place(page, 0.5))
    page.press("x")
    page.press("Delete")
    after = rows_of(page)
    for _ in range(4):
        page.press("z", "Control")
    assert rows_of(page) == before and page.evaluate("element('undo').disabled")
    for _ in range(4):
        page.press("y", "Control")
    assert rows_of(page) == after and page.evaluate("element('redo').disabled")


def test_what_is_typed_into_a_field_is_no_command(page):
    page.press("ArrowRight")
    page.evaluate("element('onset').focus()")
    page.press("Delete")
    page.press("ArrowUp")
    page.evaluate("element('onset').blur()")
    assert len(rows_of(page)) == 3 and [row[2] for row in rows_of(page)] == [""] * 3


def test_every_control_has_a_name_and_is_reached_by_tab(page):
    names = page.evaluate(
        """[...document.querySelectorAll('button, input, select, canvas[tabindex], [role=region]')]
        .filter(one => !one.disabled && !one.closest('[hidden]'))
        .map(one => one.ariaLabel || one.labels?.[0]?.textContent.trim() || one.textContent.trim()
        || one.getAttribute('aria-labelledby') || one.outerHTML)"""
    )
    assert not [name for name in names if name.startswith("<")]
    page.evaluate("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        page.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert {"play", "loop", "speed", "format", "save", "open", "over", "advance"} <= set(reached)


# --- heard


def test_a_segment_plays_as_long_as_it_is_slowed_down_and_in_a_loop(page):
    page.press("ArrowRight")
    page.evaluate("element('speed').value = 4; element('speed').dispatchEvent(new Event('change'))")
    page.press(" ")
    assert page.evaluate("element('play').textContent") == "Stop"
    buffer = page.evaluate(
        """(({ buffer, playbackRate }) => [buffer.duration, playbackRate.value])(
        page.player.playing.source)"""
    )
    # Below 8 kHz not every browser has buffers: it is played back slower instead.
    assert buffer[0] / buffer[1] == pytest.approx(4 * 0.12, rel=1e-3)
    page.wait_for("page.view.playhead > 0.3")
    page.wait_for("!page.player.playing")
    page.evaluate("element('loop').click()")
    page.evaluate("element('speed').value = 1; element('speed').dispatchEvent(new Event('change'))")
    page.press(" ")
    first = page.evaluate("page.player.playing.begun")
    page.wait_for(f"page.player.playing.begun > {first}")
    page.press("Escape")
    assert page.evaluate("page.player.playing") is None
    page.evaluate("page.view.cursor = 1.0")
    page.press("Enter")
    assert page.evaluate("page.player.playing.to") == pytest.approx(1.5)
    page.press("Escape")


def test_the_sound_is_that_of_the_recording(page, folder):
    import soundfile

    samples, _ = soundfile.read(folder.paths["a b.wav"])
    heard = page.evaluate(
        """(() => { const out = new Float32Array(2000);
        expand(page.player.sound.subarray(4800, 6800), out); return [...out]; })()"""
    )
    expected = samples[4800:6800] - samples.mean()
    # Mu-law's steps are 2 % of a sample at most.
    assert np.max(np.abs(np.array(heard) * np.abs(expected).max() - expected)) < 0.025 * 0.3


# --- saved


def annotations_of(page, file):
    return [
        Annotation(
            file,
            r["onset"],
            r["offset"],
            r["label"],
            r["channel"],
            # What is whole in JavaScript comes as an integer.
            *(None if r[name] is None else float(r[name]) for name in ("low", "high", "score")),
        )
        for r in page.evaluate("page.segments.rows")
    ]


def as_written(path, rows, format, duration_s):
    """What the package writes: elsewhere than in CSV, what has no label is called "segment"."""
    if format in ("audacity", "raven"):
        rows = [
            row if row.label.strip() else dataclasses.replace(row, label="segment") for row in rows
        ]
    annotations.write(path, rows, format, duration_s)
    return path.read_bytes()


@pytest.mark.parametrize("format", review.FORMATS)
def test_a_saved_table_is_byte_for_byte_what_the_package_writes_and_reads(
    page, folder, tmp_path, format
):
    file = os.path.abspath(folder.paths["a b.wav"])
    page.press("ArrowRight")
    page.press("b")
    page.drag(place(page, 0.6), place(page, 0.7))
    page.evaluate(f"element('format').value = '{format}'")
    page.press("s", "Control")
    saved = tmp_path / f"a b{annotations.EXTENSIONS[format]}"
    end = time.monotonic() + 20
    while not saved.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert page.evaluate("element('kept').textContent") == f"Saved as {saved.name}"
    rows = annotations_of(page, file)
    expected = as_written(tmp_path / "expected", rows, format, {file: 1.5})
    assert saved.read_bytes() == expected
    os.unlink(tmp_path / "expected")
    [read] = matching.match(saved, [file]).of.values()
    np.testing.assert_allclose(
        [(a.onset_s, a.offset_s) for a in read], [(a.onset_s, a.offset_s) for a in rows], atol=1e-6
    )
    assert read[0].label == "b"


@pytest.mark.parametrize("format", review.FORMATS)
def test_any_labels_times_and_scores_are_written_as_the_package_writes_them(
    page, tmp_path, rng, format
):
    labels = [
        "",
        " ",
        "a",
        'quo"ted',
        "a,b",
        "tab\there",
        "two\nlines",
        "ü 鳥",
        "</script>",
        "'",
        "\\",
    ]
    file = '/data/bird, "one"/day 2/song é.wav'
    # Times in the middle between two texts, whole ones, and any.
    onsets = np.sort(np.concatenate([np.arange(40) / 128, [1.0, 100.0], rng.uniform(0, 300, 60)]))
    # Raven's tables need a band.
    lows = [0.0, 333.25, 1e3 / 3, *([] if format == "raven" else [None])]
    scores = [None, 0.0, 10.0, 12.345, 1e-5, 3.0000000000000004, 1e16, 123456789.5]
    rows = [
        Annotation(
            file,
            float(onset),
            float(onset + rng.uniform(1e-4, 3)),
            labels[i % len(labels)],
            (None, 1)[i % 2],
            lows[i % len(lows)],
            (8000.0, 12e3 / 7)[i % 2],
            scores[i % len(scores)],
        )
        for i, onset in enumerate(onsets)
    ]
    expected = as_written(tmp_path / "expected", rows, format, {file: 250.0})
    given = [
        [a.onset_s, a.offset_s, a.label, a.score, a.low_hz, a.high_hz, a.channel] for a in rows
    ]
    recording = {"file": file, "base": os.path.basename(file), "durationS": 250.0}
    text = page.evaluate(
        f"WRITERS.{format}({json.dumps(given)}.map(rowOf), {json.dumps(recording)})"
    )
    assert text.encode() == expected
    if format == "csv":
        back = page.evaluate(f"rowsOfCsv({json.dumps(text)}, {json.dumps(recording)}).length")
        assert back == len(rows)


def test_numbers_are_python_s_digit_for_digit(page, rng):
    values = np.concatenate([
        np.arange(2000) / 2**10, np.arange(200) * 0.0000005, rng.uniform(0, 1e4, 2000),
        10.0 ** rng.uniform(-12, 20, 2000), [0.0, 1e16, 9.999999999999999e15, 1e-4, 9.9e-5],
    ])  # fmt: skip
    given = json.dumps(values.tolist())
    texts = page.evaluate(f"{given}.map(value => [repr(value), fixed(value, 6), fixed(value, 9)])")
    assert texts == [[repr(v), f"{v:.6f}", f"{v:.9f}"] for v in values.tolist()]


def test_a_saved_csv_is_opened_again_and_another_recording_s_is_refused(page, tmp_path):
    page.press("ArrowRight")
    page.press("q")
    (tmp_path / "mine.csv").write_text(
        page.evaluate("page.work.tableText('csv')"), encoding="utf-8"
    )
    after = rows_of(page)
    page.press("z", "Control")
    page.choose_file("#open", tmp_path / "mine.csv")
    page.wait_for("page.segments.rows[0].label == 'q'")
    assert rows_of(page) == after
    (tmp_path / "other.csv").write_text("file,onset_s,offset_s,label\nd.wav,1,2,x\n")
    page.choose_file("#open", tmp_path / "other.csv")
    page.wait_for("!element('error').hidden")
    assert "must have rows of a b.wav" in page.evaluate("element('error').textContent")
    assert rows_of(page) == after


# --- kept


def test_work_that_is_not_saved_is_there_after_the_page_is_closed(page, folder):
    page.press("ArrowRight")
    page.press("k")
    assert page.evaluate("element('kept').textContent").startswith("Not saved")
    after = rows_of(page)
    reopened(page, page_of(folder, "a b.wav"))
    assert rows_of(page) == after
    assert page.evaluate("element('kept').textContent") == KEPT
    page.evaluate("element('undo').click()")
    assert [row[2] for row in rows_of(page)] == ["", "", ""]


def test_work_that_began_with_other_segments_is_neither_lost_nor_taken_up_unasked(page, folder):
    kept = {"found": 1, "rows": [[0.1, 0.2, "old", None, 500, 8000, None]]}
    page.evaluate(f"localStorage.setItem(page.work.keeping.key, {json.dumps(json.dumps(kept))})")
    reopened(page, page_of(folder, "a b.wav"))
    assert page.evaluate("element('earlier').hidden") is False and len(rows_of(page)) == 3
    page.press("ArrowRight")
    page.press("n")
    page.evaluate("page.work.keep()")
    assert "before you choose" in page.evaluate("element('kept').textContent")
    assert "old" in page.evaluate("localStorage.getItem(page.work.keeping.key)")
    page.evaluate("element('take-up').click()")
    assert rows_of(page) == [[0.1, 0.2, "old"]]
    page.press("z", "Control")
    assert len(rows_of(page)) == 3


def test_where_nothing_can_be_kept_that_is_said(page):
    page.evaluate("Storage.prototype.setItem = () => { throw new Error('full'); }; undefined")
    page.press("ArrowRight")
    page.press("k")
    page.wait_for("page.work.digest !== null")
    assert "this browser keeps nothing" in page.evaluate("element('kept').textContent")


# --- seen


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (400, True)])
def test_it_fits_in_both_widths_shows_the_sound_and_complains_of_nothing(
    page, tmp_path, width, dark
):
    page.resize(width, 900, dark)
    page.evaluate("page.editor.go(1); new Promise(done => setTimeout(done, 100))")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    colours = page.evaluate(
        """(() => { const { picture } = page.view;
        const image = picture.getContext('2d').getImageData(0, 150, picture.width, 1);
        return new Set(image.data).size; })()"""
    )
    assert colours > 10
    assert "1 too short" in page.evaluate("element('dropped').innerText")
    page.screenshot(tmp_path / "page.png")
    assert page.complaints() == [] and page.hosts_asked() == set()
    page.resize(1280, 1000)


def test_ten_thousand_segments_are_drawn_as_far_as_they_are_seen(browser, tmp_path):
    times = [(0.006 * i, 0.006 * i + 0.003) for i in range(10_000)]
    folder = reviewed.reviewed(tmp_path, {"a.wav": times}, 60.5, tuple("abcdefghij"))
    review.write(folder, Config())
    reopened(browser, page_of(folder, "a.wav"))
    assert browser.evaluate("page.segments.rows.length") == 10_000
    browser.evaluate("element('zoom-all').click()")
    assert browser.evaluate("page.view.visible().length") <= browser.evaluate("page.view.width")
    browser.evaluate("page.editor.goToEnd(true); page.view.zoom(1 / 1000, 59.9)")
    assert 0 < browser.evaluate("page.view.visible().length") < 20
    assert browser.evaluate("element('table').rows.length") < 60
    assert browser.evaluate("element('table').getAttribute('aria-rowcount')") == "10001"
    assert browser.evaluate("document.querySelector('tr.chosen').textContent").startswith("10000")
    for key in (("z",), ("Delete",), ("z", "Control")):
        browser.press(*key)
    assert browser.evaluate("page.segments.rows[9999].label") == "z"
    browser.evaluate("page.work.keep()")
    assert browser.evaluate("element('kept').textContent") == KEPT
    lines = browser.evaluate("page.work.tableText('csv')").splitlines()
    assert len(lines) == 10_001 and ",59.994000,59.997000,z," in lines[-1]
    assert browser.complaints() == []


def test_two_pages_of_a_recording_share_its_work(browser, tmp_path, monkeypatch):
    monkeypatch.setattr(excerpts, "_MAX_SAMPLES", 12_001)
    folder = reviewed.reviewed(tmp_path, {"a.wav": TIMES}, 1.5)
    review.write(folder, Config())
    reopened(browser, page_of(folder, "a.wav"))
    assert browser.evaluate("page.editor.rows().length") == 1
    browser.press("ArrowRight")
    browser.press("m")
    browser.follow("[...document.links].find(one => one.textContent.startsWith('Later')).click()")
    browser.wait_for(IS_READY)
    assert browser.evaluate("page.recording.page") == 1
    assert [row[2] for row in rows_of(browser)] == ["m", "", ""]
    assert browser.evaluate("page.editor.rows().length") == 2


def test_a_recording_without_segments_has_a_page_that_takes_them(browser, folder):
    reopened(browser, page_of(folder, "c.wav"))
    for key in ("ArrowRight", "Delete", "x", "Insert", "x"):
        browser.press(key)
    assert [row[2] for row in rows_of(browser)] == ["x"]
    assert browser.complaints() == []


def test_the_index_lists_and_finds_recordings(browser, folder):
    browser.go(page_of(folder, "index"))
    shown = """[...document.querySelectorAll('tbody tr')].filter(one => !one.hidden)
        .map(one => one.cells[0].innerText.trim())"""
    assert browser.evaluate(shown) == ["a b.wav", "c.wav"]
    browser.evaluate(
        """const find = document.getElementById('find');
        find.value = 'C.'; find.dispatchEvent(new Event('input'))"""
    )
    assert browser.evaluate(shown) == ["c.wav"]
    browser.follow("document.links[1].click()")
    browser.wait_for(IS_READY)
    assert browser.evaluate("page.recording.name") == "c.wav"
    assert browser.complaints() == []
