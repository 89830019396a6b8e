"""The calls under way: results are recorded together where there are many, and none waits for long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from engine.clock import stopwatch
from engine.domain.words import Call, Email, Finding, Result
from engine.providers.contract import Recovery
from engine.steps.calling import Flight
from engine.steps.releasing import Outgoing


@dataclass
class _Patient:
    """A provider that answers each call when it is told to."""

    senders: int
    name: str = "patient"
    rehearsal: bool = False
    batch: int = 1
    recovery: Recovery = field(default_factory=Recovery)
    answers: dict[str, threading.Event] = field(default_factory=dict)

    def send(self, call: Call) -> list[Result]:
        assert self.answers[call.key].wait(10)
        return []

    def look_up(self, emails: list[Email], since: datetime) -> list[Finding]:  # noqa: ARG002
        return []

    def close(self) -> None:
        pass


@pytest.fixture
def provider() -> _Patient:
    return _Patient(senders=8)


@pytest.fixture
def flight(provider: _Patient) -> Iterator[Flight]:
    provider.answers = {f"key-{number}": threading.Event() for number in range(8)}
    with Flight(provider) as flight:
        flight.launch([Outgoing(key, ()) for key in provider.answers], stopwatch())
        yield flight
        for answer in provider.answers.values():
            answer.set()


def _answer(provider: _Patient, *numbers: int) -> None:
    for number in numbers:
        provider.answers[f"key-{number}"].set()


def _keys(flight: Flight, wait: float) -> set[str]:
    return {one.outgoing.key for one in flight.landed(wait)}


def test_results_are_handed_over_as_soon_as_there_are_enough_of_them(provider: _Patient, flight: Flight) -> None:
    _answer(provider, 3, 5)
    assert _keys(flight, 10.0) == {"key-3", "key-5"}
    assert flight.under_way == 6


def test_the_last_results_do_not_wait_for_company(provider: _Patient, flight: Flight) -> None:
    _answer(provider, *range(8))
    seen: set[str] = set()
    while flight.under_way:
        seen |= _keys(flight, 10.0)
    assert seen == set(provider.answers)
    assert flight.landed(0.0) == []


def test_few_results_are_handed_over_when_the_wait_is_over(provider: _Patient, flight: Flight) -> None:
    _answer(provider, 4)
    assert _keys(flight, 1.0) == {"key-4"}


def test_with_no_wait_and_no_company_nothing_is_handed_over(flight: Flight) -> None:
    assert flight.landed(0.0) == []
    assert flight.under_way == 8


def test_a_result_is_not_kept_back_for_long(provider: _Patient, flight: Flight) -> None:
    _answer(provider, 4)
    began, seen = stopwatch(), set[str]()
    while not seen and stopwatch() - began < 10:
        seen = _keys(flight, 0.0)
    assert seen == {"key-4"}


class _Torn(BaseException):
    """What no provider should raise, and no sender swallows."""


def test_what_is_known_is_handed_over_before_a_sender_s_fault_is_raised(
    provider: _Patient, flight: Flight, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tear(call: Call) -> list[Result]:
        raise _Torn(call.key)

    _answer(provider, 1)
    while not flight._ended.qsize():
        threading.Event().wait(0.001)
    monkeypatch.setattr(provider, "send", tear)
    flight.launch([Outgoing("torn", ())], stopwatch())
    while flight._ended.qsize() < 2:
        threading.Event().wait(0.001)
    assert _keys(flight, 10.0) == {"key-1"}
    with pytest.raises(_Torn):
        flight.landed(10.0)
