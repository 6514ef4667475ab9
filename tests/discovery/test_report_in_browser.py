"""report.html in a browser: nothing is asked for, nothing overflows, and all can be reached."""

import base64
import json

import headless_browser
import numpy as np
import pytest
import simulated_calls

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import generated, generated_report, hidden_report, hidden_units, report

pytestmark = pytest.mark.skipif(
    headless_browser.executable() is None, reason="no Chromium on this machine"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    out = tmp_path_factory.mktemp("report")
    found, paths, _ = simulated_calls.discovered()
    path = report.write(str(out), found, paths, Config())
    with headless_browser.Page(f"file://{path}", width=1280, height=900) as page:
        yield page


def test_the_page_runs_without_a_complaint_and_asks_nobody_for_anything(page):
    assert page.complaints() == []
    assert page.hosts_asked() == set()
    found, *_ = simulated_calls.discovered()
    shown = page.evaluate("[...document.querySelectorAll('#sheet h3')].map(h => h.textContent)")
    assert shown == [f"{name}Type {name}" for name in found.type_names]
    assert page.evaluate("document.querySelector('#found li').textContent").startswith(
        f"{len(found.bouts.types):,} calls in 6 of 6 recordings"
    )


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_reaches_beyond_the_page(page, width):
    page.resize(width, 900)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_every_section_has_its_link_and_what_is_not_there_is_hidden(page):
    links = page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash)")
    assert links == ["#summary", "#types", "#map", "#merges", "#songs", "#order", "#groups"]
    assert page.evaluate(
        "[...document.querySelectorAll('nav a')].every(a => "
        "document.querySelector(a.hash + ' h2').textContent == a.textContent)"
    )


def test_calls_of_the_map_are_told_by_keyboard(page):
    page.evaluate("document.getElementById('points').focus()")
    page.press("ArrowRight")
    first = page.evaluate("document.getElementById('one-told').textContent")
    page.press("ArrowDown")
    second = page.evaluate("document.getElementById('one-told').textContent")
    assert first.startswith("Type A, confidence") and second.startswith("Type B, confidence")
    assert page.evaluate("document.getElementById('one-told').ariaLive") == "polite"


def test_what_is_seen_has_a_name_and_what_can_be_done_a_button(page):
    assert page.evaluate(
        "[...document.querySelectorAll('.example canvas')].every(c => c.ariaLabel.includes('type'))"
    )
    names = page.evaluate("[...document.querySelectorAll('.example button')].map(b => b.ariaLabel)")
    assert names[0] == "Play example 1 of type A" and len(set(names)) == len(names)
    tables = page.evaluate(
        "[...document.querySelectorAll('table')].map(t => !!t.caption && "
        "[...t.querySelectorAll('th')].every(h => h.scope))"
    )
    assert len(tables) >= 6 and all(tables)


def test_an_example_is_played(page):
    page.evaluate("document.querySelector('.example button').click()")
    assert page.evaluate(
        "playing.buffer.length > 100 && playing.buffer.getChannelData(0)"
        ".some(x => Math.abs(x) > 0.5)"
    )
    assert page.complaints() == []


def test_letters_stand_out_from_their_colours(page):
    """4.5 to 1, as WCAG 2.2 asks for text of this size, for as many types as there may be."""
    colours = page.evaluate(
        "(() => { const c = document.createElement('canvas').getContext('2d'); return "
        "[...Array(40).keys()].map(i => { c.fillStyle = colour(i); return c.fillStyle; }) })()"
    )
    for colour in colours:
        channels = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
        linear = np.where(
            channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4
        )
        ink = (0x11 / 255 + 0.055) / 1.055
        contrast = (linear @ [0.2126, 0.7152, 0.0722] + 0.05) / (ink**2.4 + 0.05)
        assert contrast >= 4.5, colour


def test_the_map_and_the_bouts_are_drawn(page):
    for name in ("points", "raster", "thumb"):
        data = page.evaluate(f"document.getElementById('{name}').toDataURL()")
        assert len(base64.b64decode(data.split(",")[1])) > 500
    told = json.loads(page.evaluate("JSON.stringify(report.songs.bouts[0].types)"))
    found, *_ = simulated_calls.discovered()
    assert told == found.bouts.sequences[0].tolist()
    letters = page.evaluate("document.querySelector('#letters p').textContent")
    assert letters.endswith("".join(found.type_names[number] for number in told))


