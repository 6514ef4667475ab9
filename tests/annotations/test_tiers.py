"""TextGrids with several tiers, of intervals and of points."""

from neurovocal_tf import annotations
from neurovocal_tf.annotations import Annotation, textgrid


def test_each_tier_is_read_back_by_its_name_and_points_are_passed_over(tmp_path):
    path = tmp_path / "a.TextGrid"
    tiers = {
        "words": [Annotation("", 0.5, 1.0, 'say "so"'), Annotation("", 0.8, 1.2, "over")],
        "f0": [textgrid.Point(0.55, "120.0"), textgrid.Point(0.6, "121.5")],
        "score": [],
    }
    textgrid.write_tiers(path, tiers, 2.0)
    text = path.read_text(encoding="utf-8")
    assert "size = 4" in text and text.count('"TextTier"') == 1
    # What overlaps has a tier beside its own.
    assert [a.label for a in annotations.read(path, tier="words")] == ['say "so"']
    assert [a.label for a in annotations.read(path, tier="words 2")] == ["over"]
    assert annotations.read(path, tier="score") == []
    assert len(annotations.read(path)) == 2
