"""Faults that are thrown at the children of a program under test."""

from __future__ import annotations

import math
import random
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self, final, get_args

import attrs
import trio
from trio.abc import Instrument

from .._base import check_choice, check_count, check_name, check_number, check_seconds
from ..messaging import CallStarted
from ..telemetry import subscribe
from ._faults_driver import Driven
from ._faults_reach import Reach, living_tasks
from ._rules import Chance, Course, Fault, FaultKind, InjectedCrash, is_meant

__all__ = ["Faults"]

_KINDS = get_args(FaultKind)


@final
class Faults:
    """A plan of faults, the dice for more, and what has become of them.

    A checkpoint of a child is each time its own task waits, or lets others run; the tasks it
    starts do not count. Checkpoints, and messages of a server, count from 1, over all
    incarnations of the child, from when the faults become active. Each planned fault happens
    once. A message counts when its handler begins; its fault is for the first checkpoint after
    that.

    A crash breaks off what the child waits for, within a shield too, and is raised there; at the
    end of a nursery of its own, in a task of the nursery. Where neither can be (what was waited
    for has happened, or a part of this library waits for its own tasks), it is for the next
    checkpoint where it can. After ten that will not do, the child is cancelled too, which cuts
    its cleaning up short.

    Args:
        seed: What decides `at_random`.
        plan: Faults to begin with.

    Raises:
        TypeError: *plan* holds anything but faults.

    Example:
        >>> import trio, trio.testing
        >>> from trio_foundation.supervision import child, open_supervisor
        >>> async def work():
        ...     while True:
        ...         await trio.sleep(1)
        >>> async def main():
        ...     faults = Faults().crash("work", at_checkpoint=3)
        ...     with faults.active():
        ...         async with open_supervisor([child(work)]) as sup:
        ...             print(await sup.children["work"].wait_exit())
        >>> import trio.testing
        >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
        child 'work' (incarnation 1) crashed after 2 s: InjectedCrash: a fault was injected into \
child 'supervisor/work', at its checkpoint 3
    """

    def __init__(self, seed: int = 0, plan: Iterable[Fault] = ()) -> None:
        self._seed = seed
        self._plan = [_check_fault(fault) for fault in plan]
        self._chances: list[Chance] = []
        self._fired: list[Fault] = []
        self._met: set[str] = set()
        self._session: _Session | None = None

    def __repr__(self) -> str:
        return f"<Faults {self._seed}, {len(self._plan)} planned, {len(self._fired)} fired>"

    @property
    def seed(self) -> int:
        """The seed of the dice."""
        return self._seed

    @property
    def plan(self) -> tuple[Fault, ...]:
        """The faults planned one by one."""
        return tuple(self._plan)

    @property
    def fired(self) -> tuple[Fault, ...]:
        """The faults that have happened, random ones too: a plan that repeats them."""
        return tuple(self._fired)

    @property
    def pending(self) -> tuple[Fault, ...]:
        """The planned faults that have not happened."""
        left = list(self._plan)
        for fault in self._fired:
            if fault in left:
                left.remove(fault)
        return tuple(left)

    @property
    def unmet(self) -> tuple[Fault, ...]:
        """The planned faults whose child has not run while they were active: misspelt, say."""
        return tuple(
            fault
            for fault in self._plan
            if not any(is_meant(fault.child, path) for path in self._met)
        )

    @property
    def running(self) -> tuple[str, ...]:
        """The paths of the children that run, oldest first; none unless the faults are active."""
        return () if self._session is None else tuple(self._session.driven)

    # What is to happen

    def crash(
        self,
        child: str,
        *,
        at_checkpoint: int | None = None,
        at_message: int | None = None,
        error: type[Exception] = InjectedCrash,
    ) -> Self:
        """Plan that what a child waits for raises an error.

        Arguments and errors as for `Fault`.

        Returns:
            These faults.

        Example:
            >>> Faults().crash("bank", at_message=2, error=ConnectionError).plan
            (Fault('bank', 'crash', at_message=2, error=ConnectionError),)
        """
        return self._add(
            Fault(child, "crash", at_checkpoint=at_checkpoint, at_message=at_message, error=error)
        )

    def hang(
        self, child: str, *, at_checkpoint: int | None = None, at_message: int | None = None
    ) -> Self:
        """Plan that a child does not go on after a checkpoint until cancelled.

        Arguments and errors as for `Fault`.

        Returns:
            These faults.

        Example:
            >>> Faults().hang("worker", at_checkpoint=1).plan
            (Fault('worker', 'hang', at_checkpoint=1),)
        """
        return self._add(Fault(child, "hang", at_checkpoint=at_checkpoint, at_message=at_message))

    def delay(
        self,
        child: str,
        seconds: float,
        *,
        at_checkpoint: int | None = None,
        at_message: int | None = None,
    ) -> Self:
        """Plan that a child goes on *seconds* seconds later after a checkpoint.

        Arguments and errors as for `Fault`.

        Returns:
            These faults.

        Example:
            >>> Faults().delay("worker", 10, at_checkpoint=1).plan
            (Fault('worker', 'delay', at_checkpoint=1, seconds=10),)
        """
        return self._add(
            Fault(
                child, "delay", at_checkpoint=at_checkpoint, at_message=at_message, seconds=seconds
            )
        )

    def cancel(
        self, child: str, *, at_checkpoint: int | None = None, at_message: int | None = None
    ) -> Self:
        """Plan that all of a child is cancelled, as by a scope around its function.

        It ends as if returned, and is restarted as its spec says. Arguments and errors as for
        `Fault`.

        Returns:
            These faults.

        Example:
            >>> Faults().cancel("worker", at_checkpoint=1).plan
            (Fault('worker', 'cancel', at_checkpoint=1),)
        """
        return self._add(Fault(child, "cancel", at_checkpoint=at_checkpoint, at_message=at_message))

    def interrupt(
        self, child: str, *, at_checkpoint: int | None = None, at_message: int | None = None
    ) -> Self:
        """Plan that what a child waits for raises `KeyboardInterrupt`, which ends the program.

        Arguments and errors as for `Fault`.

        Returns:
            These faults.

        Example:
            >>> Faults().interrupt("worker", at_checkpoint=1).plan
            (Fault('worker', 'interrupt', at_checkpoint=1),)
        """
        return self._add(
            Fault(child, "interrupt", at_checkpoint=at_checkpoint, at_message=at_message)
        )

    def starve(
        self,
        child: str,
        seconds: float,
        *,
        at_checkpoint: int | None = None,
        at_message: int | None = None,
    ) -> Self:
        """Plan that before a checkpoint no task runs for *seconds* seconds, as in a busy loop.

        A `trio.testing.MockClock` jumps instead. Arguments and errors as for `Fault`.

        Returns:
            These faults.

        Example:
            >>> Faults().starve("worker", 0.5, at_checkpoint=1).plan
            (Fault('worker', 'starve', at_checkpoint=1, seconds=0.5),)
        """
        return self._add(
            Fault(
                child, "starve", at_checkpoint=at_checkpoint, at_message=at_message, seconds=seconds
            )
        )

    def at_random(
        self,
        *names: str,
        rate: float,
        kinds: Iterable[FaultKind] = ("crash",),
        seconds: float = 1.0,
        limit: float = math.inf,
    ) -> Self:
        """Plan faults at random, at the checkpoints of some children, or of all.

        Args:
            *names: The children, as in `Fault`; with none, all.
            rate: The chance of a fault at each checkpoint, from 0 to 1.
            kinds: What may happen, each as likely.
            seconds: How many seconds a ``delay`` or a ``starve`` lasts.
            limit: How many faults at most.

        Returns:
            These faults.

        Raises:
            ValueError: An option that makes no sense.

        Example:
            >>> faults = Faults(seed=7).at_random(rate=0.01, kinds=["crash", "delay"])
        """
        for name in names:
            check_name("name", name)
        check_number("rate", rate, least=0, most=1)
        check_seconds("seconds", seconds, finite=True)
        check_count("limit", limit, allow_inf=True)
        chance = Chance(
            names=names, kinds=check_kinds(kinds), rate=rate, seconds=seconds, limit=limit
        )
        self._chances.append(chance)
        if self._session is not None:
            self._session.course.add(chance)
        return self

    def again(self, seed: int) -> Faults:
        """Return faults of the same plan and rates, of which none has happened.

        Args:
            seed: What decides their `at_random`.

        Example:
            >>> Faults().crash("worker", at_checkpoint=1).again(7)
            <Faults 7, 1 planned, 0 fired>
        """
        faults = Faults(seed, self._plan)
        faults._chances += self._chances
        return faults

    # The doing

    def active(self) -> AbstractContextManager[Faults]:
        """Let the faults happen, to all children of this Trio run, until the block ends.

        Returns:
            The block, for ``with ... as faults``, entered once; for another time take `again`.

        Raises:
            RuntimeError: They were active before, or there is no Trio run.

        Example:
            >>> import trio
            >>> async def main():
            ...     with Faults().active() as faults:
            ...         await trio.sleep(0)
            ...     print(faults.pending)
            >>> trio.run(main)
            ()
        """
        return _Active(self, self._begin)

    def strike(
        self,
        child: str,
        kind: FaultKind = "crash",
        *,
        seconds: float = 1.0,
        error: type[Exception] = InjectedCrash,
    ) -> None:
        """Let one more fault happen now, at the checkpoint where a child is.

        Args:
            child: As in `Fault`; of several that run, the first.
            kind: What happens to it.
            seconds: How many seconds a ``delay`` or a ``starve`` lasts.
            error: The class of what a ``crash`` raises.

        Raises:
            ValueError: No such child runs.
            RuntimeError: The faults are not active.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import child, open_supervisor
            >>> async def main():
            ...     with Faults().active() as faults:
            ...         async with open_supervisor([child(trio.sleep_forever, name="web")]) as sup:
            ...             faults.strike("web", error=ConnectionError)
            ...             exit = await sup.children["web"].wait_exit()
            ...             print(exit.reason, type(exit.error).__name__)
            >>> trio.run(main)
            crashed ConnectionError
        """
        session = self._session
        if session is None or not session.is_active:
            raise RuntimeError(
                "these faults are not active: write `with faults.active():` around it"
            )
        check_name("child", child)
        running = self.running
        path = next((path for path in running if is_meant(child, path)), None)
        if path is None:
            those = ", ".join(running) or "none"
            raise ValueError(f"no child {child!r} is running; those that are: {those}")
        if child in running:
            path = child
        number = max(1, session.number_of(path))
        fault = Fault(path, kind, at_checkpoint=number, seconds=seconds, error=error)
        session.armed[path].append(fault)
        session.driven[path].strike()

    def _add(self, fault: Fault) -> Self:
        self._plan.append(fault)
        if self._session is not None:
            self._session.course.add(fault)
        return self

    def _begin(self) -> _Session:
        if self._session is not None:
            raise RuntimeError(
                "these faults were active before, and count once: write faults.again(seed).active()"
            )
        course = Course(random.Random(self._seed), self._plan, self._chances)  # noqa: S311
        self._session = _Session(course, self._fired, self._met)
        return self._session


