"""A server with states: OTP's gen_statem, as one table, checked when the class is made."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Any, ClassVar, TypeAlias, cast, final

import attrs

from .._base import check_seconds, fits
from ._errors import CallError
from ._methods import NO_MESSAGES
from ._rules import Row, Table, faults
from ._server import Server, StateSteering

__all__ = ["State", "StateServer", "WrongState"]

Method: TypeAlias = Callable[..., Awaitable[object]]


@final
@attrs.frozen
class State:
    """A row of the table of a `StateServer`: what holds in one state.

    Example:
        >>> async def close(self): ...
        >>> async def knock(self): ...
        >>> State({close: "closed"}, postpone=[knock], timeout=(30.0, close)).timeout[0]
        30.0
    """

    on: Mapping[Method, str | tuple[str, ...]]
    """The messages handled, each with the state that it leads to, maybe this one. With a tuple of
    states the method chooses, by `StateServer.become`."""

    postpone: Collection[Method] = attrs.field(default=(), kw_only=True)
    """The messages set aside until the state changes, and then handled in order of arrival, before
    all newer ones. *capacity* of them may be, and each timer once; one more is refused with
    `MailboxFull`."""

    timeout: tuple[float, Method] | None = attrs.field(default=None, kw_only=True)
    """How long the state may last, in seconds, and the message of *on* handled then."""

    enter: Method | None = attrs.field(default=None, kw_only=True)
    """Run on the way in, from another state or at first."""

    exit: Method | None = attrs.field(default=None, kw_only=True)
    """Run on the way out to another state."""


@final
class WrongState(CallError):
    """The server does not handle the message in its state; it lives on.

    Example:
        >>> print(WrongState("door", "open", "locked", ("unlock",)))
        server 'door' is in state 'locked' and handles 'unlock' there, not 'open'
    """

    server: str
    """The server's name."""

    method: str
    """The method's name."""

    state: str
    """The server's state."""

    handled: tuple[str, ...]
    """The methods that it handles there."""

    def __init__(self, server: str, method: str, state: str, handled: tuple[str, ...]) -> None:
        super().__init__(server, method, state, handled)
        self.server = server
        self.method = method
        self.state = state
        self.handled = handled

    def __str__(self) -> str:
        handled = ", ".join(repr(name) for name in self.handled) or "nothing"
        return (
            f"server {self.server!r} is in state {self.state!r} and handles {handled} there, "
            f"not {self.method!r}"
        )


class StateServer(Server):
    """The base class of servers with states: what a message does depends on the state.

    When a message's method returns, the server moves to the state that its table, `states`, names;
    a refusal (`CallError`) moves nothing. A move to another state runs *exit* of the old and
    *enter* of the new one, and then the caller is answered. What a state neither handles nor
    postpones is refused with `WrongState`.

    Each state named has to be in the table and reachable, each method to be async and of the class,
    and each public async method to be in some row or in `everywhere`.

    Raises:
        TypeError: When the class is made, if its table makes no sense.

    Example:
        >>> import trio, trio.testing
        >>> from trio_foundation.supervision import open_supervisor
        >>> class Door(StateServer):
        ...     async def unlock(self, code):
        ...         if code != "1234":
        ...             raise CallError("wrong code")
        ...     async def open(self):
        ...         return "come in"
        ...     async def close(self):
        ...         print("the door is closed")
        ...     states = {
        ...         "locked": State({unlock: "closed"}, postpone=[open]),
        ...         "closed": State({open: "open"}),
        ...         "open": State({close: "closed"}, timeout=(30.0, close)),
        ...     }
        >>> async def main():
        ...     spec, door = serve(Door, capacity=10)
        ...     async with open_supervisor([spec]), trio.open_nursery() as nursery:
        ...         @nursery.start_soon
        ...         async def visit():
        ...             print(await door.call(Door.open))
        ...         await trio.sleep(1)
        ...         await door.call(Door.unlock, "1234")
        ...         await trio.sleep(60)
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        come in
        the door is closed
    """

    states: ClassVar[dict[str, State]]
    """The table: a row for each state."""

    initial: ClassVar[str]
    """The state to begin in; by default the first of the table."""

    everywhere: ClassVar[Any] = ()
    """A list or tuple of messages handled in every state, that change none."""

    _table: ClassVar[Table]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if hasattr(cls, "states"):
            cls._table = _compile(cls)

    @property
    @final
    def state(self) -> str:
        """The name of the present state.

        Raises:
            RuntimeError: The server does not run.
        """
        return self._state_steering("state").state

    @final
    def become(self, state: str) -> None:
        """Choose among the states that the message in hand may lead to.

        The server moves when the method returns. Without a choice it stays where it is, or crashes
        if that is none of them.

        Args:
            state: The name of one of them.

        Raises:
            ValueError: The message does not lead there.
            RuntimeError: The server does not run, or has no message in hand.

        Example:
            >>> class Lock(StateServer):
            ...     async def press(self, digit):
            ...         if digit == 7:
            ...             self.become("open")
            ...     states = {
            ...         "closed": State({press: ("open", "closed")}),
            ...         "open": State({press: "closed"}),
            ...     }
        """
        self._state_steering("become").become(state)

    def _state_steering(self, verb: str) -> StateSteering:
        machine = self._running(verb).machine
        if machine is None:
            raise RuntimeError(
                f"{type(self).__name__}.{verb} works when setup has returned: before, the server "
                "is in no state"
            )
        return machine


