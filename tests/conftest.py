"""How the tests run: on which package, in which kind of Trio run.

``--trio-run`` gives every run of the tests, those that a test or an example starts by
itself included, to another runner: with loose exception groups, or as a guest of asyncio.
``--installed`` refuses to test anything but an installed package.
"""

from __future__ import annotations

import asyncio
import functools
import gc
import logging
import signal
import sysconfig
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar, TypeVarTuple

import hypothesis
import outcome
import pytest
import trio
from trio.abc import Clock, Instrument

# In seconds, and real ones; faulthandler's are in pyproject.toml.
PATIENCE = 50.0

ResultT = TypeVar("ResultT")
PosArgsT = TypeVarTuple("PosArgsT")

# "ci" tries the same examples every time; the nightly run looks for new ones.
hypothesis.settings.register_profile("ci", derandomize=True, deadline=None)
hypothesis.settings.register_profile("brief", max_examples=25, derandomize=True, deadline=None)
hypothesis.settings.register_profile("nightly", max_examples=1_000, deadline=None, print_blob=True)
hypothesis.settings.load_profile("ci")


def run_as_guest(
    async_fn: Callable[[*PosArgsT], Awaitable[ResultT]],
    *args: *PosArgsT,
    clock: Clock | None = None,
    instruments: Sequence[Instrument] = (),
    restrict_keyboard_interrupt_to_checkpoints: bool = False,
    strict_exception_groups: bool = True,
) -> ResultT:
    """Do what `trio.run` does, as a guest in the event loop of asyncio."""
    # What asyncio says of its event loop is no record that a test waits for.
    logging.getLogger("asyncio").setLevel(logging.WARNING)

    async def host() -> ResultT:
        loop = asyncio.get_running_loop()
        ended: asyncio.Future[outcome.Outcome[ResultT]] = loop.create_future()
        trio.lowlevel.start_guest_run(
            async_fn,
            *args,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            run_sync_soon_not_threadsafe=loop.call_soon,
            done_callback=ended.set_result,
            host_uses_signal_set_wakeup_fd=True,
            clock=clock,
            instruments=instruments,
            restrict_keyboard_interrupt_to_checkpoints=restrict_keyboard_interrupt_to_checkpoints,
            strict_exception_groups=strict_exception_groups,
        )
        return (await ended).unwrap()

    return asyncio.run(host())


RUNNERS: dict[str, Any] = {
    "trio": trio.run,
    "loose_groups": functools.partial(trio.run, strict_exception_groups=False),
    "guest": run_as_guest,
}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--trio-run",
        choices=sorted(RUNNERS),
        default="trio",
        help="what every trio.run in the tests is: as it is, with strict_exception_groups=False, "
        "or a guest of asyncio",
    )
    parser.addoption(
        "--installed",
        action="store_true",
        help="refuse to test a trio_foundation that is not an installed package",
    )


def pytest_configure(config: pytest.Config) -> None:
    # pytest-trio lets a test choose its runner, but neither tests under Hypothesis nor
    # examples, nor runs that a test starts by itself. All of them look `trio.run` up
    # when they need it.
    config.add_cleanup(functools.partial(setattr, trio, "run", trio.run))
    kind = str(config.getoption("--trio-run"))
    trio.run = RUNNERS[kind]
    if kind == "loose_groups":
        loose = "ignore:.*strict_exception_groups=False:trio.TrioDeprecationWarning"
        config.addinivalue_line("filterwarnings", loose)
    if config.getoption("--installed"):
        refuse_all_but(Path(sysconfig.get_path("purelib")))


class HungError(BaseException):
    """The test hangs. Raised wherever it hangs, Trio's own loop included, it ends the run."""


@pytest.fixture(autouse=True)
def no_test_hangs(request: pytest.FixtureRequest) -> Iterator[None]:
    """End a test that hangs, and the tests with it; faulthandler could not say which it was."""

    def give_up(signum: int, frame: FrameType | None) -> None:
        # A run that was torn apart is in the way of the next one.
        request.session.shouldstop = f"{request.node.nodeid} hangs"
        raise HungError

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def refuse_all_but(installed: Path) -> None:
    import trio_foundation  # noqa: PLC0415  not before pytest rewrites and coverage counts

    found = Path(trio_foundation.__file__).parent
    if found.resolve() != (installed / "trio_foundation").resolve():
        raise pytest.UsageError(f"--installed, but trio_foundation was imported from {found}")


def pytest_collection_finish() -> None:
    """Have the collector pass over what is there for good; that is most, and it looks often."""
    gc.collect()
    gc.freeze()
