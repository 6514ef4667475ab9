"""Annotated segments as what cuts sequences and labels frames."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import reference

from neurovocal_tf.annotations import Annotation, segments

several = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 8), st.sampled_from("abc")).map(
        lambda s: (s[0], s[0] + s[1], s[2])
    ),
    max_size=8,
).map(lambda some: tuple(sorted(some, key=lambda s: s[:2])))


@hypothesis.given(some=several)
@hypothesis.settings(max_examples=60, deadline=None)
def test_the_label_at_a_time_is_that_of_the_segment_last_begun(some):
    times = np.arange(-1, 30, 0.5)
    found = segments.labels_at(times, *segments.label_changes(some)).numpy()
    assert [label.decode() for label in found] == [
        reference.label_at(time_s, some) for time_s in times
    ]


@hypothesis.given(some=several)
@hypothesis.settings(max_examples=60, deadline=None)
def test_what_cuts_bouts_covers_what_the_segments_cover_without_overlap(some):
    cuts = segments.cuts(some, "bout")
    times = np.arange(0, 30) + 0.5
    covered = [any(onset <= time_s < offset for onset, offset in cuts) for time_s in times]
    assert covered == [
        any(onset <= time_s < offset for onset, offset, _ in some) for time_s in times
    ]
    assert np.all(cuts[1:, 0] > cuts[:-1, 1])
    for sequence in ("segment", "packed"):
        assert segments.cuts(some, sequence).tolist() == [
            [onset, offset] for onset, offset, _ in some
        ]


def test_segments_are_rounded_to_samples_and_cut_off_at_the_ends_of_a_stretch():
    times_s = np.array([[0.0, 0.1], [0.15, 0.35], [0.30004, 0.4], [0.9, 1.2], [1.5, 2.0]])
    onsets, offsets = segments.in_samples(times_s, 1000, 200, 800)
    assert (onsets.numpy().tolist(), offsets.numpy().tolist()) == ([0, 100, 700], [150, 200, 800])
    assert segments.in_samples(np.empty((0, 2)), 1000, 0, 800)[0].shape == [0]


def test_a_channel_has_its_own_annotations_and_those_that_name_none():
    some = [
        Annotation("a.wav", i, i + 1, str(channel), channel)
        for i, channel in enumerate((None, 0, 1))
    ]
    assert segments.of(some, "1") == ((0, 1, "None"), (2, 3, "1"))
    assert len(segments.of(some, "mean")) == len(segments.of(some, "loudest")) == 3
