"""The report's section on speech in a browser: what is odd is told, seen and heard."""

import importlib.util

import headless_browser
import pytest
import simulated_speech

from neurovocal_tf.config import AudioConfig, Config
from neurovocal_tf.discovery import prosody_report, report

pytestmark = [
    pytest.mark.skipif(headless_browser.executable() is None, reason="no Chromium on this machine"),
    pytest.mark.skipif(
        not importlib.util.find_spec("parselmouth"), reason="praat-parselmouth is not installed"
    ),
]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    said, found, paths, _ = simulated_speech.described()
    told = prosody_report.part(said, found, paths, AudioConfig())
    out = str(tmp_path_factory.mktemp("report"))
    path = report.write(out, found, paths, Config(), {"speech": told})
    with headless_browser.Page(f"file://{path}", width=1280, height=900) as page:
        yield page


def test_the_odd_word_is_shown_with_its_reason_and_its_pitch(page):
    item = "document.querySelector('#odd-utterances li')"
    heading = page.evaluate(f"{item}.querySelector('h3').textContent")
    assert heading == f"1. “ai”, bob, {simulated_speech.ODD}, 0.20 s"
    assert page.evaluate(f"{item}.querySelector('p').textContent").startswith("long: length")
    label = page.evaluate(f"{item}.querySelector('canvas').ariaLabel")
    assert "with its pitch from" in label
    assert page.evaluate(f"{item}.querySelector('.pitch').getAttribute('d')").startswith("M")
    page.evaluate(f"{item}.querySelector('button').click()")
    assert page.evaluate("playing.buffer.length") > 4000
    assert page.complaints() == []


def test_each_speaker_has_a_row(page):
    rows = page.evaluate(
        "[...document.querySelectorAll('#speakers tbody th')].map(h => h.textContent)"
    )
    assert rows == sorted(simulated_speech.VOICES)
    assert page.evaluate("[...document.querySelectorAll('nav a')].some(a => a.hash == '#speech')")


@pytest.mark.parametrize("width", [1280, 400])
def test_nothing_of_it_reaches_beyond_the_page(page, width):
    page.resize(width, 900)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
