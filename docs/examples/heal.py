"""A poller crashes and is started again; its neighbours notice nothing."""

from __future__ import annotations

import trio

from trio_foundation.supervision import child, open_supervisor

answers = iter(["price 101", ConnectionError("no route"), "price 102"])


async def poll() -> None:
    """Print each answer; one of them is a failure."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        print(answer)
        await trio.sleep(0.5)


async def main() -> None:
    """Run it beside two others, until it has crashed once."""
    db = child(trio.sleep_forever, name="db")
    web = child(trio.sleep_forever, name="web")
    async with open_supervisor([db, child(poll), web], name="app") as app:
        await trio.sleep(0.1)
        print(app.snapshot())
        await app.children["poll"].wait_exit()
        await trio.sleep(0.1)
        print(app.snapshot())


trio.run(main)
