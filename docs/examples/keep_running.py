"""A poller that crashes and a server that answers all the same: both are kept running."""

from __future__ import annotations

import logging
from functools import partial

import trio

from trio_foundation.supervision import child, open_supervisor

prices: list[int] = []


async def poll() -> None:
    """Fetch a price now and then; the exchange hangs up at every third."""
    while True:
        await trio.sleep(0.05)
        prices.append(100 + len(prices))
        if len(prices) % 3 == 0:
            raise ConnectionError("the exchange hung up")


async def answer(stream: trio.SocketStream) -> None:
    """Tell a client the last price."""
    await stream.send_all(str(prices[-1]).encode())


async def main() -> None:
    """Ask the server six times, while the poller crashes behind it."""
    logging.basicConfig(level=logging.ERROR)  # or each crash is told with its traceback
    server = child(partial(trio.serve_tcp, answer, 0, host="127.0.0.1"), name="server")
    async with open_supervisor([child(poll), server], max_restarts=10) as tree:
        host, port = tree.children["server"].value[0].socket.getsockname()
        for _ in range(6):
            await trio.sleep(0.1)
            async with await trio.open_tcp_stream(host, port) as stream:
                price = await stream.receive_some()
            print(f"price {int(price)}, from incarnation {tree.children['poll'].incarnation}")
        print(tree.snapshot())


if __name__ == "__main__":
    trio.run(main)
