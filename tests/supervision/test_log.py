"""What is written to the log without being asked for."""

from __future__ import annotations

import logging

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from trio_foundation.supervision import (
    ChildUnstopped,
    RestartLimitReached,
    ShutdownChild,
    child,
    open_supervisor,
    subtree,
)
from trio_foundation.telemetry import subscribe

LOG = "trio_foundation.supervision"


async def crash() -> None:
    raise ConnectionError("no route to host")


async def test_a_crash_is_a_warning_with_its_traceback_and_its_facts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_supervisor(name="app") as sup:
        exit = await sup.start_soon(crash, restart="temporary").wait_exit()
    (record,) = caplog.records
    assert (record.name, record.levelno) == (LOG, logging.WARNING)
    assert "app: child 'crash' (incarnation 1) crashed" in record.getMessage()
    assert record.getMessage().endswith("ConnectionError: no route to host")
    assert (vars(record)["child"], vars(record)["exit"]) == ("crash", exit)


async def test_a_subtree_that_gives_up_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    inner = subtree([child(crash)], name="inner", max_restarts=0, restart="transient")
    async with open_supervisor([inner], name="app"):
        await wait_all_tasks_blocked()
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert any("app: child 'inner'" in line and "gave up" in line for line in told)


async def test_an_orderly_end_is_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    async def finish() -> None:
        raise ShutdownChild("done")

    caplog.set_level(logging.INFO, logger=LOG)
    async with open_supervisor() as sup:
        await sup.start_soon(finish, restart="temporary").wait_exit()
    assert [record.levelno for record in caplog.records] == [logging.INFO]


async def test_what_goes_on_up_is_not_logged_as_a_crash(caplog: pytest.LogCaptureFixture) -> None:
    async def leave() -> None:
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        async with open_supervisor([subtree([child(leave)], name="inner")]):
            await trio.sleep_forever()
    assert not caplog.records


async def test_of_a_child_that_does_not_stop_its_own_line_is_told(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async def stubborn() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(60)  # here

    told: list[ChildUnstopped] = []
    with subscribe(told.append, ChildUnstopped):
        async with open_supervisor([child(stubborn)]):
            await wait_all_tasks_blocked()
    assert told[0].stack.count("File ") == 1
    assert told[0].stack.endswith("await trio.sleep(60)  # here")
    assert told[0].stack in caplog.text


async def test_the_traceback_of_a_crash_begins_with_the_function_of_the_child() -> None:
    with pytest.raises(RestartLimitReached) as caught:
        async with open_supervisor([child(crash)], max_restarts=0):
            await trio.sleep_forever()
    cause = caught.value.__cause__
    assert cause is not None
    assert cause.__traceback__ is not None
    assert cause.__traceback__.tb_frame.f_code is crash.__code__


def test_a_block_that_was_not_entered_says_how() -> None:
    assert repr(open_supervisor(name="app")) == "<block of supervisor 'app': write `async with`>"
