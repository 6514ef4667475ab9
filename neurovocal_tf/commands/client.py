r"""Streams a song of any length from a model server, by REST or gRPC,
to a WAV file or to standard output.

    neurovocal client --server=http://localhost:8501 --model=finch --seed=7 --seconds=10 \
        --out=song.wav
    neurovocal client --server=grpc://localhost:8500 --model=finch --num_frames=0 --out=- \
        --format=pcm | aplay -f S16_LE -r 32000
    neurovocal client --model=finch --text=iiabcdeefg
    neurovocal client --model=voices --input=seven.wav --to=speaker=theo
    neurovocal client --model=finch --recording=call.wav

The song is sung block by block, each from the state of the one before, so that its first moments
are there at once and no request is long; its blocks join without clicks. How long each took is told
on standard error. With --input a recording is said by the voice --to, of a model that converts
voices. With --recording no song is sung: the segments, scores and unusual calls of a WAV
file are printed as JSON. In Python: `from neurovocal_tf import Client`.
"""

import contextlib
import dataclasses
import json
import math
import os
import pathlib
import sys
import time

import numpy as np
from absl import flags

from neurovocal_tf import files
from neurovocal_tf import flags as setting_flags
from neurovocal_tf.client import streaming, transports, wav_output
from neurovocal_tf.client.client import Client
from neurovocal_tf.client.songs import Block, Song

_DEFAULT_FRAMES = 1000
_OF_CALLS = ("score", "order_score", "surprise", "p")
_SERVER = flags.DEFINE_string(
    "server", "http://localhost:8501", "http://HOST:PORT for REST, grpc://HOST:PORT for gRPC."
)
_MODEL = flags.DEFINE_string("model", "neurovocal", "The model's name at the server.")
_MODEL_VERSION = flags.DEFINE_integer(
    "model_version", None, "The model's version; default: the newest.", lower_bound=1
)
_TIMEOUT_S = flags.DEFINE_float(
    "timeout_s", 60.0, "Seconds that a request may take.", lower_bound=0.001
)
_OUT = setting_flags.define_path("out", "song.wav", "WAV file to write, or - for standard output.")
_FORMAT = flags.DEFINE_enum(
    "format", "wav", ["wav", "pcm"], "Of standard output; pcm: 16 bit, little-endian, one channel."
)
_SEED = flags.DEFINE_integer(
    "seed", 0, "Seed of the song.", lower_bound=-(2**62), upper_bound=2**62
)
_SECONDS = flags.DEFINE_float(
    "seconds",
    None,
    "Length of the song; 0: without end, until Ctrl-C.",
    lower_bound=0.0,
)
_NUM_FRAMES = flags.DEFINE_integer(
    "num_frames",
    None,
    "The same in frames, for --seconds; default: 1000. 0: without end.",
    lower_bound=0,
)
_TEMPERATURE = flags.DEFINE_float(
    "temperature",
    1.0,
    "Below 1: more usual songs; above 1: more varied ones.",
    lower_bound=0.01,
    upper_bound=100,
)
_BLOCK_FRAMES = flags.DEFINE_integer(
    "block_frames",
    streaming.DEFAULT_BLOCK_FRAMES,
    "Frames of the longest blocks; the first are shorter.",
    lower_bound=1,
)
_GAIN_DB = flags.DEFINE_float(
    "gain_db", 0.0, "Louder or softer by so many dB.", lower_bound=-100, upper_bound=100
)
_CONDITION = flags.DEFINE_multi_string(
    "condition",
    None,
    "Of a model with conditions, who sings or is listened to, as NAME=VALUE, such as "
    "individual=gy6or6; again for another condition.",
)
_TEXT = flags.DEFINE_string(
    "text",
    None,
    "What a model with labels sings, as long as that lasts: labels with spaces between them, or "
    "characters where every label is one. What is sung when is written beside --out, as .csv.",
)
_INPUT = setting_flags.define_path(
    "input",
    None,
    "WAV file, at the model's rate, that --to says, of a model with conditions and units.",
)
_TO = flags.DEFINE_multi_string(
    "to",
    None,
    "Whose voice says --input, as NAME=VALUE, again for another condition. NAME=a:0.3,b:0.7 is a "
    "mixture of two.",
)
_PRIME = setting_flags.define_path(
    "prime", None, "WAV file that the song goes on from, at the model's rate."
)
_RECORDING = setting_flags.define_path(
    "recording", None, "WAV file to tell segments and scores of, instead of singing."
)
_JSON = setting_flags.define_path("json", None, "File for the figures.")
# Of songs that come block by block, as long as they are asked for.
_OF_BLOCKS = ("num_frames", "seconds", "block_frames", "prime")
# Beside each the flags that would do nothing: what is as long as a text or a recording comes whole.
_LEFT_OUT = (
    (_TEXT, (*_OF_BLOCKS, "to")),
    (_INPUT, (*_OF_BLOCKS, "condition")),
    (_RECORDING, (*_OF_BLOCKS, "to", "out", "format", "seed", "temperature", "gain_db")),
)


