"""Unusual calls of the simulated bird, by a small run: what is read, judged, told and shown."""

import csv
import dataclasses
import json

import headless_browser
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from neurovocal_tf.config import Config
from neurovocal_tf.discovery import discover, features, report, unusual, unusual_report
from neurovocal_tf.discovery.unusual import NAMES
from neurovocal_tf.model import scoring
from neurovocal_tf.runs.run_folder import RunFolder
from neurovocal_tf.segmentation import detector

CONFIG = Config.preset("songbird").replace(n_fft=128, hop_length=64)


@dataclasses.dataclass
class Judged:
    """A `Discovery` of the run's recordings, one of which has a call of noise, and its verdict."""

    found: discover.Discovery
    paths: dict
    run: unusual.Run
    asked: discover.Asked
    unusual: unusual.Unusual
    odd_s: float


@pytest.fixture(scope="module")
def judged(trained_run, simulated_recordings, tmp_path_factory):
    folder = tmp_path_factory.mktemp("odd")
    data = RunFolder(trained_run).data()
    asked = discover.Asked(CONFIG, features.PRESETS["songbird"])
    paths = {path.name: str(path) for path in sorted(simulated_recordings.glob("*.wav"))}
    spans = {name: spans_of(path) for name, path in paths.items()}
    trained = next(name for name in paths if name == data.training[0].path)
    # A call of noise in a copy of a recording: nothing of the copy was held out.
    samples, rate = soundfile.read(paths[trained])
    onset, offset = np.rint(spans[trained][2] * rate).astype(int)
    loudness = np.sqrt(np.mean(samples[onset:offset] ** 2))
    noise = np.random.default_rng(3).normal(size=offset - onset) * loudness
    samples[onset:offset] = np.clip(noise, -1, 1)
    paths["odd.wav"] = str(folder / "odd.wav")
    soundfile.write(paths["odd.wav"], samples, rate)
    spans["odd.wav"] = spans[trained]
    found = discover.discover(paths, spans, asked)
    with pytest.MonkeyPatch.context() as patch:
        # The run holds out a second and a half.
        patch.setattr("neurovocal_tf.model.usual_calls.MIN_CALLS", 5)
        run = unusual.load(trained_run, list(paths.values()), asked, str(simulated_recordings))
        verdict = unusual.judge(found, paths, run, asked)
        yield Judged(found, paths, run, asked, verdict, spans[trained][2][0])


def spans_of(path):
    samples, rate = soundfile.read(path, dtype="float32")
    return np.stack(detector.detect(samples, rate, CONFIG.segmentation)[:2], axis=1) / rate


def test_calls_are_read_in_the_context_of_their_bout(judged):
    """A bout read alone gives what its whole sequence gives, frame by frame."""
    trained, name = judged.run.trained, "odd.wav"
    own = judged.found.bouts.recordings == judged.found.names.index(name)
    spans = np.stack([judged.found.bouts.onsets_s[own], judged.found.bouts.offsets_s[own]], axis=1)
    samples, rate = soundfile.read(judged.paths[name], dtype="float32")
    score = tf.function(
        lambda *given: scoring.score_calls(trained.model, *given, 3), autograph=False
    )
    expected = unusual.scores_in(samples, np.rint(spans * rate), trained, score)
    # The same frames; sums of float32 in another order.
    np.testing.assert_allclose(judged.unusual.values[own, :3], expected, rtol=1e-3, atol=1e-4)


def test_noise_among_calls_is_unusual_and_the_score_that_says_so_is_named(judged):
    found, verdict = judged.found, judged.unusual
    odd = np.flatnonzero(
        (found.bouts.recordings == found.names.index("odd.wav"))
        & (np.abs(found.bouts.onsets_s - judged.odd_s) < 1e-3)
    )[0]
    assert verdict.is_unusual[odd] and verdict.ranked[0] == odd
    # Nothing held out counts as much against itself.
    assert verdict.p[odd] == pytest.approx(1 / (verdict.usual.num_calls + 1))
    reason = unusual_report.reason(found, verdict, odd)
    assert reason.startswith(f"{NAMES[verdict.fired[odd]]}: ") and "spreads from" in reason
    assert verdict.is_held_out.sum() == verdict.usual.num_calls


