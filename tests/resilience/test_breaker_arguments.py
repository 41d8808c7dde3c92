"""Tests of arguments that make no sense: each is refused where it is written, and shown."""

from __future__ import annotations

import math
from typing import Any

import pytest

from trio_foundation.resilience import CircuitBreaker, open_breakers


async def _health() -> None:
    pass


NONSENSE: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"failure_threshold": 0}, ValueError, "failure_threshold must be 1 or more, not 0"),
    ({"failure_threshold": 2.0}, TypeError, "failure_threshold must be a whole number, not 2.0"),
    ({"failure_rate": 1.5}, ValueError, "failure_rate must be from 0 to 1, not 1.5"),
    ({"failure_rate": math.nan}, ValueError, "failure_rate must be from 0 to 1, not nan"),
    (
        {"failure_rate": 0},
        ValueError,
        "failure_rate must be more than 0, not 0: at 0 a success would open it",
    ),
    (
        {"window": 10},
        ValueError,
        "window=10 needs a failure_rate: write failure_rate=0.5 to open at one half",
    ),
    ({"failure_rate": 0.5, "window": 0}, ValueError, "window must be 1 or more, not 0"),
    (
        {"failure_rate": 0.5, "window": 0.0},
        ValueError,
        "window must be more than 0 seconds and finite, not 0.0",
    ),
    ({"failure_rate": 0.5, "window": "x"}, TypeError, "window must be a whole number, not 'x'"),
    ({"minimum_calls": 0}, ValueError, "minimum_calls must be 1 or more, not 0"),
    ({"slow_after": 0}, ValueError, "slow_after must be more than 0 seconds, not 0"),
    (
        {"reset_timeout": -1},
        ValueError,
        "reset_timeout must be 0 seconds or more and finite, not -1",
    ),
    (
        {"reset_timeout": math.inf},
        ValueError,
        "reset_timeout must be 0 seconds or more and finite, not inf",
    ),
    ({"reset_timeout": "1"}, TypeError, "reset_timeout must be a number of seconds, not '1'"),
    ({"success_threshold": 0}, ValueError, "success_threshold must be 1 or more, not 0"),
    ({"half_open_max_calls": 0}, ValueError, "half_open_max_calls must be 1 or more, not 0"),
    ({"probe_timeout": 0}, ValueError, "probe_timeout must be more than 0 seconds, not 0"),
    (
        {"counts": "x"},
        TypeError,
        "counts must be classes of errors or a plain function, not 'x': write counts=OSError",
    ),
    (
        {"counts": int},
        TypeError,
        "counts must be classes of errors or a plain function, not <class 'int'>: "
        "write counts=OSError",
    ),
    ({"ignores": 3}, TypeError, "ignores must be classes of errors, not 3: write ignores=KeyError"),
    (
        {"ignores": (KeyError, "x")},
        TypeError,
        "ignores must be classes of errors, not (<class 'KeyError'>, 'x'): write ignores=KeyError",
    ),
    (
        {"result_is_failure": 3},
        TypeError,
        "result_is_failure must be a plain function or None, not 3: "
        "write result_is_failure=lambda result: result is None",
    ),
    ({"cancel_in_flight": 1}, TypeError, "cancel_in_flight must be True or False, not 1"),
    ({"rng": 3}, TypeError, "rng must be a random.Random or None, not 3"),
]

each_nonsense = pytest.mark.parametrize(
    ("options", "kind", "message"), NONSENSE, ids=[message for _, _, message in NONSENSE]
)


@each_nonsense
def test_a_breaker_refuses_it(options: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        CircuitBreaker("b", **options)
    assert str(caught.value) == message


@each_nonsense
async def test_a_block_of_breakers_refuses_it_at_once(
    options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind) as caught:
        open_breakers(**options)
    assert str(caught.value) == message
    async with open_breakers() as breakers:
        with pytest.raises(kind):
            breakers.configure("b", **options)
        assert breakers["b"].state == "closed"  # and has forgotten it


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [(3, TypeError, "name must be a string, not 3"), ("", ValueError, "name must not be empty")],
)
def test_a_breaker_needs_a_name(name: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        CircuitBreaker(name)
    assert str(caught.value) == message


def test_a_nursery_is_one() -> None:
    with pytest.raises(TypeError, match=r"^nursery must be a trio.Nursery or None, not 'n'$"):
        CircuitBreaker("b", nursery="n")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


def test_health_needs_a_nursery() -> None:
    with pytest.raises(ValueError, match=r"^breaker 'b' has health=.*, which needs a task of its "):
        CircuitBreaker("b", health=_health)


def test_health_is_an_async_function() -> None:
    with pytest.raises(TypeError, match=r"^health takes an async function, but got 3$"):
        open_breakers(health=3)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("size", "kind", "message"),
    [
        (0, ValueError, "max_breakers must be 1 or more, not 0"),
        (1.5, TypeError, "max_breakers must be a whole number or math.inf, not 1.5"),
    ],
)
def test_a_block_has_room_for_one_at_least(size: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        open_breakers(max_breakers=size)
    assert str(caught.value) == message
