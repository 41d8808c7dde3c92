"""How a server of this tutorial is reached; not what the tutorial is about."""

from __future__ import annotations

from pathlib import Path

import trio

HOST = "127.0.0.1"
LONGEST_LINE = 10_000


def publish(listener: trio.SocketListener, port_file: str = "kv.port") -> None:
    """Write the port into a file: the system has chosen a free one."""
    Path(port_file).write_text(str(listener.socket.getsockname()[1]))


async def connect(port_file: str) -> trio.SocketStream:
    """Connect to whoever has written its port into the file."""
    return await trio.open_tcp_stream(HOST, int(await trio.Path(port_file).read_text()))


class Lines:
    """A stream that is read and written line by line."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.received = b""

    async def read(self) -> str | None:
        """Wait for the next line; None if there is none any more."""
        while b"\n" not in self.received:
            if len(self.received) > LONGEST_LINE:
                raise ValueError(f"a line of more than {LONGEST_LINE} bytes")
            data = await self.stream.receive_some()
            if not data:
                return None
            self.received += data
        line, self.received = self.received.split(b"\n", 1)
        return line.decode()

    async def write(self, line: str) -> None:
        """Send a line."""
        await self.stream.send_all(line.encode() + b"\n")
