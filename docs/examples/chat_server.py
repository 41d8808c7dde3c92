"""A chat server where a slow reader harms nobody; it prints who is there, and who lost what."""

from __future__ import annotations

import trio

from trio_foundation.messaging import Address, Mailbox, open_mailbox
from trio_foundation.registry import Registry
from trio_foundation.supervision import current_child, open_dynamic_supervisor

rooms = Registry[str, Address[bytes]](keys="duplicate")


async def write(stream: trio.SocketStream, mailbox: Mailbox[bytes]) -> None:
    """Send a client what is in its mailbox, as fast as it reads."""
    async for line in mailbox:
        await stream.send_all(line + b"\n")


async def attend(stream: trio.SocketStream) -> None:
    """Hand on what a client says to the others in its room, which it names first."""
    room = (await stream.receive_some(100)).decode()
    address, mailbox = open_mailbox[bytes](10, overflow="drop_oldest")
    rooms.bind(room, address, current_child())  # until this child ends, however it ends
    address.send_nowait(b"welcome")
    async with stream, trio.open_nursery() as nursery:
        nursery.start_soon(write, stream, mailbox)
        rest = b""
        async for part in stream:
            *lines, rest = (rest + part).split(b"\n")
            others = [one.value for one in rooms.lookup_all(room) if one.value is not address]
            for line in lines:
                for other in others:
                    other.send_nowait(line)  # it never waits: if there is no room, the oldest goes
        nursery.cancel_scope.cancel()


async def main() -> None:
    """Let Ann talk until Bob has read it all; Cy reads nothing."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    where = listener.socket.getsockname()
    ann, bob, cy = [await trio.open_tcp_stream(*where) for _ in range(3)]
    async with listener, ann, bob, cy, open_dynamic_supervisor(name="clients") as clients:
        for name, stream in {"ann": ann, "bob": bob, "cy": cy}.items():
            clients.start_soon(attend, await listener.accept(), name=name)
            await stream.send_all(b"garden")
            await stream.receive_some(100)
        for _ in range(60):
            await ann.send_all(b"*" * 200_000 + b"\n")
            while not (await bob.receive_some()).endswith(b"\n"):
                pass
        for entry in rooms.lookup_all("garden"):
            print(f"{entry.owner} lost {entry.value.statistics().dropped} lines")


if __name__ == "__main__":
    trio.run(main)