def main(argv: list[str]) -> int | None:
    if not os.path.isdir(os.path.dirname(os.path.abspath(_OUT.value))):
        raise ValueError(
            f"`out` must be a file in a folder that exists, or -. Received: out={_OUT.value}"
        )
    length = setting_flags.one_of(_SECONDS, _NUM_FRAMES, required=False)
    num_frames = _DEFAULT_FRAMES if length is None else _NUM_FRAMES.value
    setting_flags.one_of(*(holder for holder, _ in _LEFT_OUT), required=False)
    for holder, others in _LEFT_OUT:
        if holder.value is not None:
            setting_flags.leave_out(holder.name, *others)
    if bool(_TO.value) != (_INPUT.value is not None):
        raise ValueError("flags --input and --to: must be given together")
    server = _SERVER.value, _MODEL.value, _MODEL_VERSION.value, _TIMEOUT_S.value
    with Client(*server, condition=_CONDITION.value) as client:
        if _RECORDING.value is not None:
            return _tell(client)
        if _TEXT.value is not None:
            return _sing_text(client)
        if _INPUT.value is not None:
            return _say_input(client)
        start = client.prime(pathlib.Path(_PRIME.value).read_bytes()) if _PRIME.value else None
        blocks = client.stream(
            _SEED.value,
            num_frames or None,
            _TEMPERATURE.value,
            block_frames=_BLOCK_FRAMES.value,
            start=start,
        )
        figures = _write(_within_seconds(_timed(blocks)))
    _tell_figures(figures)


def _say_input(client):
    """Writes what --input says, said by --to."""
    began = time.monotonic()
    contents = pathlib.Path(_INPUT.value).read_bytes()
    answer = client.convert_audio(contents, _TO.value, _SEED.value, _TEMPERATURE.value)
    _tell_figures(_write(_one_block(answer, began)))


def _sing_text(client):
    """Writes a song of --text, and what is sung when beside it."""
    began = time.monotonic()
    answer = client.generate_text(_TEXT.value, _SEED.value, _TEMPERATURE.value)
    _tell_figures(_write(_one_block(answer, began)))
    if _OUT.value == "-":
        return
    name, rate = os.path.basename(_OUT.value), int(answer["sample_rate"])
    rows = [
        (name, f"{onset / rate:.6f}", f"{offset / rate:.6f}", label)
        for onset, offset, label in zip(
            answer["onsets"], answer["offsets"], answer["labels"], strict=True
        )
    ]
    table = os.path.splitext(_OUT.value)[0] + ".csv"
    files.write_csv(table, ("file", "onset_s", "offset_s", "label"), rows)


