"""Tests of faults as data, and of what decides which is due."""

from __future__ import annotations

import pickle
import random
from typing import Any

import attrs
import pytest
from hypothesis import given, strategies as st

from trio_foundation.testing import Fault, FaultKind, Faults, InjectedCrash, fault_plans
from trio_foundation.testing._rules import Chance, Course, is_meant

NAMES = ["a", "web/a", "b"]

ONE_WORD: Any = "crash"

PATHS = ["app/a", "app/web/a", "app/b", "a"]


@given(fault_plans(NAMES))
def test_what_a_fault_is_printed_as_makes_it_again(plan: tuple[Fault, ...]) -> None:
    for fault in plan:
        again: Fault = eval(repr(fault), {"Fault": Fault})  # noqa: S307  our own text
        plain = again if fault.kind in {"delay", "starve"} else attrs.evolve(again, seconds=1.0)
        assert plain == attrs.evolve(fault, seconds=plain.seconds)
        assert pickle.loads(pickle.dumps(fault)) == fault
        assert fault.child in str(fault)


@pytest.mark.parametrize(
    ("fault", "written", "said"),
    [
        (
            Fault("a", "hang", at_message=2),
            "Fault('a', 'hang', at_message=2)",
            "hang 'a' at message 2",
        ),
        (
            Fault("a", "starve", at_checkpoint=1, seconds=0.5),
            "Fault('a', 'starve', at_checkpoint=1, seconds=0.5)",
            "starve 'a' for 0.5 s at checkpoint 1",
        ),
        (
            Fault("a", "crash", at_checkpoint=1, error=OSError),
            "Fault('a', 'crash', at_checkpoint=1, error=OSError)",
            "crash 'a' at checkpoint 1",
        ),
    ],
)
def test_a_fault_is_written_as_python_and_said_in_words(
    fault: Fault, written: str, said: str
) -> None:
    assert (repr(fault), str(fault)) == (written, said)


def test_faults_say_how_many_they_are() -> None:
    faults = Faults(3).crash("a", at_checkpoint=1)
    assert (repr(faults), faults.seed) == ("<Faults 3, 1 planned, 0 fired>", 3)


def test_a_crash_knows_where_it_was() -> None:
    crash = pickle.loads(pickle.dumps(InjectedCrash("app/web", 3)))
    assert (crash.child, crash.checkpoint) == ("app/web", 3)


