"""A worker that takes pages out of a queue, in asyncio: its first crash is the end of all."""

from __future__ import annotations

import asyncio

PAGES = ["index", "", "about"]


async def work(queue: asyncio.Queue[str]) -> None:
    """Take pages, and say how long they are."""
    while True:
        page = await queue.get()
        async with asyncio.timeout(1):
            await asyncio.sleep(0.01)
            print(page, len(page), "average", sum(map(ord, page)) // len(page))
        queue.task_done()


async def main() -> None:
    """Hand out the pages, and wait until they are done."""
    queue: asyncio.Queue[str] = asyncio.Queue(maxsize=10)
    try:
        async with asyncio.TaskGroup() as group:
            worker = group.create_task(work(queue))
            for page in PAGES:
                await queue.put(page)
            await queue.join()
            worker.cancel()
    except* ZeroDivisionError:
        print("the group has ended")


if __name__ == "__main__":
    asyncio.run(main())
