"""What the server does to the process it runs in: nothing that another part of it would notice."""

import logging
import socket

from running_server import running


def test_what_is_not_http_is_answered_without_a_traceback_and_no_log_of_the_process_is_turned_off(
    caplog, capfd
):
    caplog.set_level(logging.DEBUG)
    registered = logging.getLogger("neurovocal_tf.server.http")
    with (
        running(None, "bird") as ports,
        socket.create_connection(("127.0.0.1", ports.rest), timeout=10) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nno header\r\n\r\n")
        assert b" 400 " in connection.recv(4096).splitlines()[0]
    assert [
        record for record in caplog.records if record.exc_info or record.name == registered.name
    ] == []
    assert "Traceback" not in capfd.readouterr().err
    assert not registered.disabled
    registered.warning("heard")
    assert [record.message for record in caplog.records if record.name == registered.name] == [
        "heard"
    ]
