"""What happened?

The other rooms tell what they do in events, each exported by the room that emits it. `subscribe`
to them, or bring them to `logging` with `log_events`. Programs may declare and emit their own.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._events import Event, HandlerFailed
from ._hub import Audience, emit, subscribe, wanted
from ._logging import log_events

__all__ = ["Audience", "Event", "HandlerFailed", "emit", "log_events", "subscribe", "wanted"]

_give_home(globals())
