"""What no foreign page may have a browser ask, and how a browser is to take the answers."""

import http.client
import socket

import pytest
from running_server import running

from neurovocal_tf.server import origins, page_policy
from neurovocal_tf.server.origins import KnownHosts
from neurovocal_tf.server.refusals import Refusal

STATUS = "/v1/models/bird"
PREDICT = f"{STATUS}:predict"
BODY = b'{"instances": [{"seed": 1, "num_frames": 1, "temperature": 0}]}'


def head(port, method, path, body=None, **headers):
    """Status, headers and content; `headers` are all that are sent but the length."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in ({"Host": "localhost"} | headers).items():
        connection.putheader(name.replace("_", "-"), value)
    if body is not None:
        connection.putheader("Content-Length", len(body))
    connection.endheaders(body)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, answer.headers, content


def is_known(hosts, host, check="Host"):
    try:
        hosts.check_origin(host) if check == "Origin" else hosts.check(host, check)
    except Refusal:
        return False
    return True


def test_a_server_is_known_by_loopback_names_its_address_and_what_is_allowed_beside():
    own = ["localhost", "LOCALHOST:8501", "127.0.0.1", "127.3.4.5:1", "[::1]:8501", "localhost."]
    foreign = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.5"]
    malformed = ["", ":80", "a b", "localhost:x", "[::1", "user@localhost", "localhost/x", "[]"]
    hosts = KnownHosts()
    assert [is_known(hosts, host) for host in own] == [True] * len(own)
    assert [is_known(hosts, host) for host in foreign + malformed] == [False] * 12
    proxied = KnownHosts("192.168.1.7", ["Birds.example.org"])
    for host in ("birds.example.org:443", "192.168.1.7:8501", "localhost"):
        assert is_known(proxied, host), host
    assert not is_known(proxied, "192.168.1.8") and not is_known(proxied, "x.birds.example.org")
    everywhere = KnownHosts("0.0.0.0")
    for host in (socket.gethostname(), "10.0.0.5:8501", "[2001:db8::1]"):
        assert is_known(everywhere, host), host
    assert not is_known(everywhere, "evil.example")
    assert is_known(KnownHosts(allowed=["*"]), "evil.example")


def test_a_page_is_known_by_its_host_and_what_is_no_page_is_not():
    hosts = KnownHosts(allowed=["birds.example.org"])
    for origin in ("http://localhost:3000", "https://birds.example.org", "http://[::1]:8501"):
        assert is_known(hosts, origin, "Origin"), origin
    for origin in ("null", "", "file://", "http://evil.example", "chrome-extension://localhost"):
        assert not is_known(hosts, origin, "Origin"), origin


def test_foreign_hosts_and_pages_are_refused_with_what_to_do(model_server):
    for method, path, body in (("GET", "/", None), ("GET", STATUS, None), ("POST", PREDICT, BODY)):
        for header in ({"Host": "evil.example:8501"}, {"Origin": "http://evil.example"}):
            status, _, content = head(
                model_server.rest, method, path, body, Content_Type="application/json", **header
            )
            assert status == 403 and b"--allowed_hosts=evil.example" in content, content
    assert head(model_server.rest, "GET", "http://evil.example/")[0] == 403
    assert head(model_server.rest, "GET", "/", Origin="null")[0] == 403
    # What a browser asks before it sends JSON of a foreign page.
    asked_before = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    status, headers, _ = head(model_server.rest, "OPTIONS", PREDICT, **asked_before)
    assert status == 403 and "Access-Control-Allow-Origin" not in headers


def test_a_name_that_is_allowed_is_answered():
    with running(None, "bird", __file__, hosts=KnownHosts(allowed=["birds.example.org"])) as ports:
        there = {"Host": "birds.example.org", "Origin": "https://birds.example.org"}
        assert head(ports.rest, "GET", "/", **there)[0] == 200


def test_without_a_host_or_with_two_only_http_1_0_is_answered(model_server):
    for line, hosts, expected in (
        ("HTTP/1.1", [], b"400"),
        ("HTTP/1.1", ["localhost", "localhost"], b"400"),
        ("HTTP/1.1", ["localhost"], b"200"),
        ("HTTP/1.0", [], b"200"),
    ):
        lines = [f"GET {STATUS} {line}", *(f"Host: {host}" for host in hosts), "Connection: close"]
        with socket.create_connection(("127.0.0.1", model_server.rest), timeout=10) as connection:
            connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
            assert connection.recv(4096).split()[1] == expected, (line, hosts)


@pytest.mark.parametrize(
    "headers, expected",
    [
        ({"Content-Type": "application/json"}, 200),
        ({"Content-Type": "Application/JSON; charset=utf-8", "Origin": "http://localhost"}, 200),
        # As curl -d and Python's http.client send it.
        ({"Content-Type": "application/x-www-form-urlencoded"}, 200),
        ({}, 200),
        # As forms and scripts of a browser send it, which are not asked about first.
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
        ({"Content-Type": "text/plain; application/json"}, 415),
        ({"Content-Type": "application/octet-stream"}, 415),
        (
            {
                "Content-Type": "application/x-www-form-urlencoded",
                "Origin": "http://localhost:8501",
            },
            415,
        ),
        (
            {"Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "cross-site"},
            415,
        ),
        ({"Referer": "http://localhost/"}, 415),
    ],
)
def test_what_is_posted_is_json_and_of_those_who_are_no_browser_taken_for_it(
    headers, expected, model_server
):
    status, _, content = head(model_server.rest, "POST", PREDICT, BODY, **headers)
    assert status == expected, content
    if expected == 415:
        assert b"`Content-Type` must be application/json. Received: Content-Type: " in content
        assert b"-H 'Content-Type: application/json'" in content


def test_every_answer_tells_a_browser_to_be_careful_and_head_is_get_without_the_content(
    model_server,
):
    metrics = "/monitoring/prometheus/metrics"
    for path, status in (("/", 200), (STATUS, 200), (f"{STATUS}/metadata", 200), ("/none", 404)):
        found = head(model_server.rest, "GET", path)
        without = head(model_server.rest, "HEAD", path)
        assert (found[0], without[0], without[2]) == (status, status, b"")
        assert without[1]["Content-Length"] == found[1]["Content-Length"] == str(len(found[2]))
        for name in origins.HEADERS:
            assert name in found[1] and found[1][name] == without[1][name]
        assert "frame-ancestors 'none'" in found[1]["Content-Security-Policy"]
        assert "unsafe" not in found[1]["Content-Security-Policy"]
    assert head(model_server.rest, "HEAD", metrics)[::2] == (200, b"")
    status, headers, _ = head(model_server.rest, "POST", PREDICT, b"{")
    assert status == 400 and headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_may_run_what_stands_in_it_and_nothing_else():
    policy = page_policy.policy(b"<style>a{}</style><script>\nlet x;</script><script>y()</script>")
    # From `printf 'a{}' | openssl dgst -sha256 -binary | base64`.
    assert "style-src 'sha256-X1RutGBrXCt9KkSaXMK7tHftWiRscFHOhxsS8tv8hBk='" in policy
    assert policy.count("'sha256-") == 3 and "connect-src 'self'" in policy
    assert "script-src" not in page_policy.policy(b"<title>none</title>")
