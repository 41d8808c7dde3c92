"""Which fault is due at which checkpoint and which message, and what the dice are asked."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Any

from trio_foundation.testing._rules import Chance, Course, Fault, FaultKind


class Dice(random.Random):
    """Throws what it is told, and takes the last of what it may choose from."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = list(numbers)

    def random(self) -> float:
        return self.numbers.pop(0)

    def choice(self, seq: Any) -> Any:
        return seq[-1]


def chance(
    *names: str, rate: float = 0.5, limit: float = 9, kinds: tuple[FaultKind, ...] = ("hang",)
) -> Chance:
    return Chance(names=names, kinds=kinds, rate=rate, seconds=2.0, limit=limit)


def a_course(plan: Iterable[Fault] = (), chances: Iterable[Chance] = (), *numbers: float) -> Course:
    return Course(Dice(*numbers), plan, chances)


def test_each_child_has_checkpoints_and_messages_of_its_own() -> None:
    first, second = Fault("a", "hang", at_checkpoint=2), Fault("a", "hang", at_message=2)
    course = a_course([first, second])
    assert course.at_checkpoint("app/a") == course.at_message("app/a") == []
    assert course.at_checkpoint("app/b") == course.at_message("app/b") == []
    assert course.at_checkpoint("app/b") == course.at_message("app/b") == []
    assert course.at_checkpoint("app/a") == [first]
    assert course.at_message("app/a") == [second]
    assert course.checkpoints == {"app/a": 2, "app/b": 2}


def test_what_is_due_is_due_once_and_what_is_written_twice_is_due_twice() -> None:
    fault = Fault("a", "hang", at_checkpoint=1)
    course = a_course([fault, fault])
    assert course.at_checkpoint("x/a") == [fault, fault]
    assert course.at_checkpoint("y/a") == []


def test_what_is_added_is_due_as_well() -> None:
    course = a_course([], [], 0.1)
    course.add(Fault("a", "crash", at_checkpoint=1))
    course.add(chance())
    assert course.at_checkpoint("a") == [
        Fault("a", "crash", at_checkpoint=1),
        Fault("a", "hang", at_checkpoint=1, seconds=2.0),
    ]


def test_a_throw_below_the_rate_is_a_fault() -> None:
    course = a_course([], [chance()], 0.5, 0.499, 0.0, 0.9)
    found = [len(course.at_checkpoint("a")) for _ in range(4)]
    assert found == [0, 1, 1, 0]


def test_each_chance_throws_for_itself_and_has_its_own_limit() -> None:
    chances = [chance("b"), chance("a", limit=2), chance(limit=1, kinds=("crash", "delay"))]
    course = a_course([], chances, 0.9, 0.0, *[0.0] * 8)
    kinds = [[fault.kind for fault in course.at_checkpoint("app/a")] for _ in range(4)]
    assert kinds == [["delay"], ["hang"], ["hang"], []]
    # Whether the limit is reached or not, as many numbers are thrown.
    assert course.at_checkpoint("app/a") == []


def test_what_happens_at_random_is_said_with_path_number_and_length() -> None:
    course = a_course([], [chance("a", "b")], 0.9, 0.0)
    assert course.at_checkpoint("app/b") == []
    assert course.at_checkpoint("app/b") == [Fault("app/b", "hang", at_checkpoint=2, seconds=2.0)]


def test_a_chance_without_names_is_for_every_child() -> None:
    assert chance().is_for("app/a")
    assert chance("b", "a").is_for("app/a")
    assert not chance("b", "app").is_for("app/a")
