"""An archive, part by part, into the tables of one run; Apache Beam is needed where it says so."""

import importlib.util
import json
import os
import sys

import numpy as np
import pytest
import soundfile
from annotation_formats import needs_pyarrow
from segmented_folders import tables_in

from neurovocal_tf.archive import begun, calls, catalogue, parts, stores, tables
from neurovocal_tf.archive import work as archive_work
from neurovocal_tf.config import Config
from neurovocal_tf.segmentation.folder import SegmentedFolder

RATE = 16_000
CONFIG = Config().replace(buffer_ms=0.0)
needs_beam = pytest.mark.skipif(
    importlib.util.find_spec("apache_beam") is None,
    reason="Apache Beam is not installed: pip install 'apache-beam>=2.77' (the extra `archive`)",
)


def write_song(path, number):
    """Half a second with two tones, others for each number."""
    times = np.arange(RATE // 2) / RATE
    samples = 1e-3 * np.random.default_rng(number).standard_normal(len(times))
    for onset in (1500, 4000 + 100 * number):
        samples[onset : onset + 1200] += np.sin(6000 * np.pi * times)[:1200]
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.3 * samples, RATE)


@pytest.fixture
def data(tmp_path):
    """Six songs in two folders, a silent and a broken recording, and one without a header."""
    folder = tmp_path / "data"
    for number in range(6):
        write_song(folder / ("day 2" if number % 2 else "") / f"song {number}.wav", number)
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    (folder / "broken.wav").write_bytes(b"RIFF????WAVE")
    (folder / "a.pcm").write_bytes(b"1234")
    return folder


def work_in(out, config=CONFIG):
    return archive_work.Work(str(out), config.to_json())


def do(data, out, size=2, config=CONFIG):
    """Does what is left of an archive in parts of so many recordings, the last part first.

    -> what is known then, and the names of what was done now
    """
    work, found = work_in(out, config), catalogue.of(str(data), str(out))
    out.mkdir(exist_ok=True)
    begun.begin(work)
    known = parts.done(str(out), found.entries, work.settings)
    left = [entry for name, entry in found.entries.items() if name not in known.final]
    worker = archive_work.Worker(work)
    for first in range(0, len(left), size)[::-1]:
        worker.do(parts.Part(tuple(left[first : first + size]), work.settings))
    return parts.done(str(out), found.entries, work.settings), [entry.name for entry in left]


def written(data, out, known, **more):
    found = catalogue.of(str(data), str(out))
    return tables.write(str(out), found, parts.records(str(out), known), **more)


@needs_pyarrow
def test_the_tables_of_an_archive_are_those_of_one_run_byte_for_byte(data, tmp_path):
    whole = SegmentedFolder(data, tmp_path / "whole", CONFIG)
    whole.run(2, lambda num_bytes: None)
    known, _ = do(data, tmp_path / "archive")
    figures, skipped, changed = written(data, tmp_path / "archive", known)
    assert tables_in(tmp_path / "archive") == tables_in(tmp_path / "whole")
    assert figures == whole.figures() and skipped == whole.skipped and not changed
    assert len(skipped) == 3 and figures["num_segments"] == 12
    # It is a folder like any other, in which nothing is left to do.
    again = SegmentedFolder(data, tmp_path / "archive", CONFIG)
    assert again.num_resumed == 6 and not again.changed


def test_a_part_has_one_content_and_is_done_once(data, tmp_path, monkeypatch):
    do(data, tmp_path / "one")
    do(data, tmp_path / "other")
    contents = [
        {path.name: path.read_bytes() for path in (tmp_path / name / "parts").glob("*.jsonl")}
        for name in ("one", "other")
    ]
    assert contents[0].keys() == contents[1].keys() and len(contents[0]) == 4
    for name in contents[0]:
        one, other = (without_times(content[name]) for content in contents)
        assert one == other
    # A lost worker's part that another has done meanwhile.
    work, found = work_in(tmp_path / "one"), catalogue.of(str(data), str(tmp_path / "one"))
    monkeypatch.setattr(archive_work, "segment_file", lambda *given, **more: pytest.fail("again"))
    archive_work.Worker(work).do(parts.Part(tuple(found.entries.values())[:2], work.settings))


def without_times(content):
    """The lines of a part, without when recordings were looked at."""
    head, *records = [json.loads(line) for line in content.decode().splitlines()]
    for *_, rows in records:
        for row in rows.get("recordings.csv", ()):
            row[3] = 0
    return head, records


