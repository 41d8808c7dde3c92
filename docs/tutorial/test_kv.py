"""What the service promises. Nothing here waits for a real second."""

from __future__ import annotations

from pathlib import Path

import journal
import kv_7
import pytest
import trio
from store import Store
from trio.testing import MockClock

from trio_foundation.messaging import CallFailed, serve
from trio_foundation.supervision import open_supervisor
from trio_foundation.testing import Faults, explore, open_test_supervisor


@pytest.fixture(autouse=True)
def empty_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with nothing."""
    monkeypatch.setattr(journal, "JOURNAL", tmp_path / "journal")


async def test_a_store_that_crashes_knows_everything_again() -> None:
    spec, store = serve(Store, capacity=10)
    async with open_supervisor([spec]):
        await store.call(Store.put, "fruit", "apple")
        with pytest.raises(CallFailed):
            await store.call(Store.add, "fruit", "1")
        assert await store.call(Store.get, "fruit") == "apple"


async def test_an_upstream_that_hangs_is_given_up_after_three_calls(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: str) -> None:
        await trio.sleep_forever()

    monkeypatch.setattr(kv_7, "fetch", hang)
    spec, store = serve(Store, capacity=10)
    upstream = kv_7.guarded()
    async with open_supervisor([spec]):
        answers = [await kv_7.reply(store, upstream, "GET drink") for _ in range(5)]
        assert trio.current_time() == 6.0  # three times two seconds
        assert "'upstream' is open" in answers[-1]


async def what_is_acknowledged_is_kept() -> None:
    journal.JOURNAL.unlink(missing_ok=True)
    kept: list[str] = []
    spec, store = serve(Store, capacity=10, name="store")
    async with open_test_supervisor([spec]):
        for key in "abcdef":
            try:
                await store.call(Store.put, key, "1")
            except CallFailed:
                continue  # nobody knows whether it is stored
            kept.append(key)
        for key in kept:
            assert await store.call(Store.get, key) == "1"


def test_what_is_acknowledged_is_kept_whenever_the_store_crashes() -> None:
    for checkpoint in range(1, 8):
        faults = Faults().crash("store", at_checkpoint=checkpoint)
        explore(what_is_acknowledged_is_kept, seeds=range(5), faults=faults)
