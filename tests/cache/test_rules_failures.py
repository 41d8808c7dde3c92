"""Tests of the memory for errors."""

from __future__ import annotations

from trio_foundation.cache._rules import Failures


def test_an_error_is_remembered_for_its_time_and_no_longer() -> None:
    failures = Failures[str](max_size=10, ttl=5.0)
    error = OSError()
    failures.note("a", error, now=1.0)
    assert failures.find("a", now=5.9) is error
    assert failures.find("b", now=5.9) is None
    assert failures.find("a", now=6.0) is None
    assert len(failures) == 0


def test_a_later_error_begins_a_new_time() -> None:
    failures = Failures[str](max_size=10, ttl=5.0)
    later = OSError()
    failures.note("a", OSError(), now=0.0)
    failures.note("b", OSError(), now=1.0)
    failures.note("a", later, now=4.0)
    assert failures.find("b", now=6.0) is None
    assert failures.find("a", now=8.9) is later


def test_when_there_are_too_many_the_oldest_is_forgotten() -> None:
    failures = Failures[int](max_size=3, ttl=5.0)
    for key in range(1000):
        failures.note(key, OSError(), now=0.0)
    assert [key for key in range(1000) if failures.find(key, now=0.0)] == [997, 998, 999]


def test_errors_are_forgotten_one_by_one_or_all_at_once() -> None:
    failures = Failures[int](max_size=3, ttl=5.0)
    for key in range(3):
        failures.note(key, OSError(), now=0.0)
    failures.forget(1)
    failures.forget(1)
    assert len(failures) == 2
    failures.clear()
    assert len(failures) == 0


def test_another_clock_leaves_them_the_time_they_had() -> None:
    failures = Failures[str](max_size=3, ttl=5.0)
    failures.note("a", OSError(), now=100.0)
    failures.move(102.0, 7.0)
    assert failures.find("a", now=9.9) is not None
    assert failures.find("a", now=10.0) is None
