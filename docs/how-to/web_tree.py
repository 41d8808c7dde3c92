"""The same application as a child of a tree: served last, stopped first, with an exit code.

``python -m trio_foundation run web_tree:tree`` serves it until SIGTERM.
"""

from __future__ import annotations

from functools import partial
from typing import cast

import hypercorn.trio
import trio
from fastapi import FastAPI
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework
from web import Stock, sell

from trio_foundation.messaging import Ref, serve
from trio_foundation.supervision import ChildSpec, child, stop_requested, subtree


async def serve_http(stock: Ref[Stock], *, task_status: trio.TaskStatus[list[str]]) -> None:
    """Serve until asked to stop; requests under way have *graceful_timeout* to end."""
    app = FastAPI()
    app.post("/sell/{item}")(sell)
    app.state.stock = stock
    config = Config.from_mapping(bind="127.0.0.1:0", graceful_timeout=10.0)
    await hypercorn.trio.serve(  # pyright: ignore[reportUnknownMemberType]
        cast("ASGIFramework", app),  # the two have types of their own for the same thing
        config,
        shutdown_trigger=stop_requested().wait,
        task_status=task_status,
    )


def tree() -> ChildSpec:
    """Return the program: the stock, and then the way to it."""
    spec, stock = serve(Stock, capacity=100)
    return subtree([spec, child(partial(serve_http, stock), name="http", grace=15.0)], name="shop")
