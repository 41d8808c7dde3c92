"""A FastAPI application with a supervision tree in it.

``hypercorn --worker-class trio web:app`` serves it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated

import trio
from fastapi import Depends, FastAPI, HTTPException, Request

from trio_foundation.messaging import CallError, CallFailed, Ref, Server, ServerGone, serve
from trio_foundation.supervision import open_supervisor


class Stock(Server):
    """What there is to sell."""

    async def setup(self) -> None:
        """Fill the shelves."""
        self.items = {"apples": 2}

    async def sell(self, item: str) -> int:
        """Sell one, and return how many are left; what nobody has heard of crashes."""
        if not self.items[item]:
            raise CallError(f"no {item} are left")
        self.items[item] -= 1
        return self.items[item]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
    """Keep the tree running from the first request to the last."""
    spec, stock = serve(Stock, capacity=100)
    app.state.stock = stock
    async with open_supervisor([spec], name="shop"):
        yield


def the_stock(request: Request) -> Ref[Stock]:
    """Return the server that handlers call."""
    stock: Ref[Stock] = request.app.state.stock
    return stock


app = FastAPI(lifespan=lifespan)


@app.post("/sell/{item}")
async def sell(item: str, stock: Annotated[Ref[Stock], Depends(the_stock)]) -> int:
    """Sell one: 409 for a refusal, 503 for what may work a moment later."""
    try:
        with trio.fail_after(2):
            return await stock.call(Stock.sell, item)
    except CallError as refusal:
        raise HTTPException(409, str(refusal)) from refusal
    except (CallFailed, ServerGone, trio.TooSlowError) as error:
        raise HTTPException(503, str(error)) from error
