"""Malformed HTTP requests: each kind takes the target and a generator, and gives a request's bytes
and the codes that are right.
"""

import base64
import json
import zlib

import numpy as np
from malformed_target import CLOSED, GOOD, choose


def _body(**changes):
    return json.dumps({"signature_name": "generate", "inputs": GOOD} | changes).encode()


def cut_json(target, rng):
    body = _body()
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
    return target.http(_body().decode().encode(choose(rng, ["utf-16", "utf-32", "utf-16-be"]))), {
        400
    }


def wrong_host(target, rng):
    name = "".join(choose(rng, "abcxyz") for _ in range(rng.integers(1, 20)))
    ends = [".example", ".localhost.example", ":8501", "", ".127.0.0.1", ".0.0.0.0:80"]
    path = choose(rng, ["/", "/v1/models", f"/v1/models/{target.model_name}", None])
    host = f"Host: {name}{choose(rng, ends)}"
    return target.http(_body(), choose(rng, ["GET", "POST", "HEAD"]), path, host=host), {403}


def odd_host(target, rng):
    odd = [
        "",
        "Host: ",
        "Host: a b",
        "Host: localhost/x",
        "Host: a@localhost",
        "Host: [::1",
        "Host: :",
    ]
    return target.http(_body(), host=choose(rng, odd), headers=["X: y"]), {400}


def many_hosts(target, rng):
    second = choose(rng, ["Host: localhost", "Host: evil.example", "host:127.0.0.1"])
    return target.http(_body(), headers=[second]), {400}


def wrong_origin(target, rng):
    odd = ["null", "http://evil.example", "https://localhost.evil.example", "file://", "x", ""]
    odd += ["chrome-extension://abcdef", "http://127.0.0.1.evil.example:8501"]
    headers = [f"Origin: {choose(rng, odd)}", "Content-Type: application/json"]
    return target.http(_body(), choose(rng, ["POST", "OPTIONS", "GET"]), headers=headers), {403}


def wrong_content_type(target, rng):
    odd = ["text/plain", "text/plain;charset=UTF-8", "multipart/form-data; boundary=x", "x", "*/*"]
    odd += ["application/octet-stream", "text/html", "application/jsonp", "text/plain, text/json"]
    of_form = "application/x-www-form-urlencoded\r\nSec-Fetch-Site: cross-site"
    headers = [f"Content-Type: {choose(rng, [*odd, of_form])}"]
    return target.http(_body(), headers=headers), {415}


def wrong_type(target, rng):
    name = choose(rng, list(GOOD))
    beyond = {
        "seed": [2**63, 1.0, float("nan")],
        "num_frames": [2**31, -(2**31) - 1, 1.0, float("nan")],
        "temperature": [1e39, -(10**39)],
    }
    odd = [None, "1", True, {"b64": "MQ=="}, {"a": 1}, -(10**400), *beyond[name]]
    return target.http(_body(inputs=GOOD | {name: [choose(rng, odd)]})), {400}


def wrong_shape(target, rng):
    name = choose(rng, list(GOOD))
    odd = [1, [[1]], [1, 2], [], [[]], [[1], 2], [1, [2]], [[[1]]], [1] * 1_000]
    return target.http(_body(inputs=GOOD | {name: choose(rng, odd)})), {400}


def too_many_rows(target, rng):
    num_rows = int(rng.integers(33, 200))
    return target.http(_body(inputs={name: value * num_rows for name, value in GOOD.items()})), {
        400
    }


def wrong_state(target, rng):
    going_on = GOOD | {"frame": [3], "state": [[0.0] * int(rng.integers(0, 60))]}
    return target.http(_body(signature_name="generate_continue", inputs=going_on)), {400}


