"""Tests of who is started again."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, strategies as st

from trio_foundation.supervision import ExitReason, Restart, Strategy
from trio_foundation.supervision._rules import is_restarted, restart_group

RESTARTS: tuple[Restart, ...] = get_args(Restart)
REASONS: tuple[ExitReason, ...] = get_args(ExitReason)

# OTP's table (S20 to S22), written out: the ends after which a child is started again.
STARTED_AGAIN = {
    ("permanent", "returned"),
    ("permanent", "shutdown"),
    ("permanent", "crashed"),
    ("permanent", "unresponsive"),
    ("transient", "crashed"),
    ("transient", "unresponsive"),
}

MEMBERS = st.integers(min_value=1, max_value=8).flatmap(
    lambda size: st.tuples(st.just(list(range(size))), st.integers(0, size - 1))
)


# What a reader should know


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("restart", RESTARTS)
def test_the_type_and_the_reason_decide(restart: Restart, reason: ExitReason) -> None:
    assert is_restarted(restart, reason) is ((restart, reason) in STARTED_AGAIN)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("restart", RESTARTS)
def test_a_child_that_was_not_ready_has_crashed_whatever_the_reason(
    restart: Restart, reason: ExitReason
) -> None:
    assert is_restarted(restart, reason, was_ready=False) is (restart != "temporary")


@pytest.mark.parametrize(
    ("strategy", "group"),
    [("one_for_one", "b"), ("one_for_all", "abcd"), ("rest_for_one", "bcd")],
)
def test_the_strategy_says_who_goes_along(strategy: Strategy, group: str) -> None:
    assert restart_group(strategy, list("abcd"), "b") == list(group)


# The promise itself


@given(st.sampled_from(get_args(Strategy)), MEMBERS)
def test_the_group_is_a_stretch_of_the_members_with_the_leader_in_it(
    strategy: Strategy, members_and_leader: tuple[list[int], int]
) -> None:
    members, leader = members_and_leader
    group = restart_group(strategy, members, leader)
    first = {"one_for_one": leader, "one_for_all": 0, "rest_for_one": leader}[strategy]
    last = leader if strategy == "one_for_one" else members[-1]
    assert group == [member for member in members if first <= member <= last]


@given(st.sampled_from(get_args(Strategy)), MEMBERS)
def test_the_members_are_left_as_they_were(
    strategy: Strategy, members_and_leader: tuple[list[int], int]
) -> None:
    members, leader = members_and_leader
    group = restart_group(strategy, members, leader)
    group.clear()  # what comes back is the caller's own
    assert members == list(range(len(members)))
