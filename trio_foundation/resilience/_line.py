"""Those who wait for their turn: the first sleeps until it may pass, the others until first."""

from __future__ import annotations

from collections import OrderedDict
from typing import final

import attrs
import trio
from trio.lowlevel import Abort, Task, enable_ki_protection, in_trio_run

from .._base import check_count, check_name
from ._family_errors import RateLimited
from ._rules._pace import Pace

__all__ = ["Line", "Terms"]


@final
@attrs.frozen
class Terms:
    """What a rate limiter was made with."""

    rate: float
    per: float
    burst: int
    max_waiting: int | float
    name: str

    def __attrs_post_init__(self) -> None:
        self.new_pace()  # checks its numbers
        check_count("max_waiting", self.max_waiting, allow_inf=True)
        check_name("name", self.name)

    def new_pace(self) -> Pace:
        return Pace(rate=self.rate, per=self.per, burst=self.burst)

    def new_line(self) -> Line:
        return Line(self)


@final
class Line:
    """The line before one rate limiter, in one Trio run."""

    __slots__ = ("_pace", "_terms", "_waiting", "passed", "rejected")

    passed: int

    rejected: int

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._pace = terms.new_pace()
        # The first one is awake, asleep, or about to run; the others are parked.
        self._waiting: OrderedDict[Task, None] = OrderedDict()
        self.passed = self.rejected = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def rests_at(self, now: float) -> float:
        """Return when it is as good as new if nobody comes, in seconds."""
        rests_at = self._pace.rests_at
        if self._waiting and rests_at <= now:  # the first is just being woken, and will pass
            return now + self._pace.interval
        return rests_at

    @enable_ki_protection
    def take(self) -> None:
        """Pass now, or raise `RateLimited`."""
        if not self._pass():
            raise self._refusal()

    @enable_ki_protection
    async def wait(self) -> None:
        """Wait for one's turn, or raise `RateLimited`."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._pass():
            await trio.lowlevel.cancel_shielded_checkpoint()
            return
        if len(self._waiting) >= self._terms.max_waiting:
            error = self._refusal()
            # Whoever is turned away, and comes again and again, lets time pass.
            await trio.lowlevel.cancel_shielded_checkpoint()
            raise error
        await self._stand()

    def _pass(self) -> bool:
        if self._waiting or not self._pace.admit(trio.current_time()):
            return False
        self.passed += 1
        return True

    def _refusal(self) -> RateLimited:
        self.rejected += 1
        now = trio.current_time()
        return RateLimited(self._terms.name, self._pace.wait_from(now, ahead=len(self._waiting)))

    async def _stand(self) -> None:
        task = trio.lowlevel.current_task()
        self._waiting[task] = None
        try:
            if len(self._waiting) > 1:
                await self._park(task)
            else:
                await trio.sleep_until(self._pace.due)
            # It may be too early after all for one who was woken only to be the first now.
            while not self._pace.admit(trio.current_time()):  # noqa: ASYNC110
                await trio.sleep_until(self._pace.due)
        except BaseException:
            # One that was cancelled before it was first has left. And if this is the garbage
            # collection of a run that was torn apart, nobody is there to be woken.
            if task in self._waiting and in_trio_run() and trio.lowlevel.current_task() is task:
                self._leave(task)
            raise
        self.passed += 1
        self._leave(task)

    async def _park(self, task: Task) -> None:
        def leave(_: object) -> Abort:
            del self._waiting[task]
            return Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)

    def _leave(self, first: Task) -> None:
        del self._waiting[first]
        for next_one in self._waiting:
            trio.lowlevel.reschedule(next_one)
            break
