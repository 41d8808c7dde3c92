"""A deploy, as the server sees it: a client in the middle of a request, and SIGTERM."""

from __future__ import annotations

import subprocess
import sys

import trio


async def refused(port: int) -> None:
    """Wait until nobody listens there any more."""
    while True:
        try:
            await (await trio.open_tcp_stream("127.0.0.1", port)).aclose()
        except OSError:
            return


async def main(grace: str) -> None:
    """Start the server, ask it something slow, and stop it meanwhile."""
    command = [sys.executable, "-m", "trio_foundation", "run", "drain:tree"]
    command += ["--grace", grace, "--log-level", "critical"]
    server = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE)
    assert server.stdout is not None
    port = int(await server.stdout.receive_some(10))
    async with await trio.open_tcp_stream("127.0.0.1", port) as client:
        await client.send_all(b"apples\n")
        print("client:", (await client.receive_some(100)).decode().strip())
        server.terminate()
        await refused(port)
        print("a new client is refused")
        print("client:", (await client.receive_some(100)).decode().strip() or "no answer")
    print("exit code", await server.wait())


if __name__ == "__main__":
    trio.run(main, sys.argv[1])