def test_held_out_recordings_elsewhere_teach_the_same(judged, monkeypatch):
    """Without the held-out recording among those of the report it is segmented as they were."""
    held = {source.path for source in judged.run.held_out}
    paths = {name: path for name, path in judged.paths.items() if path not in held}
    found = discover.discover(paths, {name: spans_of(paths[name]) for name in paths}, judged.asked)
    verdict = unusual.judge(found, paths, judged.run, judged.asked)
    assert not verdict.is_held_out.any()
    assert verdict.usual.num_calls == judged.unusual.usual.num_calls


def test_shares_have_intervals_where_there_are_calls_enough(judged):
    few, many = unusual._share(np.zeros(4, bool)), unusual._share(np.arange(40) < 2)
    assert (few.low, few.high) == (None, None)
    # Clopper and Pearson, 1934.
    assert (many.low, many.high) == (
        pytest.approx(0.00611, abs=1e-5),
        pytest.approx(0.16920, abs=1e-5),
    )
    assert [share.num_calls for share in judged.unusual.shares] == [
        np.sum(judged.found.bouts.recordings == number) for number in range(len(judged.found.names))
    ]


def test_too_few_held_out_calls_call_nothing_unusual(judged, monkeypatch):
    monkeypatch.setattr("neurovocal_tf.model.usual_calls.MIN_CALLS", 10_000)
    verdict = unusual.judge(judged.found, judged.paths, judged.run, judged.asked)
    assert not verdict.is_unusual.any() and np.isnan(verdict.p).all()
    assert "fewer than 10000: no call is called unusual" in verdict.caveats[0]
    assert "too few" in unusual_report.summary(verdict)


def test_the_table_has_a_row_for_each_call(judged, tmp_path):
    assert unusual_report.write(str(tmp_path), judged.found, judged.unusual) == []
    with open(tmp_path / "unusual.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(judged.unusual.p)
    odd = [row for row in rows if row["is_unusual"] == "1"]
    assert len(odd) == judged.unusual.is_unusual.sum() and all(row["fired"] in NAMES for row in odd)
    (tmp_path / "unusual.csv").write_text("mine")
    assert unusual_report.write(str(tmp_path), judged.found, judged.unusual) == ["unusual.csv"]


def test_a_run_that_cannot_judge_these_recordings_is_told_in_a_line(
    judged, trained_run, simulated_recordings, tmp_path
):
    paths = list(judged.paths.values())

    def load(workdir=trained_run, asked=judged.asked, data_dir=simulated_recordings):
        return unusual.load(workdir, paths, asked, data_dir)

    with pytest.raises(ValueError, match="`workdir` must be a folder that `neurovocal train`"):
        load(tmp_path)
    at_8k = dataclasses.replace(judged.asked, config=CONFIG.replace(sample_rate=8000))
    with pytest.raises(ValueError, match="run of the recordings' rate, 8000 Hz, and this one is"):
        load(asked=at_8k)
    slow = dataclasses.replace(judged.asked, config=CONFIG.replace(time_expansion=10))
    with pytest.raises(ValueError, match="Received"):
        load(asked=slow)


def test_the_page_shows_unusual_calls_in_context(judged, tmp_path):
    if headless_browser.executable() is None:
        pytest.skip("no Chromium on this machine")
    told = unusual_report.part(judged.found, judged.unusual, judged.paths, CONFIG.audio)
    json.dumps(told, allow_nan=False)
    path = report.write(str(tmp_path), judged.found, judged.paths, CONFIG, parts={"unusual": told})
    with headless_browser.Page(f"file://{path}", width=1280, height=900) as page:
        assert page.complaints() == []
        assert page.evaluate(
            "[...document.querySelectorAll('nav a')].some(a => a.hash == '#unusual')"
        )
        first = "document.querySelector('#odd-calls li')"
        assert "odd.wav" in page.evaluate(f"{first}.querySelector('h3').textContent")
        assert "spreads from" in page.evaluate(f"{first}.querySelector('p').textContent")
        left, width = (
            float(page.evaluate(f"{first}.querySelector('.call').style.{side}").rstrip("%"))
            for side in ("left", "width")
        )
        call = told["calls"][0]
        assert left == pytest.approx(100 * call["begin"] / call["seconds"], abs=0.01)
        assert 0 < width < 100
        for button, seconds in ((1, call["seconds"]), (2, call["end"] - call["begin"])):
            page.evaluate(f"{first}.querySelector('button:nth-child({button})').click()")
            assert page.evaluate("playing.buffer.duration") == pytest.approx(seconds, abs=0.01)
        for size in (1280, 400):
            page.resize(size, 900)
            assert page.evaluate("document.documentElement.scrollWidth") <= size