@final
@attrs.define(eq=False)
class _Active(AbstractContextManager[Faults]):
    """The block of `Faults.active`."""

    _faults: Faults
    _begin: Callable[[], _Session]
    _session: _Session | None = None
    _listening: AbstractContextManager[None] | None = None

    def __enter__(self) -> Faults:
        if not trio.lowlevel.in_trio_run():
            raise RuntimeError(
                "faults are active within a Trio run only: write `with faults.active():` in the "
                "async function that trio.run is given"
            )
        session = self._session = self._begin()
        trio.lowlevel.add_instrument(session)
        for task in living_tasks():
            session.task_spawned(task)
        self._listening = subscribe(session.on_call, CallStarted)
        self._listening.__enter__()
        return self._faults

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._session is not None
        assert self._listening is not None
        self._listening.__exit__(None, None, None)
        trio.lowlevel.remove_instrument(self._session)
        self._session.end()


@final
@attrs.define(eq=False, slots=False)
class _Session(Instrument):
    """Faults while they are active."""

    course: Course
    fired: list[Fault]
    met: set[str]
    is_active: bool = attrs.field(init=False, default=True)
    armed: defaultdict[str, deque[Fault]] = attrs.field(
        init=False, factory=lambda: defaultdict[str, deque[Fault]](deque)
    )
    driven: dict[str, Driven] = attrs.field(init=False, factory=dict[str, Driven])
    """By the paths of the children that run."""
    _reach: Reach = attrs.field(init=False, factory=Reach)
    _by_task: dict[trio.lowlevel.Task, Driven] = attrs.field(
        init=False, factory=dict[trio.lowlevel.Task, Driven]
    )

    # What it hears

    def task_spawned(self, task: trio.lowlevel.Task) -> None:
        path = self._reach.path_of(task)
        if path is not None:
            self.met.add(path)
            self.driven[path] = self._by_task[task] = Driven(task, path, self.armed[path], self)

    def task_exited(self, task: trio.lowlevel.Task) -> None:
        found = self._by_task.pop(task, None)
        if found is not None and self.driven.get(found.path) is found:
            del self.driven[found.path]
            if not self.armed[found.path]:
                del self.armed[found.path]

    def on_call(self, event: CallStarted) -> None:
        found = self._by_task.get(trio.lowlevel.current_task())
        if found is not None:
            self.armed[found.path].extend(self.course.at_message(found.path))

    # What it is asked

    def at_checkpoint(self, path: str) -> list[Fault]:
        return self.course.at_checkpoint(path)

    def number_of(self, path: str) -> int:
        return self.course.checkpoints[path]

    def note_fired(self, fault: Fault) -> None:
        self.fired.append(fault)

    def end(self) -> None:
        self.is_active = False
        for armed in self.armed.values():
            armed.clear()
        self.driven.clear()
        self._by_task.clear()


# Checks at the door


def check_kinds(kinds: Iterable[FaultKind]) -> tuple[FaultKind, ...]:
    """Return *kinds*, checked."""
    if isinstance(kinds, str):
        raise TypeError(f"kinds must be a list of them: write kinds=[{kinds!r}]")
    checked = tuple(kinds)
    for kind in checked:
        check_choice("kind", kind, _KINDS)
    if not checked:
        raise ValueError(f"kinds must not be empty; the kinds are {', '.join(_KINDS)}")
    return checked


def _check_fault(fault: object) -> Fault:
    if isinstance(fault, Fault):
        return fault
    raise TypeError(
        f"a plan is made of faults: write Fault('worker', 'crash', at_checkpoint=3), not {fault!r}"
    )
