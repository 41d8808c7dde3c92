"""A door with a lock: a server whose table of states says what it does when."""

from __future__ import annotations

import trio

from trio_foundation.messaging import CallError, State, StateServer, WrongState, serve
from trio_foundation.supervision import open_supervisor


class Door(StateServer):
    """It opens to who knows the code, and closes by itself."""

    async def unlock(self, code: str) -> None:
        """Unlock the door, or refuse."""
        if code != "1234":
            raise CallError(f"{code} is not the code")

    async def enter(self, who: str) -> str:
        """Go in; while the door is locked, whoever comes waits before it."""
        return f"{who} is in"

    async def close(self) -> None:
        """Close the door behind everybody."""
        print("the door closes")

    states = {
        "locked": State({unlock: "open"}, postpone=[enter]),
        "open": State({enter: "open", close: "locked"}, timeout=(0.2, close)),
    }


async def main() -> None:
    """Come too early, try a wrong code, then the right one."""
    spec, door = serve(Door, capacity=10)
    async with open_supervisor([spec]) as house, trio.open_nursery() as nursery:

        async def visit(who: str) -> None:
            print(await door.call(Door.enter, who))

        nursery.start_soon(visit, "Ada")
        for code in ("0000", "1234"):
            try:
                await door.call(Door.unlock, code)
            except CallError as refusal:
                print(refusal)
        await visit("Robert")
        await trio.sleep(0.4)
        try:
            await door.call(Door.close)
        except WrongState as refusal:
            print(refusal)
        print(house.snapshot())


if __name__ == "__main__":
    trio.run(main)
