"""The same worker, supervised: it loses the page that crashed it, and goes on."""

from __future__ import annotations

import trio

from trio_foundation.supervision import child, open_supervisor

PAGES = ["index", "", "about"]


async def work(pages: trio.MemoryReceiveChannel[str]) -> None:
    """Take pages until there are no more, and say how long they are."""
    async for page in pages:
        with trio.fail_after(1):
            await trio.sleep(0.01)
            print(page, len(page), "average", sum(map(ord, page)) // len(page))


async def main() -> None:
    """Hand out the pages; the block ends when the worker has returned."""
    send, pages = trio.open_memory_channel[str](10)
    worker = child(work, pages, restart="transient", significant=True)
    async with open_supervisor([worker], auto_shutdown="all_significant"):
        for page in PAGES:
            await send.send(page)
        send.close()
        await trio.sleep_forever()


if __name__ == "__main__":
    trio.run(main)
