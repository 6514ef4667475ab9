"""A place for every request: as many as there are threads,
each free again when its work is done.
"""

import asyncio
import concurrent.futures
import threading
import weakref

import grpc
import pytest

from neurovocal_tf.server.inference import Inference, Ticket
from neurovocal_tf.server.limits import Limits
from neurovocal_tf.server.refusals import Refusal


@pytest.fixture
def threads():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        yield pool


def test_a_ticket_needs_threads_and_somebody_to_give_its_place_back_to(threads):
    given_back = []
    with Ticket(threads, print, lambda _: given_back.append("place")) as ticket:
        assert asyncio.run(ticket.run(lambda is_wanted: is_wanted(), 10.0)) is True
        assert given_back == []
    with Ticket(threads, print, lambda _: given_back.append("unused place")):
        pass
    assert given_back == ["place", "unused place"]


def test_the_place_of_a_caller_who_has_left_is_free_when_the_work_is_done(threads):
    begun, may_end, given_back = threading.Event(), threading.Event(), threading.Event()
    wanted = []

    def work(is_wanted):
        begun.set()
        assert may_end.wait(10)
        wanted.append(is_wanted())

    with (
        pytest.raises(Refusal) as refused,
        Ticket(threads, print, lambda _: given_back.set()) as ticket,
    ):
        asyncio.run(ticket.run(work, 0.2))
    assert refused.value.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert begun.wait(10) and not given_back.is_set()
    may_end.set()
    assert given_back.wait(10) and wanted == [False]


def test_more_requests_than_places_are_refused():
    inference = Inference("bird", None, Limits(max_requests=1))
    with inference.admit(), pytest.raises(Refusal, match="There are 1 requests already."):
        inference.admit()
    with inference.admit() as ticket:
        assert asyncio.run(ticket.run(lambda is_wanted: 3, 10.0)) == 3
    inference.close()


def test_requests_of_more_bytes_than_are_taken_at_once_are_refused_until_there_is_room():
    inference = Inference("bird", None, Limits(max_requests=9, max_request_bytes=10))
    with inference.admit() as first:
        first.reserve(300)
        with inference.admit() as second, pytest.raises(Refusal, match="300 bytes already"):
            second.reserve(21)
        with inference.admit() as third:
            third.reserve(20)
    with inference.admit() as fourth:
        fourth.reserve(320)
    inference.close()


def test_an_error_keeps_nothing_of_the_request_that_it_came_from():
    class Body:
        pass

    held = []

    def work(is_wanted):
        body = Body()
        held.append(weakref.ref(body))
        raise Refusal(grpc.StatusCode.INVALID_ARGUMENT, "no")

    inference = Inference("bird", None, Limits())
    with inference.admit() as ticket, pytest.raises(Refusal):
        asyncio.run(ticket.run(work, 10.0))
    assert held[0]() is None
    inference.close()
