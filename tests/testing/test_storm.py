"""Tests of faults by the clock, on whoever is there."""

from __future__ import annotations

from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    RestartLimitReached,
    child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    subtree,
)
from trio_foundation.testing import (
    Fault,
    assert_no_tasks_left,
    open_storm,
    open_test_supervisor,
)


def idle(name: str) -> Any:
    return child(trio.sleep_forever, name=name)


async def fired_in(seed: int, seconds: float = 30.0) -> tuple[Fault, ...]:
    async with open_test_supervisor([idle("a"), idle("b")]) as sup:
        async with open_storm(sup, seed) as faults:
            await trio.sleep(seconds)
        await wait_all_tasks_blocked()
        return faults.fired
    raise AssertionError


async def test_all_below_are_struck_and_nobody_else(autojump_clock: MockClock) -> None:
    twigs = subtree([idle("b"), idle("c")], name="twigs", max_restarts=100)
    async with (
        open_test_supervisor([idle("x")], name="other") as other,
        open_test_supervisor([idle("a"), twigs, dynamic_subtree(name="jobs")], name="app") as sup,
    ):
        async with open_storm(sup, seed=1, every=0.2, kinds=["crash"]) as faults:
            await trio.sleep(10)
            await sup.children["jobs"].wait_ready()
            job = sup.children["jobs"].value.start_soon(trio.sleep_forever, name="d")
            await job.wait_exit()
        struck = {fault.child for fault in faults.fired}
        assert struck >= {"app/a", "app/twigs", "app/twigs/b", "app/twigs/c", "app/jobs"}
        assert other.children["x"].restarts == 0
        await wait_all_tasks_blocked()
        assert [sup.children[name].state for name in ("a", "twigs", "jobs")] == ["running"] * 3


async def test_the_same_seed_is_the_same_storm(autojump_clock: MockClock) -> None:
    one, again, other = await fired_in(1), await fired_in(1), await fired_in(2)
    assert one == again != other
    assert 30 < len(one) < 90
    assert {fault.kind for fault in one} == {"crash", "cancel", "starve"}


async def test_it_ends_with_the_block(autojump_clock: MockClock) -> None:
    async with open_test_supervisor([idle("a")]) as sup:
        async with open_storm(sup, seed=1, every=0.2) as faults:
            await trio.sleep(5)
        await wait_all_tasks_blocked()
        restarts, fired = sup.children["a"].restarts, faults.fired
        await trio.sleep(100)
        assert (sup.children["a"].restarts, faults.fired) == (restarts, fired)


async def test_a_dynamic_supervisor_without_children_bears_it_too(
    autojump_clock: MockClock,
) -> None:
    async with open_dynamic_supervisor() as sup, open_storm(sup, seed=1) as faults:
        await trio.sleep(10)
        assert faults.fired == ()
        nap = sup.start_soon(trio.sleep_forever)
        assert (await nap.wait_exit()).reason in {"crashed", "returned"}


async def test_what_the_body_raises_leaves_it_bare(autojump_clock: MockClock) -> None:
    error = ValueError("mine")
    with pytest.raises(ValueError, match="mine") as caught:
        async with open_test_supervisor([idle("a")]) as sup, open_storm(sup, seed=1):
            await trio.sleep(1)
            raise error
    assert caught.value is error


async def test_a_deadline_ends_it(autojump_clock: MockClock) -> None:
    with trio.move_on_after(5) as scope:
        async with open_test_supervisor([idle("a")]) as sup, open_storm(sup, seed=1):
            await trio.sleep_forever()
    assert scope.cancelled_caught
    assert_no_tasks_left()


async def test_a_supervisor_of_production_gives_up_and_the_storm_with_it(
    autojump_clock: MockClock,
) -> None:
    with pytest.raises(RestartLimitReached):
        async with open_supervisor([idle("a")]) as sup, open_storm(sup, 1, kinds=["crash"]):
            await trio.sleep_forever()


async def test_a_hang_is_a_hang(autojump_clock: MockClock) -> None:
    done: list[float] = []

    async def work() -> None:
        while True:
            await trio.sleep(1)
            done.append(trio.current_time())

    async with open_test_supervisor([child(work)]) as sup:
        async with open_storm(sup, seed=1, kinds=["hang"]):
            await trio.sleep(20)
        assert len(done) < 5
        assert sup.children["work"].state == "running"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"every": 0}, ValueError, "every must be more than 0 seconds"),
        ({"seconds": -1}, ValueError, "seconds must be 0 seconds or more"),
        ({"kinds": []}, ValueError, "kinds must not be empty"),
        ({"kinds": ["storm"]}, ValueError, "kind must be 'crash'"),
        ({"sup": "app"}, TypeError, "takes the supervisor that open_supervisor gives"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    opener: Any = open_storm
    async with open_supervisor() as sup:
        with pytest.raises(error, match=message):
            opener(**{"sup": sup, "seed": 1, **arguments})


async def test_an_error_of_the_body_is_not_lost_to_a_cancellation() -> None:
    error = KeyError("body")
    with trio.CancelScope() as scope, pytest.raises(KeyError) as failure:
        async with open_test_supervisor([child(trio.sleep_forever, name="web")]) as sup:
            async with open_storm(sup, seed=1):
                scope.cancel()
                raise error
    assert failure.value is error
