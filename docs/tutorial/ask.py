"""Ask a server one thing: ``python ask.py GET fruit``.

The server need not be up yet: this waits for it, for up to five seconds.
"""

from __future__ import annotations

import argparse
import socket
import sys
import time
from pathlib import Path


def connect(port_file: Path) -> socket.socket:
    """Return a connection to whoever has written its port into the file."""
    give_up = time.monotonic() + 5.0
    while True:
        try:
            return socket.create_connection(("127.0.0.1", int(port_file.read_text())))
        except (OSError, ValueError):
            if time.monotonic() > give_up:
                sys.exit(f"nobody answers at the port in {port_file}")
            time.sleep(0.02)


def main() -> None:
    """Send a line, and print the line that comes back."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=Path, default="kv.port", help="the file with the port")
    parser.add_argument("words", nargs="+")
    options = parser.parse_args()
    with connect(options.port) as connection:
        connection.sendall(" ".join(options.words).encode() + b"\n")
        answer = connection.makefile().readline()
    print(answer.strip() or "the server hung up")


if __name__ == "__main__":
    main()
