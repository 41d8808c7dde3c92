"""Tests of the state machine by arithmetic."""

from __future__ import annotations

import itertools
import math
from typing import Literal, get_args

import pytest

from trio_foundation.resilience._rules import (
    NEXT,
    BreakerState,
    Cause,
    Change,
    Circuit,
    ConsecutiveFailures,
    Verdict,
)

STATES: tuple[BreakerState, ...] = get_args(BreakerState)
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)


def circuit_in(state: BreakerState) -> Circuit:
    """Return a circuit that trips at once and stays open for 10 seconds, in a state, at 0."""
    circuit = Circuit(ConsecutiveFailures(1), open_for=lambda attempt: 10.0 * 2**attempt)
    if state == "forced_open":
        circuit.force_open(0.0)
    elif state == "disabled":
        circuit.disable(0.0)
    elif state != "closed":
        circuit.settle(admitted(circuit), "failure", -10.0)
        if state == "half_open":
            circuit.touch(0.0)
    assert circuit.state == state
    return circuit


def admitted(circuit: Circuit) -> int:
    assert circuit.has_room
    return circuit.admit()


def test_the_table_leads_from_each_state_to_each_other_by_hand() -> None:
    reached = set(NEXT.values())
    assert reached == set(STATES)
    assert {old for old, happening in NEXT if happening == "close"} == set(STATES)


def test_only_what_is_tried_by_a_call_leads_out_of_half_open_by_itself() -> None:
    own = {happening for old, happening in NEXT if old == "half_open"}
    assert own == {"passed", "failed", "force_open", "disable", "close"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("verdict", VERDICTS)
def test_a_call_of_an_earlier_state_changes_nothing(state: BreakerState, verdict: Verdict) -> None:
    circuit = circuit_in(state)
    before = circuit.generation
    assert circuit.settle(before - 1, verdict, 0.0) is None
    assert (circuit.state, circuit.generation) == (state, before)


@pytest.mark.parametrize(
    ("state", "has_room", "retry_after"),
    [
        ("closed", True, None),
        ("open", False, 10.0),
        ("half_open", True, None),
        ("forced_open", False, None),
        ("disabled", True, None),
    ],
)
def test_each_state_has_room_where_it_should(
    state: BreakerState, has_room: bool, retry_after: float | None
) -> None:
    circuit = circuit_in(state)
    circuit.until += 10.0 if state == "open" else 0.0
    assert (circuit.has_room, circuit.retry_after(0.0)) == (has_room, retry_after)


@pytest.mark.parametrize(
    ("old", "new"), list(itertools.product(STATES, ["forced_open", "disabled"]))
)
def test_a_verb_tells_its_change_once(old: BreakerState, new: BreakerState) -> None:
    circuit = circuit_in(old)
    verb = circuit.force_open if new == "forced_open" else circuit.disable
    assert verb(0.0) == (None if old == new else Change(old, new, "forced"))
    assert verb(0.0) is None


def test_closing_by_hand_forgets_failures_also_when_it_is_closed() -> None:
    circuit = Circuit(ConsecutiveFailures(2), open_for=lambda attempt: 1.0)
    circuit.settle(admitted(circuit), "failure", 0.0)
    assert circuit.counts(0.0) == (1, 1)
    assert circuit.close("reset", 0.0) is None
    assert circuit.counts(0.0) == (0, 0)


def test_it_is_open_until_the_very_moment() -> None:
    circuit = Circuit(ConsecutiveFailures(1), open_for=lambda attempt: 10.0)
    circuit.settle(admitted(circuit), "failure", 1.0)
    assert circuit.until == 11.0
    assert circuit.touch(math.nextafter(11.0, 0.0)) is None
    assert circuit.touch(11.0) == Change("open", "half_open", "reset_timeout")
    assert circuit.touch(12.0) is None


def test_each_failed_probe_counts_as_an_attempt_until_it_closes() -> None:
    circuit = circuit_in("half_open")
    times: list[float] = []
    now = 0.0
    for _ in range(3):
        circuit.settle(admitted(circuit), "failure", now)
        times.append(circuit.until - now)
        now = circuit.until
        circuit.touch(now)
    assert times == [20.0, 40.0, 80.0]
    circuit.settle(admitted(circuit), "success", now)
    assert (circuit.state, circuit.attempt, circuit.opened_at) == ("closed", 0, None)


def test_since_when_it_is_open_is_not_moved_by_probes() -> None:
    circuit = circuit_in("half_open")
    assert circuit.opened_at == -10.0
    circuit.settle(admitted(circuit), "failure", 5.0)
    assert circuit.opened_at == -10.0
    circuit.force_open(6.0)
    assert circuit.opened_at == -10.0
    circuit.disable(7.0)
    assert circuit.opened_at is None


def test_since_when_it_is_forced_open_is_told() -> None:
    circuit = circuit_in("closed")
    circuit.force_open(6.0)
    circuit.force_open(7.0)
    assert circuit.opened_at == 6.0


@pytest.mark.parametrize("state", ["open", "half_open", "forced_open", "disabled"])
@pytest.mark.parametrize("cause", ["forced", "reset"])
def test_closing_by_hand_tells_why(state: BreakerState, cause: Literal["forced", "reset"]) -> None:
    assert circuit_in(state).close(cause, 5.0) == Change(state, "closed", cause)


@pytest.mark.parametrize(
    ("state", "cause"), [("closed", "failures"), ("half_open", "probe_failed")]
)
@pytest.mark.parametrize("open_for", [None, 3.0])
def test_a_failure_that_opens_it_tells_why_and_for_how_long(
    state: BreakerState, cause: Cause, open_for: float | None
) -> None:
    circuit = circuit_in(state)
    change = circuit.settle(admitted(circuit), "failure", 1.0, open_for=open_for)
    assert change == Change(state, "open", cause)
    assert circuit.until == 1.0 + (10.0 * 2**circuit.attempt if open_for is None else open_for)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_while_it_is_disabled_nothing_counts(verdict: Verdict) -> None:
    circuit = circuit_in("disabled")
    assert circuit.settle(admitted(circuit), verdict, 1.0) is None
    assert (circuit.state, circuit.attempt, circuit.counts(1.0)) == ("disabled", 0, (0, 0))


def test_it_tries_one_call_if_nobody_says_how_many_and_one_success_is_enough() -> None:
    circuit = circuit_in("half_open")
    probe = admitted(circuit)
    assert not circuit.has_room
    assert circuit.settle(probe, "success", 1.0) == Change("half_open", "closed", "probe_succeeded")


def test_the_caller_may_say_how_long_it_is_open() -> None:
    circuit = circuit_in("closed")
    circuit.settle(admitted(circuit), "failure", 1.0, open_for=3.0)
    assert (circuit.until, circuit.retry_after(2.0), circuit.retry_after(9.0)) == (4.0, 2.0, 0.0)


def test_probes_that_say_nothing_give_their_place_back() -> None:
    circuit = Circuit(
        ConsecutiveFailures(1), open_for=lambda attempt: 0.0, max_probes=2, success_threshold=2
    )
    circuit.settle(admitted(circuit), "failure", 0.0)
    circuit.touch(0.0)
    first, second = admitted(circuit), admitted(circuit)
    assert not circuit.has_room
    circuit.settle(first, "ignored", 0.0)
    third = admitted(circuit)
    assert circuit.settle(second, "success", 0.0) is None
    assert circuit.settle(third, "success", 0.0) == Change("half_open", "closed", "probe_succeeded")
