"""A job queue: bounded, three jobs at once, each tried three times; dead letters are printed.

Some jobs are tried again, one never works, some find the queue full, one still waits at the end:
each is done or is a dead letter with a reason, and the last line adds them up.
"""

from __future__ import annotations

import trio
import trio.testing

from trio_foundation import Backoff
from trio_foundation.messaging import Mailbox, open_mailbox
from trio_foundation.resilience import Retry
from trio_foundation.supervision import child, open_supervisor
from trio_foundation.tasks import Failed, open_map, open_task_supervisor

RETRY = Retry(attempts=3, backoff=Backoff(initial=0.5, jitter=0.0))
counts = {"done": 0, "dead": 0}


def tell(job: int, why: object, what: str = "dead") -> None:
    """Count a job, and print what became of it."""
    counts[what] += 1
    print(f"{trio.current_time():4.1f} s  job {job:2} is {what}: {why}")


async def do(job: int) -> None:
    """Do a job in a second; every fourth is hung up on at first, and job 7 always."""
    await trio.sleep(1.0)
    if job == 7 or (job % 4 == 0 and trio.current_time() < 3):
        raise ConnectionError("the printer hung up")
    tell(job, "printed", "done")


async def work(jobs: Mailbox[int]) -> None:
    """Do all jobs; should this crash, the next incarnation goes on with those that wait."""
    async with open_task_supervisor(), open_map(do, jobs, limit=3, retry=RETRY) as results:
        async for result in results:
            if isinstance(result, Failed):
                tell(result.item, result.error)


async def main() -> None:
    """Bring in five jobs a second for three seconds, and close two seconds later."""
    address, jobs = open_mailbox[int](5, overflow="drop_newest", on_undelivered=tell)
    async with open_supervisor([child(work, jobs, restart="transient")]) as shop:
        for job in range(1, 16):
            address.send_nowait(job)
            await trio.sleep(0.21)
        await trio.sleep(2.0)
        jobs.close()
        await shop.children["work"].wait_exit()
    print(*counts.items())


if __name__ == "__main__":
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
