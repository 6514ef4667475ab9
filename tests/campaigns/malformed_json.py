"""Malformed bodies of HTTP requests: each kind takes the target and a generator, and gives a
request's bytes and the codes that are right.
"""

import base64
import json

import numpy as np
from malformed_target import GOOD, choose


def good_body(**changes):
    """JSON that is answered, but for what `changes` puts in its place."""
    return json.dumps({"signature_name": "generate", "inputs": GOOD} | changes).encode()


def cut_json(target, rng):
    body = good_body()
    return target.http(body[: rng.integers(len(body))]), {400}


def noise_for_json(target, rng):
    return target.http(rng.bytes(rng.integers(1, 300))), {400}


def odd_json(target, rng):
    nested = b"[" * rng.integers(17, 100_000)
    odd = [
        b"[]",
        b"null",
        b"3",
        b'"x"',
        b"{}",
        b'{"inputs": ',
        b"{'inputs': 1}",
        nested,
        b'{"inputs":' + nested,
        b"\xff\xfe{",
        b"1" * 9_999,
    ]
    return target.http(choose(rng, odd)), {400}


def deep_json(target, rng):
    opening = choose(rng, [b"[", b'{"a":', b'[{"a":', b'{"inputs":['])
    return target.http(opening * rng.integers(20, target.max_request_bytes // len(opening))), {400}


def many_values(target, rng):
    value = choose(rng, [b"[]", b"{}", b'{"a":0}', b"0", b'""', b"[0]", b'"[\\""', b"null", b"1e9"])
    most = target.max_request_bytes // (len(value) + 1) - 20
    # A request may have a value for each eight of the bytes that it may have.
    text = b",".join([value] * rng.integers(target.max_request_bytes // 8 * 0.99, most))
    around = [b'{"inputs": [%s]}', b'{"instances": [%s]}', b"[%s]", b'{"inputs": {"seed": [%s]}}']
    return target.http(choose(rng, around) % text), {400, 413}


def huge_number(target, rng):
    name, size = choose(rng, list(GOOD)), int(rng.integers(310, 10_000))
    odd = [
        "1" + "0" * size,
        f"1e{size}",
        f"-{'9' * size}.5",
        f"{'9' * size}e{size}",
        f"1e1{'0' * size}",
    ]
    text = json.dumps(GOOD | {name: ["?"]}).replace('"?"', choose(rng, odd))
    return target.http(b'{"signature_name": "generate", "inputs": %s}' % text.encode()), {400}


def other_encoding(target, rng):
    return target.http(
        good_body().decode().encode(choose(rng, ["utf-16", "utf-32", "utf-16-be"]))
    ), {400}


def wrong_type(target, rng):
    name = choose(rng, list(GOOD))
    beyond = {
        "seed": [2**63, 1.0, float("nan")],
        "num_frames": [2**31, -(2**31) - 1, 1.0, float("nan")],
        "temperature": [1e39, -(10**39)],
    }
    odd = [None, "1", True, {"b64": "MQ=="}, {"a": 1}, -(10**400), *beyond[name]]
    return target.http(good_body(inputs=GOOD | {name: [choose(rng, odd)]})), {400}


def wrong_shape(target, rng):
    name = choose(rng, list(GOOD))
    odd = [1, [[1]], [1, 2], [], [[]], [[1], 2], [1, [2]], [[[1]]], [1] * 1_000]
    return target.http(good_body(inputs=GOOD | {name: choose(rng, odd)})), {400}


def too_many_rows(target, rng):
    num_rows = int(rng.integers(33, 200))
    return target.http(
        good_body(inputs={name: value * num_rows for name, value in GOOD.items()})
    ), {400}


def wrong_state(target, rng):
    going_on = GOOD | {"frame": [3], "state": [[0.0] * int(rng.integers(0, 60))]}
    return target.http(good_body(signature_name="generate_continue", inputs=going_on)), {400}


def wrong_spectrogram(target, rng):
    size = [int(n) for n in rng.integers(0, 5, rng.integers(1, 6))]
    return target.http(
        good_body(
            signature_name="score", inputs={"spectrogram": np.ones(size).tolist(), "lengths": [2]}
        )
    ), {400}


def wrong_names(target, rng):
    odd = [
        {},
        {"seed": [1]},
        {"seed": [1], "num_frames": [1], "Temperature": [1]},
        [1],
        1,
        None,
        "x",
        {"b64": "MQ=="},
    ]
    row = [{"seed": 1}, {}, [], 1, None, {"seed": 1, "num_frames": 1, "temperature": 1, "x": 1}]
    rows = json.dumps({"instances": [choose(rng, row) for _ in range(rng.integers(1, 4))]}).encode()
    return target.http(choose(rng, [good_body(inputs=choose(rng, odd)), rows])), {400}


def wrong_keys(target, rng):
    good_row = {name: value[0] for name, value in GOOD.items()}
    odd = [
        {"inputs": GOOD, "instances": [good_row]},
        {"signature_name": "generate"},
        {"Inputs": GOOD},
        {"instances": good_row},
    ]
    odd += [{"instances": []}, {"instances": None}, {"instances": "x"}]
    return target.http(json.dumps(choose(rng, odd)).encode()), {400}


def wrong_signature(target, rng):
    name = choose(
        rng,
        [
            "x",
            "Generate",
            "generate\x00",
            "../generate",
            "__saved_model_init_op",
            1,
            None,
            ["generate"],
            "\ud800",
            "é" * 999,
        ],
    )
    return target.http(good_body(signature_name=name)), {400}


def bad_base64(target, rng):
    text = base64.b64encode(rng.bytes(rng.integers(3, 30))).decode()
    odd = [
        {"b64": text[:-1] + "!"},
        {"b64": "A"},
        {"b64": 1},
        {"b64": text, "c": 1},
        {"B64": text},
        {"b64": "\u00e9"},
        {},
        "\ud800",
    ]
    return target.http(
        good_body(signature_name="segment_audio", inputs={"audio_bytes": [choose(rng, odd)]})
    ), {400}


KINDS = [
    cut_json,
    noise_for_json,
    odd_json,
    deep_json,
    many_values,
    huge_number,
    other_encoding,
    wrong_type,
    wrong_shape,
    too_many_rows,
    wrong_state,
    wrong_spectrogram,
    wrong_names,
    wrong_keys,
    wrong_signature,
    bad_base64,
]
