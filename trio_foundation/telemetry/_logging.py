"""Events as log records."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Self, TypeAlias, cast

import attrs

from ._events import Event
from ._hub import subscribe

__all__ = ["log_events"]

# `logging` refuses these in `extra`, apart from "event", which is ours.
TAKEN = frozenset({*vars(logging.makeLogRecord({})), "message", "asctime", "taskName", "event"})


def log_events(
    logger: logging.Logger | None = None, *event_types: type[Event]
) -> AbstractContextManager[None]:
    """Log every event, until the block ends.

    A record's level is the event's *severity*, its message the event's name and fields. For
    machines, each field is an attribute of the record (through ``extra``), and ``event`` is the
    event's name. A field whose name the record needs itself gets an underscore: ``name_``.

    What goes wrong in a supervisor is logged without this, on ``trio_foundation.supervision``: to
    have it once, raise the level of that logger.

    Args:
        logger: Where to log; by default ``trio_foundation``.
        *event_types: As for `subscribe`; with none, all events.

    Returns:
        The block, for ``with``.

    Raises:
        TypeError: *logger* is no logger, or a type is no event class.
        RuntimeError: Outside a Trio run.

    Example:
        >>> import logging, sys, trio
        >>> logger = logging.getLogger("docs")
        >>> logger.addHandler(logging.StreamHandler(sys.stdout))
        >>> async def main():
        ...     with log_events(logger):
        ...         emit(HandlerFailed(handler="h", event="e", error="x", traceback=""))
        >>> trio.run(main)
        foundation.telemetry.handler_failed handler='h' event='e' error='x'
    """
    if logger is None:
        logger = logging.getLogger("trio_foundation")
    _check_logger(logger)
    return subscribe(EventLogger(logger), *event_types)


@attrs.define(eq=False)
class EventLogger:
    """The handler that `log_events` subscribes."""

    logger: logging.Logger
    _shapes: dict[type[Event], Shape] = attrs.field(factory=dict[type[Event], "Shape"], init=False)

    def __call__(self, event: Event) -> None:
        severity = event.severity
        if not self.logger.isEnabledFor(severity):
            return
        shape = self._shapes.get(type(event))
        if shape is None:
            shape = self._shapes[type(event)] = Shape.of(type(event))
        extra = {key: getattr(event, field) for field, key in shape.keys}
        shown = [write(getattr(event, field)) for field, write in shape.shown]
        self.logger.log(severity, shape.template, *shown, extra=extra | {"event": event.name})


Write: TypeAlias = Callable[[object], str]


@attrs.frozen
class Shape:
    """How events of one type are written down."""

    template: str
    """The message of every such record, so that tools can group by it."""

    shown: tuple[tuple[str, Write], ...]
    """The fields filled into it, and how: as the event's `repr` does."""

    keys: tuple[tuple[str, str], ...]
    """Each field's name in the event and in the record."""

    @classmethod
    def of(cls, event_type: type[Event]) -> Self:
        fields = attrs.fields(event_type)
        shown = tuple(
            (field.name, cast("Write", field.repr) if callable(field.repr) else repr)
            for field in fields
            if field.repr
        )
        name = event_type.name.replace("%", "%%")
        return cls(
            template=" ".join([name, *(f"{field}=%s" for field, _ in shown)]),
            shown=shown,
            keys=tuple((field.name, field.name + "_" * (field.name in TAKEN)) for field in fields),
        )


def _check_logger(logger: object) -> None:
    if not isinstance(logger, logging.Logger):
        raise TypeError(
            f"log_events takes a logging.Logger first, then event classes, but got {logger!r}"
        )