@pytest.fixture(scope="module")
def page_of_a_run(tmp_path_factory):
    """The report as it is with a run, whose songs are the bird's own here, and whose units are made
    up: each is on in calls of one type.
    """
    out = tmp_path_factory.mktemp("report_of_a_run")
    found, paths, _ = simulated_calls.discovered()
    rng, types = np.random.default_rng(0), found.bouts.types
    means = 0.8 * (types[:, None] == np.arange(len(found.type_names))) + 0.1 * rng.random(
        (len(types), len(found.type_names))
    )
    readings = hidden_units.Readings(
        means, means, np.tile(found.bouts.onsets_s, (means.shape[1], 1)).T
    )
    of_units = hidden_units.tell(means, types, means.shape[1], found.bouts.recordings)
    units = hidden_units.Units(
        np.arange(len(types)),
        readings,
        of_units,
        of_units,
        rng.normal(size=(65, means.shape[1])),
        np.linspace(0, 8000, 65),
    )
    examples = generated_report.examples(found, paths, Config().audio)
    told = {
        "seconds": 30.0,
        "note": None,
        "compared": generated.compare(found, found),
        "examples": {"real": examples, "generated": examples[:1]},
    }
    parts = {
        "generated": told,
        "hidden": hidden_report.part(found, units, paths, Config().audio),
    }
    path = report.write(str(out), found, paths, Config(), parts)
    with headless_browser.Page(f"file://{path}", width=1280, height=900) as page:
        yield page


def test_generated_songs_are_shown_beside_the_real_ones(page_of_a_run):
    page = page_of_a_run
    assert page.complaints() == [] and page.hosts_asked() == set()
    links = page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash)")
    assert "#generated" in links
    found, *_ = simulated_calls.discovered()
    rows = page.evaluate(
        "[...document.querySelectorAll('#generated-share-table tbody th')].map(h => h.textContent)"
    )
    assert rows == [*found.type_names, "unfamiliar"]
    titles = page.evaluate(
        "[...document.querySelectorAll('#generated-shares title')].map(t => t.textContent)"
    )
    assert len(titles) == len(rows) and titles[0].startswith("A: real ")
    for width in (1280, 400):
        page.resize(width, 900)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.resize(1280, 900)


def test_stretches_of_songs_have_their_letters_and_are_played(page_of_a_run):
    page = page_of_a_run
    names = page.evaluate("[...document.querySelectorAll('.stretch button')].map(b => b.ariaLabel)")
    assert names == ["Play real song 1", "Play real song 2", "Play generated song 1"]
    letters = page.evaluate("document.querySelector('.strip-letters').textContent")
    told = json.loads(page.evaluate("JSON.stringify(sung.examples.real[0].calls)"))
    found, *_ = simulated_calls.discovered()
    assert letters == "".join([*found.type_names, "?"][number] for *_, number in told)
    page.evaluate("document.querySelector('.stretch button').focus()")
    page.press("Enter")
    page.evaluate("document.querySelector('.stretch button').click()")
    assert page.evaluate(
        "playing.buffer.length == new Int16Array(bytesOf("
        "sung.examples.real[0].sound).buffer).length"
    )
    assert page.complaints() == []


def test_the_units_that_tell_most_are_shown_with_what_drives_them(page_of_a_run):
    page = page_of_a_run
    assert "#hidden" in page.evaluate("[...document.querySelectorAll('nav a')].map(a => a.hash)")
    shown = page.evaluate(
        "[...document.querySelectorAll('#hidden-units h4')].map(h => h.textContent)"
    )
    told = json.loads(page.evaluate("JSON.stringify(learned.units.map(u => u.number))"))
    assert shown == [f"Unit {number}" for number in told] and len(shown) >= 5
    # Each picture says what it shows.
    labels = page.evaluate(
        "[...document.querySelectorAll('#hidden [role=img]')].map(e => e.ariaLabel)"
    )
    assert len(labels) == 1 + 6 * len(told) and all(labels)
    found, *_ = simulated_calls.discovered()
    letters = page.evaluate(
        "[...document.querySelectorAll('.driving .letter')].map(e => e.textContent)"
    )
    assert letters[:4] == [found.type_names[told[0]]] * 4
