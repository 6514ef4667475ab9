"""Call types and scores of an archive, recording by recording, beside those of all together."""

import dataclasses

import numpy as np
import pytest

from neurovocal_tf.annotations import Annotation
from neurovocal_tf.archive import calls
from neurovocal_tf.config import Config
from neurovocal_tf.discovery import discover, features, fitted_file, unusual
from neurovocal_tf.runs.trained import load_trained
from neurovocal_tf.segmentation import segmented_file

CONFIG = Config.preset("songbird").replace(n_fft=128, hop_length=64)


@pytest.fixture(scope="module")
def reported(simulated_recordings, tmp_path_factory):
    """Paths and calls by recording, and a folder with the types that were fitted to them."""
    folder = tmp_path_factory.mktemp("report")
    paths = {path.name: str(path) for path in sorted(simulated_recordings.glob("*.wav"))}
    found = {name: segmented_file.segment_file(path, CONFIG) for name, path in paths.items()}
    spans = {
        name: np.stack([one.onsets_s, one.offsets_s], axis=1).round(6)
        for name, one in found.items()
    }
    asked = discover.Asked(CONFIG, features.PRESETS["songbird"])
    fitted_file.save(str(folder), discover.discover(paths, spans, asked).fitted)
    return paths, spans, str(folder)


def segments(name, spans):
    return [Annotation(name, *span, score=1.0) for span in spans.tolist()]


def test_types_are_those_that_discover_gives_with_known_types(reported):
    paths, spans, folder = reported
    fitted = fitted_file.load(folder, "types")
    asked = discover.Asked(CONFIG, features.PRESETS["songbird"], known=fitted)
    together = discover.discover(paths, spans, asked)
    by, notes = calls.judged_by(folder, "", CONFIG, None)
    assert by.columns == ("file", "onset_s", "offset_s", "type", "confidence", "is_familiar")
    judge = calls.Judge(calls.JudgedBy.from_json(by.to_json()), CONFIG)
    rows = [row for name in paths for row in judge.rows(paths[name], segments(name, spans[name]))]
    assert [row[3] for row in rows] == [together.type_names[t] for t in together.bouts.types]
    assert [row[5] for row in rows] == together.is_familiar.astype(int).tolist()
    # Neighbours at the same distance may change places with the size of a product.
    np.testing.assert_allclose([float(row[4]) for row in rows], together.confidences, atol=1.5 / 15)
    assert not notes and judge.rows(paths[rows[0][0]], []) == []


def test_scores_are_those_of_a_run_where_calls_stand_and_usual_ones_are_called_so(
    reported, trained_run, monkeypatch
):
    paths, spans, folder = reported
    # The run holds out a second and a half.
    monkeypatch.setattr("neurovocal_tf.model.usual_calls.MIN_CALLS", 5)
    by, notes = calls.judged_by("", str(trained_run), CONFIG, None)
    assert not notes and by.usual
    judge = calls.Judge(calls.JudgedBy.from_json(by.to_json()), CONFIG)
    name = next(iter(paths))
    rows = judge.rows(paths[name], segments(name, spans[name]))
    expected = unusual.reader(load_trained(trained_run))(paths[name], spans[name])
    at = [by.columns.index(score) for score in ("score", "order_score", "surprise")]
    found = [[float(row[place] or "nan") for place in at] for row in rows]
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    p = [float(row[by.columns.index("p")]) for row in rows if row[at[0]] != ""]
    assert p and min(p) > 0 and max(p) <= 1
    is_unusual = [row[by.columns.index("is_unusual")] for row in rows]
    fired = [row[by.columns.index("fired")] for row in rows]
    assert [bool(x) for x in is_unusual] == [bool(x) for x in fired]
    # What is recorded at a lower rate lacks what the model would judge.
    assert judge._run.cells(paths[name], spans[name], 8000) == [[""] * 6] * len(rows)


def test_what_judges_is_told_apart_by_its_files_and_refused_where_it_cannot(reported, tmp_path):
    _, _, folder = reported
    by, _ = calls.judged_by(folder, "", CONFIG, None)
    fitted = fitted_file.load(folder, "types")
    other = dataclasses.replace(fitted, background=fitted.background + 1)
    fitted_file.save(str(tmp_path), other)
    assert calls.judged_by(str(tmp_path), "", CONFIG, None)[0].digest != by.digest
    speech = dataclasses.replace(fitted, recipe=features.PRESETS["speech"])
    fitted_file.save(str(tmp_path), speech)
    with pytest.raises(ValueError, match="`types` must be call types that stand as they are"):
        calls.judged_by(str(tmp_path), "", CONFIG, None)
