"""Tests of how far a map may go ahead, and of the order of its results."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, strategies as st

from trio_foundation.tasks._rules import Pace, Queue

# How far


def test_no_more_work_at_once_than_the_limit() -> None:
    pace = Pace(limit=2)
    assert pace.wants_worker
    pace.workers = 2
    assert not pace.wants_worker


def test_without_a_buffer_as_many_begin_as_run() -> None:
    pace = Pace(limit=2, buffer=0)
    pace.begun = 2
    assert not pace.wants_worker
    pace.take()
    assert pace.wants_worker
    assert pace.most_begun == 3


def test_a_buffer_lets_as_many_more_begin() -> None:
    pace = Pace(limit=2, buffer=3)
    assert pace.most_begun == 5


def test_an_endless_buffer_never_holds_back() -> None:
    pace = Pace(limit=1, buffer=math.inf)
    pace.begun = 10**9
    assert pace.wants_worker


def test_a_higher_limit_lets_more_begin_at_once() -> None:
    pace = Pace(limit=1, buffer=1)
    pace.begun = pace.workers = 1
    pace.take()
    pace.set_limit(3)
    assert (pace.limit, pace.most_begun) == (3, 5)
    assert pace.wants_worker


def test_all_that_was_taken_counts_when_the_limit_changes() -> None:
    pace = Pace(limit=1, buffer=1)
    for _ in range(3):
        pace.take()
    pace.set_limit(2)
    assert pace.most_begun == 3 + 2 + 1


def test_a_lower_limit_holds_back_what_has_not_begun() -> None:
    pace = Pace(limit=4, buffer=0)
    pace.begun = pace.workers = 3
    pace.set_limit(2)
    assert not pace.wants_worker
    assert pace.most_begun == 2


def test_at_the_end_nobody_is_wanted_and_nobody_waits() -> None:
    pace = Pace(limit=4)
    assert not pace.has_ended
    pace.end()
    assert pace.has_ended
    assert not pace.wants_worker
    assert pace.begun < pace.most_begun


def test_after_the_end_a_limit_changes_nothing() -> None:
    pace = Pace(limit=4)
    pace.end()
    pace.set_limit(10)
    assert pace.has_ended
    assert not pace.wants_worker


counts = st.integers(0, 5)
limits = st.one_of(st.integers(1, 5), st.just(math.inf))


@given(
    limit=limits,
    buffer=st.one_of(counts, st.just(math.inf)),
    steps=st.lists(st.sampled_from(["begin", "end", "take", "limit"]), max_size=60),
    data=st.data(),
)
def test_it_says_what_a_count_of_all_items_says(
    limit: float, buffer: float, steps: list[str], data: st.DataObject
) -> None:
    pace = Pace(limit=limit, buffer=buffer)
    running = waiting = 0
    for step in steps:
        if step == "limit":
            limit = data.draw(limits)
            pace.set_limit(limit)
        elif step == "begin" and pace.wants_worker:
            pace.begun += 1
            pace.workers += 1
            running += 1
        elif step == "end" and running:
            pace.workers -= 1
            running -= 1
            waiting += 1
        elif step == "take" and waiting:
            pace.take()
            waiting -= 1
        assert pace.wants_worker == (running < limit and running + waiting < limit + buffer)


# In which order


def test_results_come_in_the_order_of_the_items() -> None:
    queue = Queue[str](ordered=True)
    assert [queue.put(2, "c"), queue.put(1, "b"), len(queue)] == [0, 0, 0]
    assert [queue.put(0, "a"), len(queue)] == [3, 3]
    assert [queue.pop(), queue.pop(), queue.pop()] == ["a", "b", "c"]


def test_or_in_the_order_of_their_ends() -> None:
    queue = Queue[str](ordered=False)
    assert [queue.put(2, "c"), queue.put(0, "a")] == [1, 1]
    assert [queue.pop(), queue.pop()] == ["c", "a"]


@pytest.mark.parametrize("ordered", [True, False])
def test_what_was_cleared_is_gone(ordered: bool) -> None:
    queue = Queue[str](ordered=ordered)
    queue.put(0, "a")
    queue.put(2, "c")
    queue.clear()
    assert not queue
    queue.put(1, "b")
    assert [queue.pop(), len(queue)] == ["b", 0]


@given(
    order=st.permutations(range(12)),
    ordered=st.booleans(),
    pops=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_it_is_a_list_of_which_one_takes_the_head(
    order: list[int], ordered: bool, pops: list[bool]
) -> None:
    queue = Queue[int](ordered=ordered)
    ended: list[int] = []
    popped: list[int] = []

    def ready() -> list[int]:
        if not ordered:
            return ended
        return [number for number in range(12) if set(range(number + 1)) <= set(ended)]

    for number, pop in zip(order, pops, strict=True):
        before = len(ready())
        ended.append(number)
        assert queue.put(number, number) == len(ready()) - before
        assert len(queue) == len(ready()) - len(popped)
        if queue and pop:
            popped.append(queue.pop())
            assert popped == ready()[: len(popped)]
    popped += [queue.pop() for _ in range(len(queue))]
    assert popped == ready()
