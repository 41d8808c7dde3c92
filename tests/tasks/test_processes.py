"""Tests of maps whose function is a plain one, in other processes, which can be killed."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from trio_foundation.tasks import TaskTimeout, open_map, open_task_supervisor, parallel_map

from ._things import Source, errors_of, leaves_of, values_of

pytest.importorskip("trio_parallel")

pytestmark = [pytest.mark.realtime]


def children() -> set[int]:
    """Return the processes that this one has started, and that live; dead ones are reaped."""
    found: set[int] = set()
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            pid, _, rest = status.read_text().partition(" (")
        except OSError:  # it has just ended
            continue
        state, parent = rest.rpartition(") ")[2].split()[:2]
        if int(parent) == os.getpid() and state != "Z":
            found.add(int(pid))
    return found


def is_helper(pid: int) -> bool:
    """Return whether it is one that multiprocessing keeps for all workers, to clean up."""
    try:
        return b"resource_tracker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


@pytest.fixture(autouse=True)
def no_worker_is_left() -> Iterator[None]:
    if not Path("/proc/self/stat").exists():
        pytest.skip("needs /proc to see processes")
    before = children()
    yield
    assert [pid for pid in children() - before if not is_helper(pid)] == []


# What the workers do; they import it from here, by the name of this module.


def double(item: Any) -> Any:
    return 2 * item


def pid_of(_: object) -> int:
    return os.getpid()


def refuse(item: Any) -> Any:
    raise LookupError(item)


def work(item: str) -> str:
    """Do what the item says."""
    if item == "exit":
        os._exit(3)
    if item == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    while item == "spin":
        pass
    return item


def spin(path: str) -> None:
    """Write down who spins, and spin."""
    Path(path).write_text(str(os.getpid()), encoding="ascii")
    while True:
        pass


def spinner_at(path: str) -> int:
    """Return who spins, or 0 as long as nobody does."""
    try:
        return int(Path(path).read_text(encoding="ascii") or "0")
    except FileNotFoundError:
        return 0


async def wait_for_spinner(path: str) -> None:
    """Wait until somebody spins."""
    while not spinner_at(path):  # noqa: ASYNC110  it is in another process
        await trio.sleep(0.01)
    assert spinner_at(path) in children()


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "spinner")


# It is a map


async def test_a_plain_function_runs_in_other_processes() -> None:
    async with open_task_supervisor():
        results = await parallel_map(pid_of, range(4), run_in="process", limit=2)
        found = set(values_of(results))
        assert os.getpid() not in found
        assert len(found) <= 2
        assert values_of(await parallel_map(double, [1, 2], run_in="process")) == [2, 4]


async def test_of_results_that_are_handed_out_too() -> None:
    async with open_task_supervisor():
        async with open_map(double, Source(range(5)).slow(), run_in="process") as results:
            assert values_of([one async for one in results]) == [0, 2, 4, 6, 8]


async def test_its_errors_are_those_of_the_items() -> None:
    async with open_task_supervisor():
        results = await parallel_map(refuse, "ab", run_in="process", limit=1)
    assert errors_of(results) == {"a": LookupError, "b": LookupError}


async def test_of_no_items_there_is_no_process() -> None:
    async with open_task_supervisor():
        assert await parallel_map(double, [], run_in="process") == []


# Workers that die


@pytest.mark.parametrize("how", ["exit", "kill"])
async def test_a_worker_that_dies_is_one_failure_and_not_the_end(how: str) -> None:
    items = ["a", how, "b", "c"]
    async with open_task_supervisor():
        results = await parallel_map(work, items, run_in="process", limit=2)
    assert [result.item for result in results] == items
    assert [item for item, error in errors_of(results).items() if is_broken(error)] == [how]
    assert len(errors_of(results)) == 1


def is_broken(error: type[BaseException]) -> bool:
    """Return whether it says that a worker has died."""
    trio_parallel: Any = importlib.import_module("trio_parallel")
    return issubclass(error, trio_parallel.BrokenWorkerError)


async def test_with_raise_it_is_the_error() -> None:
    async with open_task_supervisor():
        with pytest.raises(BaseException) as caught:  # noqa: PT011  a group or not
            await parallel_map(work, ["exit", "a"], run_in="process", limit=1, on_error="raise")
    assert [is_broken(type(leaf)) for leaf in leaves_of(caught.value)] == [True]


# Workers that are killed


async def test_a_cancelled_scope_kills_a_worker_that_spins(path: str) -> None:
    async with open_task_supervisor() as tasks:
        with trio.CancelScope() as scope:
            tasks.start_soon(cancel_when_it_spins, scope, path)
            await parallel_map(spin, [path], run_in="process")
        assert scope.cancelled_caught
        assert spinner_at(path) not in children()


async def cancel_when_it_spins(scope: trio.CancelScope, path: str) -> None:
    await wait_for_spinner(path)
    scope.cancel()


async def test_so_does_the_end_of_the_block(path: str) -> None:
    with trio.CancelScope() as scope:
        async with open_task_supervisor() as tasks:
            tasks.start_soon(partial(parallel_map, spin, [path], run_in="process"))
            await cancel_when_it_spins(scope, path)
    assert spinner_at(path) not in children()


async def test_so_does_leaving_early(path: str) -> None:
    async with open_task_supervisor():
        async with open_map(spin, [path], run_in="process"):
            await wait_for_spinner(path)
        assert spinner_at(path) not in children()


async def test_so_does_a_timeout_and_the_rest_goes_on() -> None:
    items = ["a", "spin", "b"]
    async with open_task_supervisor():
        results = await parallel_map(work, items, run_in="process", limit=1, timeout=3.0)
    assert errors_of(results) == {"spin": TaskTimeout}
    assert [result.item for result in results] == items


async def test_so_does_the_error_of_another_item(path: str) -> None:
    async with open_task_supervisor():
        with pytest.raises((LookupError, ExceptionGroup)):
            await parallel_map(
                spin_or_fail, ["s" + path, "f" + path], run_in="process", limit=2, on_error="raise"
            )
    assert spinner_at(path) not in children()


def spin_or_fail(what: str) -> None:
    """Spin, or fail once the other one spins."""
    kind, path = what[0], what[1:]
    if kind == "s":
        spin(path)
    while not spinner_at(path):
        pass
    raise LookupError


# What cannot be pickled


class Locked:
    """A thing that no pickle can hold."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def double(self, item: Any) -> Any:
        with self._lock:
            return 2 * item


async def test_a_function_that_cannot_be_pickled_says_so() -> None:
    async with open_task_supervisor():
        results = await parallel_map(Locked().double, [1, 2], run_in="process")
    assert [result.item for result in results] == [1, 2]
    for result in results:
        with pytest.raises(Exception, match=r"(?i)pickle"):
            result.unwrap()


async def test_an_item_that_cannot_is_one_failure() -> None:
    items: list[Any] = [1, threading.Lock(), 2]
    async with open_task_supervisor():
        results = await parallel_map(double, items, run_in="process", limit=1)
    assert [type(result).__name__ for result in results] == ["Ok", "Failed", "Ok"]


async def test_so_is_a_value_that_cannot() -> None:
    async with open_task_supervisor():
        results = await parallel_map(make, ["lock", "list"], run_in="process", limit=1)
    assert [type(result).__name__ for result in results] == ["Failed", "Ok"]


def make(what: str) -> Any:
    return threading.Lock() if what == "lock" else []


async def test_the_start_of_a_process_is_no_part_of_the_time_of_its_item() -> None:
    async with open_task_supervisor():
        results = await parallel_map(abs, [-1, -2], run_in="process", timeout=0.3, limit=2)
    assert values_of(results) == [1, 2]