# The check of the table


def _compile(cls: type[StateServer]) -> Table:
    if not isinstance(cls.states, Mapping) or not cls.states:
        raise TypeError(
            f'{cls.__name__}.states must be a table, {{"name": State(...), ...}}, not {cls.states!r}'
        )
    rows = {name: _compile_row(cls, name, state) for name, state in cls.states.items()}
    everywhere = tuple(
        _name(cls, "`everywhere`", method)
        for method in _methods(cls, "`everywhere`", cls.everywhere)
    )
    initial = getattr(cls, "initial", next(iter(rows)))
    table = Table(initial=initial, rows=rows, everywhere=everywhere, unsaid=_unsaid(cls, rows))
    found = list(faults(table, _messages(cls)))
    if found:
        raise TypeError(f"the table of {cls.__name__} makes no sense: {'; '.join(found)}")
    return table


def _compile_row(cls: type[StateServer], name: str, state: State) -> Row:
    where = f"state {name!r}"
    if not isinstance(state, State):
        raise TypeError(f"{cls.__name__}: {where} must be a State(...), not {state!r}")
    moves = {
        _name(cls, where, method): _targets(cls, where, target)
        for method, target in state.on.items()
    }
    return Row(
        moves=moves,
        postpones=frozenset(
            _name(cls, where, method) for method in _methods(cls, where, state.postpone)
        ),
        timeout=_compile_timeout(cls, where, state.timeout),
        enter=None if state.enter is None else _name(cls, where, state.enter, is_action=True),
        exit=None if state.exit is None else _name(cls, where, state.exit, is_action=True),
    )


def _targets(cls: type[StateServer], where: str, target: object) -> tuple[str, ...]:
    several = cast("Iterable[object]", target if isinstance(target, (list, tuple)) else (target,))
    states = tuple(state for state in several if isinstance(state, str))
    if len(states) != len(tuple(several)):
        raise TypeError(
            f"{cls.__name__}: {where} leads to {target!r}, which is no name of a state, nor several: "
            "to stay, write the name of the state itself"
        )
    return states


def _methods(cls: type[StateServer], where: str, methods: object) -> Iterable[object]:
    if isinstance(methods, (list, tuple, set, frozenset)):
        return cast("Iterable[object]", methods)
    raise TypeError(
        f"{cls.__name__}: {where} takes a list of methods, not {methods!r}: write [...]"
    )


def _compile_timeout(
    cls: type[StateServer], where: str, timeout: object
) -> tuple[float, str] | None:
    if timeout is None:
        return None
    pair = cast("tuple[object, ...]", timeout if isinstance(timeout, tuple) else ())
    if len(pair) != 2:
        raise TypeError(
            f"{cls.__name__}: the time-out of {where} must be a number of seconds and a method, "
            f"timeout=(30.0, close), not {timeout!r}"
        )
    seconds, method = pair
    checked = check_seconds(f"the time-out of {where}", seconds, above_zero=True, finite=True)
    return checked, _name(cls, where, method, is_action=True)


def _name(cls: type[StateServer], where: str, method: object, *, is_action: bool = False) -> str:
    """Return the name of an async method in the table; an action takes no arguments."""
    name = getattr(method, "__name__", None)
    if not isinstance(name, str) or not any(vars(base).get(name) is method for base in cls.__mro__):
        raise TypeError(f"{cls.__name__}: {where} names {method!r}, which is none of its methods")
    found = inspect.getattr_static(cls, name)  # a subclass may have overridden it
    if not _is_async(found):
        raise TypeError(
            f"{cls.__name__}: {where} names {name}, which is not async: write `async def {name}`"
        )
    if is_action and not fits(found, None):
        raise TypeError(
            f"{cls.__name__}: {where} names {name}, which is called without arguments there, and "
            "wants some: give them defaults"
        )
    return name


def _is_async(method: object) -> bool:
    return callable(method) and inspect.iscoroutinefunction(inspect.unwrap(method))


def _messages(cls: type[StateServer]) -> set[str]:
    return {name for name in _async_methods(cls) if not name.startswith("_")}


def _unsaid(cls: type[StateServer], rows: Mapping[str, Row]) -> frozenset[str]:
    """Return the private async methods in no row: timers may run them anywhere."""
    named = {name for row in rows.values() for name in (*row.moves, *row.postpones)}
    return frozenset(name for name in _async_methods(cls) if name.startswith("_")) - named


def _async_methods(cls: type[StateServer]) -> set[str]:
    ours = NO_MESSAGES | set(vars(object))
    return {
        name
        for base in cls.__mro__
        if base not in {StateServer, Server, object}
        for name, value in vars(base).items()
        if name not in ours and _is_async(value)
    }
