"""Call types as labels along time: found in the recordings that train, told of all."""

import numpy as np
import pytest

from neurovocal_tf.config import Config
from neurovocal_tf.data.simulated_song import write_recordings
from neurovocal_tf.data.survey import survey
from neurovocal_tf.discovery.labels import overlapping
from neurovocal_tf.training.type_tracks import with_types

CONFIG = Config().replace(n_fft=128, hop_length=64, labels="types", validation="temporal")


def test_types_are_told_of_all_calls_and_agree_with_what_was_sung(tmp_path):
    write_recordings(tmp_path, num_recordings=3, duration_s=6.0)
    found = with_types(survey(tmp_path, CONFIG), CONFIG)
    labels = found.training.labels
    assert labels == found.validation.labels and 1 < len(labels) < 12
    assert labels.known[0] == "A" and any("call types, found in" in note for note in found.notes)
    true = survey(tmp_path, CONFIG.replace(labels="annotations")).training.sources
    pairs = []
    for source, other in zip(found.training.sources, true, strict=True):
        spans = np.array([span[:2] for span in source.track])
        names = overlapping(spans, list(other.track))
        pairs += zip([label for *_, label in source.track], names.tolist(), strict=True)
    told = [pair for pair in pairs if all(pair)]
    assert len(told) > 0.8 * len(pairs)
    # Of each type most are of one syllable.
    of_types = {a: [b for x, b in told if x == a] for a, _ in told}
    agreeing = sum(max(map(names.count, names)) for names in of_types.values())
    assert agreeing > 0.9 * len(told)


def test_other_labels_are_left_as_they_are_and_no_call_is_told_in_a_line(tmp_path):
    write_recordings(tmp_path, num_recordings=2, duration_s=1.0)
    found = survey(tmp_path, CONFIG.replace(labels=""))
    assert with_types(found, CONFIG.replace(labels="")) is found
    with pytest.raises(ValueError, match="`labels` must not be types where no call is found") as e:
        with_types(found, CONFIG.replace(min_length_ms=1000, max_length_ms=2000))
    assert "\n" not in str(e.value)
