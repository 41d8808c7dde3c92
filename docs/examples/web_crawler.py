"""A web crawler: three pages at once, twenty a second from each host, a breaker for each host.

It serves two sites to itself and prints what came of each page; one of them breaks down.
"""

from __future__ import annotations

from functools import partial

import trio

from trio_foundation.resilience import KeyedRateLimiter, open_breakers
from trio_foundation.supervision import child, open_supervisor
from trio_foundation.tasks import Ok, open_task_supervisor, parallel_map

PAGES = {
    "garden/": "garden/roses attic/",
    "garden/roses": "garden/ attic/a attic/b",
    "attic/": "attic/c attic/d attic/e garden/roses",
}


async def answer(stream: trio.SocketStream) -> None:
    """Send the links of a page, or hang up."""
    page = (await stream.receive_some(100)).decode()
    if page in PAGES:
        await stream.send_all(f"links: {PAGES[page]}".encode())


async def fetch(port: int, page: str) -> list[str]:
    """Return the links of a page."""
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        await stream.send_all(page.encode())
        if text := b"".join([part async for part in stream]):
            return text.decode().split()[1:]
    raise ConnectionError("hung up")


async def main() -> None:
    """Crawl level by level, each page once."""
    serve, pace = partial(trio.serve_tcp, answer, 0, host="127.0.0.1"), KeyedRateLimiter[str](20)
    sites = open_supervisor([child(serve, name="garden"), child(serve, name="attic")])
    async with sites as web, open_breakers(failure_threshold=2) as breakers, open_task_supervisor():

        async def visit(page: str) -> list[str]:
            await pace.wait(host := page.partition("/")[0])
            port = web.children[host].value[0].socket.getsockname()[1]
            return await breakers[host].call(fetch, port, page)

        seen = level = {"garden/"}
        while level:
            results = await parallel_map(visit, sorted(level), limit=3, timeout=2.0)
            print(*results, sep="\n")
            links = {link for one in results if isinstance(one, Ok) for link in one.value}
            seen, level = seen | links, links - seen


if __name__ == "__main__":
    trio.run(main)
