r"""A model of several voices, trained, exported, served and asked: each voice by the tool, the
export, the server by REST and gRPC, and the client in blocks is the same song bit for bit, and no
row's voice depends on what is beside it.

    PYTHONPATH=tests/support python tests/campaigns/conditions_served.py

Prints a tally, and exits with 1 on a difference.
"""

import pathlib
import sys
import tempfile

import numpy as np
import running_server
import tiny_runs

from neurovocal_tf import Client, load_model
from neurovocal_tf.server import exactness, page_policy
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.versions import Versions
from neurovocal_tf.status import Status

_NUM_FRAMES = 90


def _voices(folder):
    """A model of four recordings, each of a voice of its own."""
    recordings = tiny_runs.recordings_in(folder, 5)
    run = tiny_runs.trained_in(folder, recordings, condition_from="name_part:2", unknown_share=0.3)
    return load_model(run)


def _differences(model, folder):
    """Yields (what was asked, whether it differs)."""
    export = pathlib.Path(model.export(folder / "models", max_frames=200))
    known = model.model.conditions
    again = load_model(export)
    assert again.model.conditions == known
    songs = {
        text: model.generate(1, _NUM_FRAMES, condition=text or None, progress=False)[0].decibels
        for text in (*known.texts, "name_part=unknown")
    }
    yield (
        "the unknown is what is not named",
        not np.array_equal(songs[""], songs["name_part=unknown"]),
    )
    yield "voices are alike", len({song.tobytes() for song in songs.values()}) != len(known.texts)
    for text, song in songs.items():
        other = again.generate(1, _NUM_FRAMES, condition=text or None, progress=False)[0].decibels
        yield f"{text} from its export", not np.array_equal(other, song)
    found = exactness.compare(export, exactness.Load(24, 1, 160))
    yield f"{found.num_together} songs sung with others", found.num_different > 0
    versions = Versions(export.parent)
    versions.refresh()
    with running_server.running(versions, "voices", page_policy.PAGE, Limits()) as ports:
        for server in (f"http://127.0.0.1:{ports.rest}", f"grpc://127.0.0.1:{ports.grpc}"):
            with Client(server, "voices") as client:
                for text, song in songs.items():
                    client.condition = text
                    blocks = client.stream(0, _NUM_FRAMES, with_sound=False)
                    frames = np.concatenate([block.song.spectrogram for block in blocks])
                    yield f"{text} in blocks, {server[:4]}", not np.array_equal(frames, song)
                client.condition = "name_part=nobody"
                try:
                    client.generate(0, 200)
                except ValueError as reason:
                    yield f"nobody, {server[:4]}", "a condition that the model" not in str(reason)
                else:
                    yield f"nobody, {server[:4]}", True
                numbers = np.arange(len(known.texts) + 1, dtype=np.int32)[:, np.newaxis]
                rows = len(numbers)
                together = client.predict(
                    "generate",
                    seed=np.zeros(rows, np.int64),
                    num_frames=np.full(rows, 170, np.int32),
                    temperature=np.ones(rows, np.float32),
                    condition=np.full((rows, 1), b"", object),
                    condition_number=numbers,
                )
                expected = [Status.FINE] * (rows - 1) + [Status.UNKNOWN_CONDITION]
                yield f"status, {server[:4]}", together["status"].tolist() != expected
                for row, text in enumerate(known.texts):
                    sung = together["spectrogram"][row, :_NUM_FRAMES]
                    yield f"{text} by number, {server[:4]}", not np.array_equal(sung, songs[text])
                yield (
                    f"lengths, {server[:4]}",
                    together["lengths"].tolist() != [170] * (rows - 1) + [0],
                )
    versions.close()


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        found = list(_differences(_voices(folder), folder))
    for what, is_different in found:
        print(f"{'DIFFERS' if is_different else 'the same':10} {what}")
    num_different = sum(is_different for _, is_different in found)
    print(f"{num_different} of {len(found)} differ")
    return int(num_different > 0)


if __name__ == "__main__":
    sys.exit(main())