@pytest.mark.parametrize(
    ("kwargs", "error", "message"),
    [
        ({}, ValueError, "write at_checkpoint=3 or at_message=3"),
        ({"at_checkpoint": 1, "at_message": 1}, ValueError, "write at_checkpoint=3"),
        ({"at_checkpoint": 0}, ValueError, "at_checkpoint must be 1 or more, not 0"),
        ({"at_message": 0}, ValueError, "at_message must be 1 or more, not 0"),
        ({"at_checkpoint": 1, "seconds": -1}, ValueError, "seconds must be 0 seconds or more"),
        ({"at_checkpoint": 1, "kind": "smash"}, ValueError, "kind must be 'crash', "),
        ({"at_checkpoint": 1, "child": ""}, ValueError, "child must not be empty"),
        ({"at_checkpoint": 1, "error": OSError("x")}, TypeError, "error must be a class"),
        ({"at_checkpoint": 1, "error": KeyboardInterrupt}, TypeError, "must be a class of errors"),
        (
            {"at_checkpoint": 1, "error": UnicodeDecodeError},
            TypeError,
            "which fails: .* that takes one text",
        ),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(
    kwargs: dict[str, Any], error: type[Exception], message: str
) -> None:
    make: Any = Fault
    with pytest.raises(error, match=message):
        make(**({"child": "a", "kind": "crash"} | kwargs))


@pytest.mark.parametrize(
    ("name", "path", "meant"),
    [
        ("a", "app/a", True),
        ("a", "app/ba", False),
        ("web/a", "app/web/a", True),
        ("app/a", "app/a", True),
        ("app", "app/a", False),
    ],
)
def test_a_child_is_named_by_the_end_of_its_path(name: str, path: str, meant: bool) -> None:
    assert is_meant(name, path) is meant


@given(fault_plans(NAMES, checkpoints=6), st.lists(st.sampled_from(PATHS), max_size=60))
def test_each_fault_of_a_plan_is_due_once_at_its_number(
    plan: tuple[Fault, ...], steps: list[str]
) -> None:
    course = Course(random.Random(0), plan, [])
    due: list[Fault] = []
    for index, path in enumerate(steps):
        number = steps[: index + 1].count(path)
        for fault in course.at_checkpoint(path):
            assert (fault.at_checkpoint, is_meant(fault.child, path)) == (number, True)
            due.append(fault)
    came = [
        fault
        for fault in plan
        if any(
            is_meant(fault.child, path) and steps.count(path) >= (fault.at_checkpoint or 0)
            for path in PATHS
        )
    ]
    assert sorted(map(repr, due)) == sorted(map(repr, came))


@given(st.lists(st.sampled_from(["app/a", "app/b"]), max_size=20), st.integers(1, 5))
def test_messages_are_counted_apart_from_checkpoints(steps: list[str], number: int) -> None:
    course = Course(random.Random(0), [Fault("a", "hang", at_message=number)], [])
    due = [fault for path in steps for fault in course.at_message(path)]
    assert course.at_checkpoint("app/a") == []
    assert len(due) == (steps.count("app/a") >= number)


def dice(seed: int, *chances: Chance, steps: int = 1_000) -> list[Fault]:
    course = Course(random.Random(seed), [], chances)
    return [fault for _ in range(steps) for fault in course.at_checkpoint("app/a")]


def chance(*names: str, rate: float = 0.1, limit: float = 1e9) -> Chance:
    kinds: tuple[FaultKind, ...] = ("crash", "delay")
    return Chance(names=names, kinds=kinds, rate=rate, seconds=2.0, limit=limit)


def test_at_random_is_about_the_rate_and_the_same_for_a_seed() -> None:
    one, again, other = (dice(seed, chance()) for seed in (1, 1, 2))
    assert one == again != other
    assert 50 < len(one) < 150
    assert {fault.kind for fault in one} == {"crash", "delay"}


def test_at_random_is_for_those_that_are_named_and_up_to_a_limit() -> None:
    assert dice(1, chance("b")) == []
    assert dice(1, chance(), chance("b")) == dice(1, chance())
    assert dice(1, chance(limit=3)) == dice(1, chance())[:3]
    assert dice(1, chance(rate=0.0)) == []
    assert len(dice(1, chance(rate=1.0), steps=7)) == 7


def test_what_happened_at_random_is_a_plan_that_does_it_again() -> None:
    happened = dice(1, chance())
    course = Course(random.Random(0), happened, [])
    again = [fault for _ in range(1_000) for fault in course.at_checkpoint("app/a")]
    assert again == happened


def test_what_comes_later_counts_as_well() -> None:
    course = Course(random.Random(0), [], [])
    assert course.at_checkpoint("a") == []
    course.add(Fault("a", "hang", at_checkpoint=2))
    course.add(chance(rate=1.0))
    assert [fault.kind for fault in course.at_checkpoint("a")].count("hang") == 1
    assert len(course.at_checkpoint("a")) == 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Faults(plan=[ONE_WORD]), TypeError, "write Fault"),
        (lambda: Faults().at_random(rate=2), ValueError, "rate must be from 0 to 1, not 2"),
        (lambda: Faults().at_random(rate=0.1, kinds=[]), ValueError, "kinds must not be empty"),
        (lambda: Faults().at_random(rate=0.1, kinds=ONE_WORD), TypeError, r"kinds=\['crash'\]"),
        (lambda: Faults().at_random("", rate=0.1), ValueError, "name must not be empty"),
        (lambda: Faults().at_random(rate=0.1, limit=-1), ValueError, "limit must be 0 or more"),
        (lambda: Faults().at_random(rate=0.1, seconds=-1), ValueError, "seconds must be"),
        (lambda: fault_plans([]), ValueError, "names must not be empty"),
        (lambda: fault_plans(["a"], checkpoints=0), ValueError, "checkpoints must be 1 or more"),
        (lambda: Faults().active().__enter__(), RuntimeError, "within a Trio run only"),
        (lambda: Faults().strike("a"), RuntimeError, "these faults are not active"),
    ],
)
def test_what_makes_no_sense_is_refused_where_it_is_written(
    call: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        call()
