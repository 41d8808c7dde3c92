"""A web server that works, is overloaded or hangs, as it is told; it stands for the real one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Literal

import attrs
import trio

Mood = Literal["works", "overloaded", "hangs"]
ANSWER = "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"


@attrs.define
class Upstream:
    """What it does, where it is, and how often it was asked."""

    url: str = ""
    mood: Mood = "works"
    asked: int = 0

    async def answer(self, stream: trio.SocketStream) -> None:
        """Answer one request."""
        request = (await stream.receive_some(10_000)).decode()
        self.asked += 1
        if self.mood == "hangs":
            await trio.sleep_forever()
        status, body = "200 OK", "1.5"
        if self.mood == "overloaded":
            status, body = "503 Service Unavailable", ""
        elif not request.startswith("GET /apples "):
            status, body = "404 Not Found", ""
        answer = ANSWER.format(status=status, length=len(body), body=body)
        await stream.send_all(answer.encode())


@asynccontextmanager
async def open_upstream() -> AsyncGenerator[Upstream]:
    """Run it on a free port, until the block ends."""
    upstream = Upstream()
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    upstream.url = f"http://127.0.0.1:{listener.socket.getsockname()[1]}"
    async with trio.open_nursery() as nursery:
        await nursery.start(trio.serve_listeners, upstream.answer, [listener])
        yield upstream
        nursery.cancel_scope.cancel()
