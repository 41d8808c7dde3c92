"""The load finds what it looks for, and nothing where there is nothing."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
import trio
from hypothesis import given, strategies as st

from tests.soak import _samples
from tests.soak.__main__ import main
from tests.soak._plan import QUIET_END, Fault, Kind, Terms, plan
from tests.soak._plot import draw
from tests.soak._rules import Growth, Progress, Stillness, grown, growth_of, percentile, slow
from tests.soak._run import Outcome, run
from trio_foundation.agents import Coordinator, MessageDelivered, Receipt
from trio_foundation.demo._agents import Batch
from trio_foundation.demo._system import System
from trio_foundation.telemetry import subscribe

Sabotage = Callable[[System], AbstractContextManager[object]]

CALM = Terms(60.0, rest=float("inf"), interval=2.0, look_every=1.0)
"""Nothing goes wrong but what a test does itself."""


def failures_of(terms: Terms, sabotage: Sabotage) -> str:
    return "\n".join(run(terms, virtual=True, sabotage=sabotage).failures)


@pytest.fixture(scope="module")
def held() -> Outcome:
    """What came of two minutes with all faults."""
    return run(Terms.virtual(120.0, seed=1), virtual=True)


# What it says of a system that is in order


def test_it_holds(held: Outcome) -> None:
    assert held.failures == []


def test_all_that_can_go_wrong_has_gone_wrong(held: Outcome) -> None:
    assert set(held.faults) == set(get_args(Kind))
    assert held.samples.columns["restarts"][-1] > 50


def test_every_batch_is_in_one_line_of_the_account(held: Outcome) -> None:
    counts = dict(held.counts)
    assert counts.pop("lost") == 0
    assert counts.pop("sent") == sum(counts.values())
    # None of the ways out is only there on paper.
    ways = {"acknowledged", "acknowledged later", "dead letters", "called off"}
    assert ways <= {name for name, many in counts.items() if many > 20}


def test_what_came_of_it_can_be_written_and_drawn(held: Outcome, tmp_path: Path) -> None:
    told = json.loads(json.dumps(held.as_json()))
    assert len(told["samples"]["time"]) == len(held.samples) > 100
    assert {growth["name"] for growth in told["growth"]} >= {"rss", "blocks", "objects", "tasks"}
    pytest.importorskip("matplotlib", reason="needs trio-foundation[plot]")
    draw(held, tmp_path / "soak.svg")
    # Every column is a line of its own.
    assert (tmp_path / "soak.svg").read_text().count('id="line2d_') > 13


# What it says of one that is not


def test_a_leak_is_found() -> None:
    kept: list[object] = []

    def leak(event: MessageDelivered) -> None:
        kept.append([event])

    assert "objects grew from" in failures_of(CALM, lambda _: subscribe(leak, MessageDelivered))


def test_tasks_that_do_not_end_are_found() -> None:
    @contextmanager
    def leak(system: System) -> Generator[None]:
        def begin(event: MessageDelivered) -> None:
            if event.sequence % 50 == 0:
                system.tree.start_soon(trio.sleep_forever, name=f"task {next(numbers)}")

        numbers = itertools.count()
        with subscribe(begin, MessageDelivered):
            yield

    assert "tasks grew from" in failures_of(CALM, leak)


def sending(change: Callable[[Batch, Receipt, System], Receipt]) -> Sabotage:
    """Return a sabotage by which now and then something else comes of sending a batch."""

    @contextmanager
    def sabotage(system: System) -> Generator[None]:
        async def send(batch: Batch) -> Receipt:
            receipt = await really_send(batch)
            return change(batch, receipt, system) if next(numbers) % 300 == 299 else receipt

        really_send, numbers = system.send, itertools.count()
        setattr(system, "send", send)  # noqa: B010  no type allows it
        yield

    return sabotage


def drop(batch: Batch, receipt: Receipt, system: System) -> Receipt:
    del system.stores[receipt.agent_id].batches[batch.key]
    return receipt


def keep_waiting(batch: Batch, receipt: Receipt, system: System) -> Receipt:
    return Receipt("buffered", receipt.agent_id, receipt.sequence)


def store_twice(batch: Batch, receipt: Receipt, system: System) -> Receipt:
    found = system.stores[receipt.agent_id].batches[batch.key]
    for store in system.stores.values():
        store.batches[batch.key] = found
    return receipt


def store_half(batch: Batch, receipt: Receipt, system: System) -> Receipt:
    batches = system.stores[receipt.agent_id].batches
    batches[batch.key] = batches[batch.key][1:]
    return receipt


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (drop, "and is stored by []"),
        (keep_waiting, "is lost: nobody was told"),
        (store_twice, "and is stored by ['python-1', 'python-2'"),
        (store_half, "but not as it should be"),
    ],
)
def test_a_message_that_is_lost_is_found(
    change: Callable[[Batch, Receipt, System], Receipt], told: str
) -> None:
    assert told in failures_of(CALM, sending(change))


def test_a_batch_that_is_stored_after_it_was_settled_is_found() -> None:
    @contextmanager
    def store(system: System) -> Generator[None]:
        def late(event: MessageDelivered) -> None:
            system.stores["text-1"].batches.setdefault("text batch 0", [])

        with subscribe(late, MessageDelivered):
            yield

    assert "text batch 0 was stored again by text-1" in failures_of(CALM, store)


def test_a_child_that_does_not_get_ready_is_found() -> None:
    async def never(*, task_status: trio.TaskStatus[None]) -> None:
        await trio.sleep_forever()

    @contextmanager
    def add(system: System) -> Generator[None]:
        system.tree.start_soon(never)
        yield

    assert "child never is stuck: state and incarnation are ('starting', 1)" in failures_of(
        CALM, add
    )


def test_an_agent_whose_messages_wait_for_ever_is_found() -> None:
    @contextmanager
    def shut(system: System) -> Generator[None]:
        system.coordinator.breaker("text-1").force_open()
        yield

    failures = failures_of(CALM, shut)
    assert "agent text-1 is stuck: it handles nothing, and messages wait" in failures
    assert "is lost" in failures


def test_a_slow_statistics_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    now, statistics = 0.0, Coordinator.statistics

    def slowly(coordinator: Coordinator) -> Any:
        nonlocal now
        now += 0.06
        return statistics(coordinator)

    monkeypatch.setattr(_samples, "timer", lambda: now)
    monkeypatch.setattr(Coordinator, "statistics", slowly)
    outcome = run(CALM, virtual=True)
    assert outcome.failures == ["statistics() takes 60.0 ms, more than 50 ms"]


def test_a_system_that_gives_up_is_told() -> None:
    async def crash() -> None:
        raise OSError("no route")

    @contextmanager
    def add(system: System) -> Generator[None]:
        system.tree.start_soon(crash)
        yield

    assert "RestartLimitReached" in failures_of(CALM, add)


# The rules


@given(
    leak=st.just(0.0) | st.floats(30.0, 1e6),
    noise=st.lists(st.floats(0, 1e9), min_size=30, max_size=60),
)
def test_what_comes_back_is_no_leak_and_what_does_not_is_one(
    leak: float, noise: list[float]
) -> None:
    values = [1000.0 + leak * place for place in range(len(noise))]
    for place, much in enumerate(noise):
        if place % 8 == 0:
            values[place] = 0.0  # something was stopped
        elif place % 2 == 0:
            values[place] += much  # a burst
    growth = growth_of("x", range(len(noise)), values, warm_up=0.0)
    assert growth is not None
    assert growth.is_leak == (leak > 0.0)


def test_growth_in_the_warm_up_is_none() -> None:
    values = [1.0, 50.0, 100.0, 100.0, 100.0, 100.0]
    assert growth_of("x", range(6), values, warm_up=2.0) == Growth("x", 100.0, 100.0)
    assert grown([growth_of("x", range(6), values, warm_up=2.0)]) == []
    assert grown([growth_of("x", range(6), values, warm_up=0.0)]) == ["x grew from 1 to 100"]


@pytest.mark.parametrize(
    ("late", "is_leak"), [(110.0, False), (111.0, True)], ids=["exactly 1.1", "more"]
)
def test_it_may_grow_by_a_tenth(late: float, is_leak: bool) -> None:
    assert Growth("x", 100.0, late).is_leak is is_leak


def test_a_run_that_is_too_short_to_judge_has_not_held() -> None:
    assert grown([growth_of("x", [1.0, 2.0], [1.0, 1.0], warm_up=0.0)]) != []


@given(values=st.lists(st.floats(0, 10), min_size=1), share=st.floats(0.01, 1.0))
def test_a_percentile_is_the_least_that_so_many_do_not_exceed(
    values: list[float], share: float
) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_one_slow_call_in_a_hundred_is_borne_and_two_are_not() -> None:
    assert slow([0.001] * 99 + [9.0]) == []
    assert slow([0.001] * 98 + [9.0, 9.0]) == ["statistics() takes 9000.0 ms, more than 50 ms"]


def looks(stillness: Stillness, *looks: Progress | None) -> Iterator[list[str]]:
    """Yield what is told at each look, one a second; None is for one that is excused."""
    for now, progress in enumerate(looks):
        yield list(stillness.look(now, {} if progress is None else {"ann": progress}))


def test_only_who_stays_where_it_is_is_stuck() -> None:
    waits = Progress(1, is_due=True)
    assert list(looks(Stillness(1.5), waits, waits, waits, waits)) == [[], [], ["ann"], []]
    went_on, is_idle = Progress(2, is_due=True), Progress(1, is_due=False)
    for other in (went_on, is_idle, None):
        told = list(looks(Stillness(1.5), waits, waits, other, waits, waits))
        assert told == [[], [], [], [], []]


# The plan


@given(seed=st.integers(0, 10_000), seconds=st.floats(60, 7200), virtual=st.booleans())
def test_no_capability_is_befallen_twice_at_once_and_the_end_is_quiet(
    seed: int, seconds: float, virtual: bool
) -> None:
    terms = (Terms.virtual if virtual else Terms.real)(seconds, seed)
    faults = plan(terms)
    assert faults == plan(terms)
    assert all(fault.until <= seconds - QUIET_END for fault in faults)
    for target in ("python", "text", "all"):
        track: list[Fault] = [fault for fault in faults if fault.target == target]
        assert all(one.until <= other.at for one, other in itertools.pairwise(track))


@pytest.mark.parametrize("seed", range(20))
def test_already_a_minute_has_all_kinds_of_faults(seed: int) -> None:
    assert {fault.kind for fault in plan(Terms.real(60.0, seed))} == set(get_args(Kind))


# The command line


def test_the_command_says_what_came_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "soak.json"
    assert main(["--minutes", "1", "--virtual", "--json", str(file)]) == 0
    told = capsys.readouterr().out
    assert told.startswith("60 s of virtual time, seed 1: ")
    assert told.endswith("It held.\n")
    assert json.loads(file.read_text())["failures"] == []


@pytest.mark.parametrize("arguments", [[], ["--minutes", "0.5"], ["--hours", "inf"]])
def test_less_than_a_minute_tells_nothing(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "it takes a minute at least" in capsys.readouterr().err
