"""A batch with everything that happens to batches: a slow item, a broken one, a service that tires."""

from __future__ import annotations

import trio
import trio.testing

from trio_foundation import Backoff
from trio_foundation.resilience import Retry
from trio_foundation.tasks import Failed, Limit, Ok, open_map, open_task_supervisor

attempts: dict[str, int] = {}


async def thumbnail(picture: str) -> str:
    """Make a small picture; every third name stumbles once, one hangs, and one is no picture."""
    attempts[picture] = attempts.get(picture, 0) + 1
    if picture == "7.png":
        await trio.sleep_forever()
    await trio.sleep(0.5)
    if picture == "5.txt":
        raise ValueError("not a picture")
    if int(picture.partition(".")[0]) % 3 == 0 and attempts[picture] == 1:
        raise ConnectionError("the store hung up")
    return f"small {picture}"


async def main() -> None:
    """Make ten of them, three at once; one at once from the first failure on."""
    pictures = (f"{number}.{'txt' if number == 5 else 'png'}" for number in range(10))
    limit = Limit(3)
    stumbles = Retry(attempts=2, retry_on=ConnectionError, backoff=Backoff(initial=0.1, jitter=0))
    async with (
        open_task_supervisor(),
        open_map(thumbnail, pictures, limit=limit, timeout=2.0, retry=stumbles) as results,
    ):
        async for result in results:
            match result:
                case Ok(picture, small):
                    print(f"{trio.current_time():4.1f} s  {picture}: {small}")
                case Failed(picture, error):
                    print(f"{trio.current_time():4.1f} s  {picture}: {error}")
                    limit.value = 1


if __name__ == "__main__":
    # This clock jumps whenever all tasks wait: the seconds are over at once.
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
