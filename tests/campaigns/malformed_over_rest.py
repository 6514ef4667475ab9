"""Malformed HTTP requests: each kind takes the target and a generator, and gives a request's bytes
and the codes that are right.
"""

import zlib

import malformed_json
from malformed_json import good_body
from malformed_target import CLOSED, choose


def wrong_host(target, rng):
    name = "".join(choose(rng, "abcxyz") for _ in range(rng.integers(1, 20)))
    ends = [".example", ".localhost.example", ":8501", "", ".127.0.0.1", ".0.0.0.0:80"]
    path = choose(rng, ["/", "/v1/models", f"/v1/models/{target.model_name}", None])
    host = f"Host: {name}{choose(rng, ends)}"
    return target.http(good_body(), choose(rng, ["GET", "POST", "HEAD"]), path, host=host), {403}


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
    return target.http(good_body(), host=choose(rng, odd), headers=["X: y"]), {400}


def many_hosts(target, rng):
    second = choose(rng, ["Host: localhost", "Host: evil.example", "host:127.0.0.1"])
    return target.http(good_body(), headers=[second]), {400}


def wrong_origin(target, rng):
    odd = ["null", "http://evil.example", "https://localhost.evil.example", "file://", "x", ""]
    odd += ["chrome-extension://abcdef", "http://127.0.0.1.evil.example:8501"]
    headers = [f"Origin: {choose(rng, odd)}", "Content-Type: application/json"]
    return target.http(good_body(), choose(rng, ["POST", "OPTIONS", "GET"]), headers=headers), {403}


def wrong_content_type(target, rng):
    odd = ["text/plain", "text/plain;charset=UTF-8", "multipart/form-data; boundary=x", "x", "*/*"]
    odd += ["application/octet-stream", "text/html", "application/jsonp", "text/plain, text/json"]
    of_form = "application/x-www-form-urlencoded\r\nSec-Fetch-Site: cross-site"
    headers = [f"Content-Type: {choose(rng, [*odd, of_form])}"]
    return target.http(good_body(), headers=headers), {415}


def not_there(target, rng):
    name = target.model_name
    number, word = int(rng.integers(2, 2**62)), "".join(choose(rng, "abcXYZ._~") for _ in range(9))
    paths = [f"/v1/models/{word}:predict", f"/v1/models/{name}/versions/{number}:predict"]
    return target.http(good_body(), path=choose(rng, paths)), {404}


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
    return target.http(good_body(), path=f"/v1/models/{target.model_name}/{which}:predict"), {400}


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
    return target.http(good_body(), method=method), {400}


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
    return target.http(good_body(), length=text), {400}


def huge_length(target, rng):
    return target.http(
        good_body(), length=int(rng.integers(target.max_request_bytes + 1, 2**50))
    ), {413}


def huge_body(target, rng):
    text = b" " * (target.max_request_bytes + int(rng.integers(1, 1_000)))
    squeezed = zlib.compressobj(wbits=31)
    data = squeezed.compress(text) + squeezed.flush()
    return choose(
        rng, [target.http(text), target.http(data, headers=["Content-Encoding: gzip"])]
    ), {413}


def cut_body(target, rng):
    body = good_body()
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
    return target.http(good_body(), headers=[choose(rng, odd)]), {400, 431}


def bad_expectation(target, rng):
    return target.http(good_body(), headers=["Expect: the unexpected"]), {417}


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
    *malformed_json.KINDS,
    wrong_host,
    odd_host,
    many_hosts,
    wrong_origin,
    wrong_content_type,
    not_there,
    odd_version,
    odd_method,
    odd_path,
    wrong_length,
    huge_length,
    huge_body,
    cut_body,
    bad_chunks,
    bad_gzip,
    bad_headers,
    bad_expectation,
    bad_start,
    noise_for_http,
]
