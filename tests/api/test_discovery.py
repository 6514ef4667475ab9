"""Call types, their order and who sings, as tables."""

import csv
import os

import numpy as np
import pandas as pd
import pytest
import simulated_birds

import neurovocal_tf as nv
from neurovocal_tf.discovery import stability

QUIET = {"progress": False, "min_group_segments": 1}


@pytest.fixture(scope="module", autouse=True)
def few_refits():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stability, "NUM_REFITS", 2)
        yield


@pytest.fixture(scope="module")
def birds(tmp_path_factory):
    """Folder, and dict of name -> who sings."""
    folder = tmp_path_factory.mktemp("birds")
    _, _, who = simulated_birds.write(folder, count=3, duration_s=2.5)
    return folder, who


@pytest.fixture(scope="module")
def found(birds):
    folder, who = birds
    named = {name: bird for name, bird in who.items() if name != "cid_song_2.wav"}
    groups = {name: "first" if "_0" in name else "later" for name in who}
    return nv.discover(folder, individuals=named, groups=groups, **QUIET)


def test_calls_are_those_of_segment_with_their_types(found, birds):
    table = nv.segment(birds[0], **QUIET)
    expected = table[["file", "onset_s", "offset_s"]]
    pd.testing.assert_frame_equal(found.calls[["file", "onset_s", "offset_s"]], expected)
    assert set(found.calls["type"]) == set(found.types["type"])
    assert (
        found.types["num_calls"].sum()
        == len(table)
        == found.transitions.to_numpy().sum() + (found.calls["bout"].max())
    )
    assert set(found.calls["group"]) == {"first", "later"}
    assert found.syntax["types"] == list(found.types["type"]) and "valley" in found.merges
    assert "calls in 9 of 9 recordings" in found.summary[0] and found.caveats


def test_who_sings_is_told_of_files_without_a_name(found, birds):
    told = found.identity.set_index("file")["answer"]
    assert told[str(birds[0] / "cid_song_2.wav")] == "cid"
    assert found.identity_figures["units"]["call"]["accuracy"] > 0.8
    assert found.identity["given"].tolist().count("") == 1


def test_what_is_written_is_what_the_tables_say(found, tmp_path):
    page = found.write(tmp_path / "out")
    assert os.path.basename(page) == "report.html"
    with open(tmp_path / "out" / "calls.csv", newline="", encoding="utf-8") as file:
        types = [row["type"] for row in csv.DictReader(file)]
    assert types == found.calls["type"].tolist()
    alone = found.report(tmp_path / "alone" / "finch.html")
    assert os.listdir(tmp_path / "alone") == ["finch.html"]
    assert open(alone, "rb").read() == open(page, "rb").read()  # noqa: SIM115


def test_new_calls_get_saved_types_and_known_ones_their_own(found, birds, tmp_path):
    found.save(tmp_path)
    table = nv.segment(birds[0] / "ada_song_0.wav", **QUIET)
    by_folder = nv.call_types(table[::-1], types=tmp_path, progress=False)
    again = found.assign(table)
    assert by_folder["type"].tolist()[::-1] == again["type"].tolist()
    own = found.calls[found.calls["file"].str.endswith("ada_song_0.wav")]
    assert np.mean(again["type"].to_numpy() == own["type"].to_numpy()) > 0.8
    assert list(by_folder.index) == list(table.index[::-1]) and by_folder.attrs["caveats"]


def test_samples_have_the_types_of_their_file(birds):
    path = birds[0] / "bob_song_1.wav"
    samples, rate = nv.load(path)
    of_file = nv.call_types(path, **QUIET)
    of_samples = nv.call_types(samples, rate=rate, **QUIET)
    assert set(of_samples["file"]) == {""}
    pd.testing.assert_frame_equal(of_samples.drop(columns="file"), of_file.drop(columns="file"))


def test_individuals_are_told_by_any_features(found, birds, rng):
    _, who = birds
    table = found.calls.sample(frac=1, random_state=0)
    bird = table["file"].map(lambda file: who[os.path.basename(file)])
    means = {name: 4 * rng.standard_normal(6) for name in sorted(set(who.values()))}
    points = np.stack([means[name] for name in bird]) + rng.standard_normal((len(table), 6))
    told = nv.identify(table, who, features=points, **QUIET)
    assert (told["answer"] == told["given"]).all() and len(told) == 9
    assert told.attrs["figures"]["units"]["song"]["accuracy"] == 1
    noise = nv.identify(table, who, features=rng.standard_normal((len(table), 6)), **QUIET)
    assert noise.attrs["figures"]["by_chance"]["p_value"] > 0.05


def test_accepted_merges_join_types(found):
    first, second = found.types["type"][:2]
    joined = nv.discover(found.calls, types=found, accepted=[(first, second)], progress=False)
    assert len(joined.types) == len(found.types) - 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"types": 3}, "`types` must be a folder with call_types.json"),
        ({"types": "/nowhere"}, "`types` must be a folder with call_types.json"),
        ({"accepted": ["AB"]}, "`accepted` must be a merges.csv, or pairs"),
        ({"accepted": [("A", "QQ")]}, "`merges` must name call types that were found"),
        ({"groups": ["day"]}, "`groups` must be a dict of file"),
        ({"individuals": {"none.wav": "a"}}, "`individuals` must name files of the recordings"),
        ({"individuals": {"ada_song_0.wav": "a"}}, "`individuals` must name two at least"),
        ({"measured_as": "frog"}, "`measured_as` must be one of songbird"),
        ({"rate": 16_000}, "`rate` must be left out"),
        ({"epochs": 3}, "`epochs` is neither an argument nor a setting"),
        ({"threshold": 200.0}, "`threshold`|`recordings` must have calls"),
        ({"annotations": "/nowhere"}, "`annotations` must be"),
        ({"seed": -1}, "`seed` must be a whole number"),
    ],
)
def test_what_is_wrong_names_its_argument(birds, arguments, told):
    with pytest.raises(ValueError, match=told):
        nv.discover([birds[0] / "ada_song_0.wav"], **(QUIET | arguments))


def test_a_table_of_stretches_that_are_none_is_refused(birds):
    file = str(birds[0] / "ada_song_0.wav")
    for onset_s, offset_s in ((1.0, 0.5), (0.1, 99.0), (np.nan, 1.0)):
        table = pd.DataFrame({"file": [file], "onset_s": onset_s, "offset_s": offset_s})
        with pytest.raises(ValueError, match="`recordings` must hold stretches within their files"):
            nv.call_types(table)
    with pytest.raises(ValueError, match=r"`features` must be finite numbers \[1, P\]"):
        table = pd.DataFrame({"file": [file], "onset_s": [0.1], "offset_s": [0.2]})
        nv.identify(table, {file: "a"}, features=np.zeros((2, 3)))