def _one_block(answer, began):
    """An answer that sounds as the only block of a song, asked for at some time."""
    rate, frames = int(answer["sample_rate"]), answer["spectrogram"]
    sound = streaming.Sound(answer["waveform"], rate, len(answer["waveform"]) // len(frames))
    song = Song(frames, answer["state"], int(answer["next_frame"]))
    return [Block(song, sound, time.monotonic() - began)]


def _tell_figures(figures):
    sys.stderr.write("\n".join(f"{name:24} {value:.6g}" for name, value in figures.items()) + "\n")
    if _JSON.value:
        files.write_json(_JSON.value, figures)


def _within_seconds(blocks):
    """Blocks up to --seconds, the last one cut there, or all of them."""
    num_left = math.inf
    for number, block in enumerate(blocks):
        sound = block.sound
        if _SECONDS.value and not number:
            num_left = max(round(_SECONDS.value * sound.sample_rate), 1)
        samples = sound.samples[: min(num_left, len(sound.samples))]
        num_left -= len(samples)
        yield dataclasses.replace(block, sound=dataclasses.replace(sound, samples=samples))
        if not num_left:
            return


def _timed(blocks):
    """Blocks, each told on standard error."""
    for number, block in enumerate(blocks, start=1):
        sung_s = len(block.song.spectrogram) * block.sound.hop_length / block.sound.sample_rate
        times = sung_s / block.elapsed_s
        sys.stderr.write(
            f"block {number}: {sung_s:.3f} s of sound in {1e3 * block.elapsed_s:.0f} ms, "
            f"{times:.2f} x real time\n"
        )
        yield block


def _write(blocks):
    """Writes blocks as they come.  -> dict of figures"""
    began, latencies_s, num_samples, num_cut, rate = time.monotonic(), [], 0, 0, 1
    gain = 10 ** (_GAIN_DB.value / 20)
    to_stream = _OUT.value == "-"
    output = (
        wav_output.stream(sys.stdout.buffer, _FORMAT.value)
        if to_stream
        else wav_output.wav_file(_OUT.value)
    )
    with output as write, contextlib.suppress(KeyboardInterrupt):
        for block in blocks:
            pcm, cut = streaming.to_pcm(block.sound.samples, gain)
            rate = block.sound.sample_rate
            num_samples, num_cut = num_samples + len(block.sound.samples), num_cut + cut
            if num_samples > wav_output.MOST_SAMPLES and (not to_stream or _FORMAT.value == "wav"):
                raise ValueError(
                    "`num_frames` or `seconds` must be of a song that a WAV file can hold, 4 GB. "
                    f"Received: num_frames={_NUM_FRAMES.value}, seconds={_SECONDS.value}"
                )
            latencies_s.append(block.elapsed_s)
            write(pcm, rate)
    if not latencies_s:
        raise KeyboardInterrupt
    if num_cut:
        sys.stderr.write(
            f"{num_cut} samples were beyond full scale and are cut: --gain_db below "
            f"{_GAIN_DB.value:g} would keep them\n"
        )
    return {
        "song_s": num_samples / rate,
        "duration_s": time.monotonic() - began,
        "times_real_time": num_samples / rate / sum(latencies_s),
        "first_block_ms": 1e3 * latencies_s[0],
        "median_block_ms": 1e3 * float(np.median(latencies_s)),
        "slowest_block_ms": 1e3 * max(latencies_s),
        "num_blocks": len(latencies_s),
    }


def _tell(client):
    contents = pathlib.Path(_RECORDING.value).read_bytes()
    segments, scores = client.segment_audio(contents), client.score_audio(contents)
    calls = _calls(client, contents)
    rate = int(segments["sample_rate"])
    told = {
        "segments_s": [
            [onset / rate, offset / rate]
            for onset, offset in zip(segments["onsets"], segments["offsets"], strict=True)
        ],
        **{name: float(scores[name]) for name in ("score", "order_score", "surprise")},
        **{name: bool(value) for name, value in scores.items() if name.endswith("is_unusual")},
        "calls": [
            {
                "onset_s": calls["onsets"][call] / rate,
                "offset_s": calls["offsets"][call] / rate,
                **{name: float(calls[name][call]) for name in _OF_CALLS},
                "is_unusual": bool(calls["is_unusual"][call]),
                "fired": calls["fired"][call],
            }
            for call in range(len(calls["onsets"]))
        ],
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    if _JSON.value:
        files.write_json(_JSON.value, told)


def _calls(client, contents):
    """What is told of single calls; of none by an export of an earlier version."""
    try:
        return client.score_calls_audio(contents)
    except transports.Refused as reason:
        setting_flags.say(f"single calls are not judged: {reason}")
        return {"onsets": ()}
