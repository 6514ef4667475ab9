"""The page to try a model, in headless Chromium:
it sings, plays and listens, and asks nobody but its own server.
"""

import html
import re

import headless_browser
import numpy as np
import pytest
import tensorflow as tf

from neurovocal_tf.audio import wav
from neurovocal_tf.server import page_policy
from neurovocal_tf.status import DESCRIPTIONS


@pytest.fixture(scope="module")
def page(model_server):
    if headless_browser.executable() is None:
        pytest.skip(
            "there is no Chromium on this machine: chromium, chromium-browser or google-chrome"
        )
    with headless_browser.Page(f"http://127.0.0.1:{model_server.rest}/?model=bird") as page:
        page.wait_for("!element('start').disabled")
        yield page


def drop(page, path):
    page.evaluate("element('recording-told').textContent = ''")
    page.choose_file("#file", path)
    page.wait_for(
        "element('statuses').tBodies[0].rows.length == 2 && element('recording-told').textContent "
        "!= 'listening …'"
    )


def test_the_page_explains_every_status_and_asks_for_nothing_from_elsewhere():
    text = html.unescape(page_policy.PAGE.read_text(encoding="utf-8"))
    for code, words in DESCRIPTIONS.items():
        assert f'{int(code)}: "{words}"' in text
    assert "http://" not in text and "https://" not in text
    # What the policy of its answer does not let through.
    assert " style=" not in text and not re.search(r"\son[a-z]+=", text)


def test_it_sings_the_song_of_the_endpoints_block_by_block_and_its_sound_joins(page, endpoints):
    page.evaluate("element('length').value = 0.5; element('seed').value = 5; tell()")
    assert "125 frames" in page.evaluate("element('length-told').textContent")
    page.evaluate("element('start').click()")
    page.wait_for("singing === null && song && song.frames.length == 125")
    assert page.evaluate("element('song-error').textContent") == ""
    expected = endpoints.generate(
        tf.constant([5], tf.int64), tf.constant([40]), tf.constant([1.0])
    )["spectrogram"][0].numpy()
    np.testing.assert_array_equal(np.float32(page.evaluate("song.frames.slice(0, 40)")), expected)
    assert page.evaluate("song.parts.reduce((sum, part) => sum + part.length, 0)") == 124 * 64 + 128
    assert page.evaluate("song.parts.length") > 3
    # Something was drawn where the song is: not all of one colour.
    colours = "new Set(element('song').getContext('2d').getImageData(200, 100, 300, 1).data).size"
    assert page.evaluate(colours) > 5
    num_bytes = page.evaluate(
        "wavFile(song.parts, song.rate).arrayBuffer().then(bytes => bytes.byteLength)"
    )
    assert num_bytes == 44 + 2 * (124 * 64 + 128) and page.evaluate(
        "element('save').href"
    ).startswith("blob:")


def test_what_it_sang_plays_and_ends(page):
    page.wait_for("singing === null && song")
    page.evaluate("element('play').click()")
    assert (
        page.evaluate("player.isPlaying")
        and page.evaluate("element('play').textContent") == "Stop playing"
    )
    page.wait_for("!player.isPlaying")
    assert page.evaluate("element('play').textContent") == "Play"


def test_it_shows_segments_and_surprise_of_a_recording_and_says_why_there_are_none(
    page, endpoints, tmp_path
):
    rng = np.random.default_rng(4)
    samples = np.concatenate([np.zeros(300), rng.uniform(-0.5, 0.5, 900), np.zeros(300)]).astype(
        np.float32
    )
    (tmp_path / "call.wav").write_bytes(wav.encode(samples, 16_000).numpy())
    drop(page, tmp_path / "call.wav")
    contents = tf.constant([(tmp_path / "call.wav").read_bytes()])
    segments, scores = endpoints.segment_audio(contents), endpoints.score_audio(contents)
    np.testing.assert_allclose(
        page.evaluate("recording.segments.map(pair => pair[0])"),
        segments["onsets"][0].numpy() / 16_000,
    )
    surprise = np.array(page.evaluate("recording.surprise"))
    np.testing.assert_allclose(surprise[:, 1], scores["frame_surprise"][0].numpy(), rtol=1e-6)
    np.testing.assert_allclose(surprise[:, 0], (scores["frame_onsets"][0].numpy() + 64) / 16_000)
    assert "usual" in page.evaluate("element('scores').innerText")
    page.wait_for("!element('calls').hidden")
    assert page.evaluate("recording.calls.length") == len(segments["onsets"][0])
    page.evaluate("element('call-list').querySelector('button').click()")
    assert page.evaluate("recording.shown") == 0
    assert (
        page.evaluate("element('call-list').querySelector('button').getAttribute('aria-pressed')")
        == "true"
    )
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    drop(page, tmp_path / "broken.wav")
    assert (
        page.evaluate("element('statuses').innerText").count(
            "not a WAV file, or one without samples"
        )
        == 2
    )
    assert page.evaluate("element('scores').hidden && element('recording').hidden")


def test_errors_are_shown_in_the_servers_words_and_nothing_was_asked_of_others(page, model_server):
    page.evaluate(
        "element('model').value = 'cat'; element('model').dispatchEvent(new Event('change'))"
    )
    page.wait_for("element('song-error').textContent != ''")
    assert "404" in page.evaluate("element('song-error').textContent") and page.evaluate(
        "element('start').disabled"
    )
    page.evaluate(
        "element('model').value = 'bird'; element('model').dispatchEvent(new Event('change'))"
    )
    page.wait_for("!element('start').disabled")
    assert page.hosts_asked() == {f"127.0.0.1:{model_server.rest}"}
    # The answer 404 to the name of no model is all that the browser had to complain of.
    assert [complaint for complaint in page.complaints() if "404" not in complaint] == []