@needs_pyarrow
def test_what_has_come_since_and_what_is_another_recording_is_done_and_nothing_else(data, tmp_path):
    do(data, tmp_path / "out")
    write_song(data / "b" / "new.wav", 9)
    write_song(data / "song 0.wav", 10)
    os.utime(data / "song 0.wav", (1, 1))
    (data / "silent.wav").unlink()
    known, now = do(data, tmp_path / "out")
    assert now == ["b/new.wav", "song 0.wav"]
    names = [record.name for record in parts.records(str(tmp_path / "out"), known)]
    # Of two files whose names go in between one another.
    assert names == sorted(names) and len(names) == len(set(names)) == 8
    written(data, tmp_path / "out", known)
    whole = SegmentedFolder(data, tmp_path / "whole", CONFIG)
    whole.run(1, lambda num_bytes: None)
    assert tables_in(tmp_path / "out") == tables_in(tmp_path / "whole")


# One of a part, and all of one, whose file has the same name again.
@pytest.mark.parametrize("failing_name, num_failing", [("song 2", 1), ("", 8)])
def test_where_the_disk_has_failed_a_recording_is_done_again(
    failing_name, num_failing, data, tmp_path, monkeypatch
):
    segment_file = archive_work.segment_file

    def failing(path, *given, **more):
        if failing_name in path:
            raise OSError(5, "Input/output error")
        return segment_file(path, *given, **more)

    monkeypatch.setattr(archive_work, "segment_file", failing)
    known, _ = do(data, tmp_path / "out")
    reasons = {r.name: r.skipped for r in parts.records(str(tmp_path / "out"), known)}
    assert reasons["song 2.wav"] == "cannot be opened: Input/output error"
    monkeypatch.setattr(archive_work, "segment_file", segment_file)
    known, now = do(data, tmp_path / "out")
    assert "song 2.wav" in now and len(now) == num_failing
    records = {r.name: r for r in parts.records(str(tmp_path / "out"), known)}
    assert len(records) == 8 and not records["song 2.wav"].skipped


def test_what_is_usual_is_of_one_run_whatever_the_last_bits_of_its_numbers(tmp_path):
    def settings(usual, digest="run"):
        by = calls.JudgedBy("", "/run", digest, usual)
        return archive_work.Work("", CONFIG.to_json(), "", by.to_json()).settings

    usual, nearly = {"held_out": [[1.0], [2.0]]}, {"held_out": [[1.0], [np.nextafter(2.0, 3)]]}
    assert settings(usual) == settings(nearly)
    others = [settings(None), settings({"held_out": [[1.0]]}), settings(usual, "other")]
    assert len({settings(usual), *others}) == 4


def test_a_folder_goes_on_with_what_it_was_begun_with_before_any_part_is_done(tmp_path):
    begun.begin(work_in(tmp_path))
    begun.begin(work_in(tmp_path, CONFIG.replace(cache_mb=1)))
    with pytest.raises(ValueError, match="`threshold` must be .*, with which .* was begun"):
        begun.begin(work_in(tmp_path, CONFIG.replace(threshold=9.0)))
    (tmp_path / "calls.csv").touch()
    with pytest.raises(
        ValueError, match="`types` or `workdir` must be given, by which .*calls.csv"
    ):
        begun.begin(work_in(tmp_path))


def test_other_settings_are_other_parts_and_a_part_that_is_none_is_named(data, tmp_path):
    do(data, tmp_path / "out")
    other = CONFIG.replace(threshold=9.0)
    found = catalogue.of(str(data), str(tmp_path / "out"))
    assert not parts.done(str(tmp_path / "out"), found.entries, work_in("", other).settings).files
    # How much is kept in memory changes nothing.
    same = work_in("elsewhere", CONFIG.replace(cache_mb=1))
    assert same.settings == work_in(tmp_path / "out").settings
    path = next((tmp_path / "out" / "parts").glob("*.jsonl"))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.rindex(b"\n", 0, -1) + 1])
    known = parts.done(str(tmp_path / "out"), found.entries, same.settings)
    with pytest.raises(ValueError, match=f"{path} must be a part that is whole: remove it"):
        list(parts.records(str(tmp_path / "out"), known))
    path.write_bytes(whole[:50])
    with pytest.raises(ValueError, match=f"{path} must be a part that is whole: remove it"):
        parts.done(str(tmp_path / "out"), found.entries, same.settings)


@needs_pyarrow
def test_tables_that_people_have_changed_are_kept_under_another_name(data, tmp_path):
    known, _ = do(data, tmp_path / "out")
    written(data, tmp_path / "out", known)
    table = tmp_path / "out" / "annotations.csv"
    by_hand = table.read_text(encoding="utf-8").replace(",,", ",call,")
    table.write_text(by_hand, encoding="utf-8")
    *_, changed = written(data, tmp_path / "out", known)
    assert changed == [f"{table}, which is annotations_changed.csv now"]
    assert table.with_name("annotations_changed.csv").read_text(encoding="utf-8") == by_hand