def wrong_spectrogram(target, rng):
    size = [int(n) for n in rng.integers(0, 5, rng.integers(1, 6))]
    return target.http(
        _body(
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
    return target.http(choose(rng, [_body(inputs=choose(rng, odd)), rows])), {400}


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
    return target.http(_body(signature_name=name)), {400}


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
        _body(signature_name="segment_audio", inputs={"audio_bytes": [choose(rng, odd)]})
    ), {400}


def not_there(target, rng):
    name = target.model_name
    number, word = int(rng.integers(2, 2**62)), "".join(choose(rng, "abcXYZ._~") for _ in range(9))
    paths = [f"/v1/models/{word}:predict", f"/v1/models/{name}/versions/{number}:predict"]
    return target.http(_body(), path=choose(rng, paths)), {404}


def odd_version(target, rng):
    which = choose(
        rng,
        [
            "versions/-1",
            "versions/1.0",
            "versions/",
            "versions/" + "9" * 25,
            "labels/x",
            "labels/",
            "version/1",
            "versions/1/",
        ],
    )
    return target.http(_body(), path=f"/v1/models/{target.model_name}/{which}:predict"), {400}


def odd_method(target, rng):
    method = choose(
        rng,
        [
            "PUT",
            "DELETE",
            "PATCH",
            "OPTIONS",
            "GET",
            "HEAD",
            "TRACE",
            "PROPFIND",
            "FOO",
            "post",
            "P\u00d6ST",
        ],
    )
    return target.http(_body(), method=method), {400}


def odd_path(target, rng):
    up = "".join(
        choose(rng, ["../", "..%2f", "%2e%2e/", "..\\", "....//", "/", "./", "%00"])
        for _ in range(rng.integers(1, 12))
    )
    start = choose(
        rng, ["/", "/v1/", f"/v1/models/{target.model_name}/", "/monitoring/", "/page/", "//"]
    )
    ends = [
        "etc/passwd",
        "saved_model.pb",
        "1/saved_model.pb",
        "index.html",
        "assets.extra/neurovocal_tf.json",
        "\xff",
    ]
    return target.http(
        method=choose(rng, ["GET", "POST", "HEAD"]), path=start + up + choose(rng, ends)
    ), {400, 404}


def wrong_length(target, rng):
    text = choose(rng, ["-1", "1e3", "0x10", "abc", "", "1, 2", "\xb2", "9" * 30])
    return target.http(_body(), length=text), {400}


def huge_length(target, rng):
    return target.http(_body(), length=int(rng.integers(target.max_request_bytes + 1, 2**50))), {
        413
    }


def huge_body(target, rng):
    text = b" " * (target.max_request_bytes + int(rng.integers(1, 1_000)))
    squeezed = zlib.compressobj(wbits=31)
    data = squeezed.compress(text) + squeezed.flush()
    return choose(
        rng, [target.http(text), target.http(data, headers=["Content-Encoding: gzip"])]
    ), {413}


def cut_body(target, rng):
    body = _body()
    return target.http(body[: rng.integers(len(body))], length=len(body)), {CLOSED, 400}


def bad_chunks(target, rng):
    chunks = choose(
        rng,
        [
            b"zz\r\n",
            b"-5\r\nhello\r\n",
            b"5\r\nhel",
            b"5\r\nhelloXX",
            b"f" * 40 + b"\r\n",
            b"5\r\nhello\r\n0\r\nx" * 2,
        ],
    )
    head = target.http(headers=["Transfer-Encoding: chunked"]).replace(
        b"Content-Length: 0\r\n", b""
    )
    return head + chunks, {400, CLOSED}


def bad_gzip(target, rng):
    return target.http(rng.bytes(rng.integers(1, 99)), headers=["Content-Encoding: gzip"]), {400}


def bad_headers(target, rng):
    odd = [
        "no colon",
        ": x",
        "a b: c",
        "x\x00: y",
        "x: \x01",
        "x: y\n z: \x7f\x00",
        "Content-Length: 3",
        "Transfer-Encoding: chunked",
    ]
    odd += [
        "x: " + "y" * 100_000,
        "y" * 100_000 + ": x",
        *["\r\n".join(f"x{i}: y" for i in range(5_000))],
    ]
    return target.http(_body(), headers=[choose(rng, odd)]), {400, 431}


def bad_expectation(target, rng):
    return target.http(_body(), headers=["Expect: the unexpected"]), {417}


def bad_start(target, rng):
    odd = [
        b"GET / HTTP/9.9",
        b"/ HTTP/1.1",
        b"GET / HTTP/x",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1",
        b"\x16\x03\x01",
    ]
    return choose(rng, odd) + b"\r\nHost: x\r\n\r\n", {400, 414, CLOSED}


def noise_for_http(target, rng):
    return rng.bytes(rng.integers(1, 2_000)) + b"\r\n\r\n", {400, CLOSED}


KINDS = [
    *(
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
    ),
    *(
        wrong_keys,
        wrong_signature,
        bad_base64,
        not_there,
        odd_version,
        odd_method,
        odd_path,
        wrong_host,
        odd_host,
        many_hosts,
        wrong_origin,
        wrong_content_type,
        wrong_length,
        huge_length,
        huge_body,
    ),
    *(cut_body, bad_chunks, bad_gzip, bad_headers, bad_expectation, bad_start, noise_for_http),
]
