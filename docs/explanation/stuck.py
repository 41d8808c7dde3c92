"""Three tasks that are told to stop: one shields itself, one waits for a thread, one lets go."""

from __future__ import annotations

import logging
import time

import trio

from trio_foundation.supervision import child, open_supervisor


async def shield() -> None:
    """Refuse to be cancelled, for a second."""
    with trio.CancelScope(shield=True):
        await trio.sleep(1.0)


async def wait_for_thread() -> None:
    """Wait for a thread, which nobody can interrupt."""
    await trio.to_thread.run_sync(time.sleep, 0.5)


async def abandon_thread() -> None:
    """Wait for a thread, but not longer than necessary."""
    await trio.to_thread.run_sync(time.sleep, 0.3, abandon_on_cancel=True)


async def main() -> None:
    """Stop all of them, newest first, a tenth of a second after they began."""
    logging.basicConfig(format="%(message)s")
    tasks = [shield, wait_for_thread, abandon_thread]
    began = trio.current_time()
    async with open_supervisor([child(task, grace=0.1) for task in tasks], name="app"):
        await trio.sleep(0.1)
    print(f"all have ended, after {trio.current_time() - began:.1f} s")


if __name__ == "__main__":
    trio.run(main)