@pytest.mark.parametrize(
    ("folder", "path", "place"),
    [
        ("gs://b/out", "gs://b/data/a.wav", "../data/a.wav"),
        ("gs://b/data/out", "gs://b/data/a b.wav", "../a b.wav"),
        ("gs://other/out", "gs://b/data/a.wav", "gs://b/data/a.wav"),
        ("s3://b/out", "gs://b/a.wav", "gs://b/a.wav"),
        ("/out", "gs://b/a.wav", "gs://b/a.wav"),
        ("gs://b/out", "/data/a.wav", "/data/a.wav"),
        ("hdfs:///runs/out", "hdfs:///data/a.wav", "../../data/a.wav"),
    ],
)
def test_a_table_leads_to_a_recording_within_a_store_and_names_all_of_it_elsewhere(
    folder, path, place
):
    assert stores.place_in(folder, path) == place


def test_without_apache_beam_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(ValueError, match="an archive needs Apache Beam: pip install") as caught:
        stores.check_installed()
    assert "\n" not in str(caught.value)


@needs_beam
def test_a_pipeline_reads_and_writes_a_store_and_goes_on_with_what_has_failed(
    data, tmp_path, monkeypatch
):
    import memory_store

    from neurovocal_tf.archive import pipeline

    (tmp_path / "store").mkdir()
    monkeypatch.setenv(memory_store.VARIABLE, str(tmp_path / "store"))
    for path in data.rglob("*.*"):
        name = path.relative_to(data).as_posix()
        memory_store.put(f"mem://bucket/data/{name}", path.read_bytes())
    memory_store.put("mem://bucket/data/unreachable.wav", b"RIFF")
    memory_store.put("mem://bucket/data/.hidden/a.wav", b"RIFF")
    memory_store.put("mem://bucket/data/notes.txt", b"none")
    out = "mem://bucket/out"
    found = catalogue.of("mem://bucket/data", out)
    work = work_in(out)
    pipeline.connect([])
    begun.begin(work)
    flags = ["--runner=FnApiRunner"]
    pipeline.run(parts.planned([*found.entries.values()], work.settings), work, flags)
    known = parts.done(out, found.entries, work.settings)
    assert found.entries.keys() - known.final == {"unreachable.wav"}
    _, skipped, _ = tables.write(out, found, parts.records(out, known))
    reason = skipped.pop("unreachable.wav")
    assert reason == "cannot be fetched: 503: the store is busy"
    whole = SegmentedFolder(data, tmp_path / "data" / ".." / "whole", CONFIG)
    whole.run(1, lambda num_bytes: None)
    assert skipped == whole.skipped
    for name in ("annotations.csv", "files.csv", "dropped.csv"):
        # A folder beside that of the data, as there.
        assert stores.read_bytes(f"{out}/{name}") == (tmp_path / "whole" / name).read_bytes()
    with stores.local_folder(out) as here:
        assert {"annotations.parquet", "config.json", "written.csv"} <= {*os.listdir(here)}


@needs_beam
def test_flags_and_runners_that_are_none_are_told_in_one_line(tmp_path):
    from neurovocal_tf.archive import pipeline

    with pytest.raises(ValueError, match="`beam` must be Beam's own flags: argument --direct_run"):
        pipeline.connect(["--direct_running_mode=fast"])
    for flag in ("--runer=FlinkRunner", "runner=FlinkRunner", "-runner=FlinkRunner"):
        with pytest.raises(ValueError, match=f"Beam's own flags, and {flag} is none"):
            pipeline.connect([flag])
    pipeline.connect([])
    assert not pipeline.is_local(["--runner=FastRunner"])
    with pytest.raises(ValueError, match="FastRunner") as caught:
        pipeline.run([], work_in(tmp_path), ["--runner=FastRunner"])
    assert "\n" not in str(caught.value)
    if importlib.util.find_spec("apitools") is None:
        with pytest.raises(ValueError, match=r"Dataflow, whose .* 'apache-beam\[gcp\]'"):
            pipeline.connect(["--runner=DataflowRunner"])
    assert pipeline.is_local([]) and pipeline.is_local(["--runner=directrunner"])


@needs_beam
@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("gs://b/a", "gs:// is none: pip install 'apache-beam[gcp]' brings its client"),
        ("s3://b/a", "s3:// is none: pip install 'apache-beam[aws]' brings its client"),
        ("ftp://b/a", "ftp:// is none: Beam reads gs://, s3://, hdfs://, azfs:// and local"),
    ],
)
def test_a_store_without_a_client_is_told_in_one_line(place, told):
    with pytest.raises(ValueError, match="`out` must be a place that can be read") as caught:
        stores.check(place, "out")
    assert told in str(caught.value)
