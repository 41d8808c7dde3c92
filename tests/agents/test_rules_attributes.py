"""What is said of an agent is checked, and a refusal says how to write it."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any

import pytest

from trio_foundation.agents._rules._attributes import (
    Findings,
    check_attributes,
    check_capability,
    check_health,
    check_range,
)

HOW = "write capability='python', or capability={'python', 'text'} for several"


def refusal(given: dict[Any, object], *, is_whole: bool = False) -> Exception:
    """Return the error that attributes are refused with."""
    findings = Findings()
    check_attributes(findings, given, is_whole=is_whole)
    with pytest.raises((TypeError, ValueError)) as caught:
        findings.report("ann")
    return caught.value


def accepted(given: dict[str, object], *, is_whole: bool) -> dict[str, Any]:
    findings = Findings()
    checked = check_attributes(findings, given, is_whole=is_whole)
    findings.report("ann")
    return checked


# What was found


def test_a_finding_is_noted_and_nothing_comes_of_that_check() -> None:
    def check(value: int, *, most: int) -> int:
        if value > most:
            raise ValueError(f"{value} is too much")
        return value

    findings = Findings()
    findings.report("nothing")
    assert findings.of(check, 3, most=3) == 3
    findings.report("nothing")
    assert findings.of(check, 4, most=3) is None
    assert findings.of(check, 5, most=3) is None
    with pytest.raises(ValueError, match=r"^ann: 4 is too much; 5 is too much$"):
        findings.report("ann")


def test_an_error_of_kind_outweighs_the_others() -> None:
    error = refusal({"health": "ok", "node": 3, "value": 1})
    assert type(error) is TypeError
    assert str(error) == (
        "ann: health must be 'healthy', 'degraded' or 'unhealthy', not 'ok'; "
        "node must be a string, not 3; "
        "no attribute can be called 'value' here: give it another name"
    )
    assert type(refusal({"health": "ok", "node": ""})) is ValueError


# Attributes


def test_what_is_accepted_is_what_was_given() -> None:
    given: dict[str, object] = {
        "capability": ["sort", "count"],
        "health": "degraded",
        "node": "x",
        "resources": {"memory": None},
        "cost": 3,
        "tags": None,
    }
    whole = {**given, "capability": frozenset({"sort", "count"})}
    assert accepted(given, is_whole=True) == accepted(given, is_whole=False) == whole
    assert given["capability"] == ["sort", "count"]


def test_an_update_says_nothing_of_what_it_leaves() -> None:
    assert accepted({}, is_whole=False) == {}
    assert accepted({"node": "x"}, is_whole=False) == {"node": "x"}


def test_all_that_every_agent_has_must_be_there() -> None:
    assert str(refusal({"cost": 3}, is_whole=True)) == (
        f"ann: capability is required: {HOW}; "
        "health must be 'healthy', 'degraded' or 'unhealthy', not None; "
        "node must be a string, not None; "
        "resources must be a mapping, not None: write resources={'memory': 0.5}"
    )


def test_what_is_refused_is_none() -> None:
    checked = check_attributes(Findings(), {"node": 3, "health": "healthy"}, is_whole=False)
    assert checked == {"node": None, "health": "healthy"}


@pytest.mark.parametrize(
    ("given", "kind", "message"),
    [
        ({"node": ""}, ValueError, "node must not be empty"),
        (
            {"resources": 0.5},
            TypeError,
            "resources must be a mapping, not 0.5: write resources={'memory': 0.5}",
        ),
        ({"resources": {"a": 1, 3: 1}}, TypeError, "the names of resources must be strings, not 3"),
        (
            {"resources": {"": 1}},
            ValueError,
            "the name of a resource must be a word without dots, not ''",
        ),
        (
            {"resources": {"a.b": 1}},
            ValueError,
            "the name of a resource must be a word without dots, not 'a.b'",
        ),
        ({3: 1}, TypeError, "the name of an attribute must be a string, not 3"),
        (
            {"a.b.c": 1},
            ValueError,
            "the name of an attribute has no dot in it, but got 'a.b.c': for an attribute within "
            "another write a={'b.c': ...}",
        ),
    ],
)
def test_what_is_refused_is_told_with_the_right_way(
    given: dict[Any, object], kind: type[Exception], message: str
) -> None:
    error = refusal(given)
    assert (type(error), str(error)) == (kind, f"ann: {message}")


@pytest.mark.parametrize("name", ["agent_id", "key", "owner", "ref", "self", "value"])
def test_a_name_that_means_something_else_is_refused(name: str) -> None:
    message = f"ann: no attribute can be called {name!r} here: give it another name"
    assert str(refusal({name: 1})) == message


def test_any_mapping_will_do_for_resources() -> None:
    resources = MappingProxyType({"memory": 1, "disk": "much"})
    assert accepted({"resources": resources}, is_whole=False)["resources"] is resources


# Capabilities and health


def test_capabilities_are_a_string_or_a_frozen_set() -> None:
    assert check_capability("sort") == "sort"
    assert check_capability(["sort", "count", "sort"]) == frozenset({"sort", "count"})
    assert isinstance(check_capability({"sort"}), frozenset)


@pytest.mark.parametrize("bad", [3, b"sort", bytearray(b"sort"), {"sort": 1}, iter("ab")])
def test_what_is_no_collection_of_capabilities_is_refused(bad: object) -> None:
    with pytest.raises(TypeError) as caught:
        check_capability(bad)
    words = f"capability must be a string or a collection of strings, not {bad!r}: {HOW}"
    assert str(caught.value) == words


@pytest.mark.parametrize(
    ("bad", "kind", "message"),
    [
        (None, TypeError, "capability is required"),
        ("", ValueError, "capability must not be empty"),
        ([], ValueError, "capability must not be empty"),
        (
            ["a", ""],
            ValueError,
            "each capability must be a string that is not empty, but one of ['a', ''] is ''",
        ),
        (
            ["a", 3],
            TypeError,
            "each capability must be a string that is not empty, but one of ['a', 3] is 3",
        ),
    ],
)
def test_no_capability_is_none_at_all(bad: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind) as caught:
        check_capability(bad)
    assert str(caught.value) == f"{message}: {HOW}"


@pytest.mark.parametrize("health", ["healthy", "degraded", "unhealthy"])
def test_there_are_three_kinds_of_health(health: str) -> None:
    assert check_health(health) == health


# Ranges


@pytest.mark.parametrize(
    "limits",
    [(1, 2), [1, 2], (1, 1), (None, 0), (0, None), (None, None), (Fraction(1, 2), math.inf)],
)
def test_a_range_is_two_numbers_of_which_either_may_be_none(limits: Any) -> None:
    assert check_range("memory", limits) == tuple(limits)


@pytest.mark.parametrize(
    "limits",
    [
        0.5, None, "12", {1, 2}, (), (1,), (1, 2, 3), (True, 2), (1, False), ("1", None),
        (math.nan, 1), (1, math.nan), (None, Decimal(1)),
    ],
)  # fmt: skip
def test_what_is_no_range_is_refused(limits: object) -> None:
    with pytest.raises(TypeError) as caught:
        check_range("memory", limits)
    assert str(caught.value) == (
        f"the range of 'memory' must be two numbers, of which either may be None, not {limits!r}: "
        "write memory=(0.5, None) for at least 0.5"
    )


def test_a_range_that_nothing_is_within_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing is within") as caught:
        check_range("memory", (2, 1))
    assert str(caught.value) == (
        "nothing is within (2, 1), the range of 'memory': write memory=(1, 2), the least first"
    )
