"""What a coordinator does: how messages get to receivers.

If nothing is in the way, in the task of the sender; what waits, by tasks of the block, each for
one receiver.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from contextvars import copy_context
from functools import partial
from types import MappingProxyType
from typing import NoReturn, final, get_args

import trio
from trio.lowlevel import cancel_shielded_checkpoint, enable_ki_protection

from .._base import Backoff
from ..messaging import Ref
from ..resilience import BreakerOpen, BreakerState, CircuitBreaker
from ._agent import Agent
from ._attempt import attempt
from ._delivery import DeadLetter, Parcel, Receipt
from ._errors import (
    CoordinatorClosed,
    DeliveryError,
    DeliveryFailed,
    DeliveryTimeout,
    ReceiverNotFound,
)
from ._lane import Lane
from ._registry import AgentRegistry
from ._statistics import CoordinatorStatistics, Tally
from ._terms import Terms

__all__ = ["PostOffice"]

_READY: tuple[BreakerState, ...] = ("closed", "half_open", "disabled")

# Between attempts at a head that fails while the circuit is closed: an agent that crashes by it is
# not to crash as often as its supervisor can bear.
_BACKOFF = Backoff(jitter=0.0)

_LOOK_AGAIN = 1.0
"""How long to wait, in seconds, for what nobody tells the end of."""


class _Way:
    """The present attempt to deliver a message."""

    __slots__ = ("parcel",)

    def __init__(self, parcel: Parcel) -> None:
        self.parcel = parcel


@final
class PostOffice:
    """The lanes to all receivers, and the tasks that deliver what waits."""

    def __init__(self, agents: AgentRegistry, terms: Terms, nursery: trio.Nursery) -> None:
        self.agents = agents
        self.terms = terms
        self.lanes: dict[str, Lane] = {}
        self.failure: BaseException | None = None
        """What a task of the block has raised."""
        self._leaving: dict[Lane, None] = {}
        # Of receivers that are gone, while something is still on its way.
        self._past = Tally()
        self._nursery = nursery
        # A message may be buffered by the handler of another, whose context is its own.
        self._context = copy_context()
        self._workers: dict[trio.CancelScope, None] = {}
        self._at_rest = trio.lowlevel.ParkingLot()
        self._is_closed = False
        self._is_over = False
        self._forget_agents = agents.on_gone(self._on_gone)

    # Finding the way

    def lane_to(self, agent_id: str) -> Lane:
        """Return the lane to a receiver that is there."""
        lane = self.lanes.get(agent_id)
        if lane is None:
            has_health = self.terms.breaker.get("health") is not None
            nursery = self._nursery if has_health else None
            breaker = CircuitBreaker(agent_id, nursery=nursery, **self.terms.breaker)
            lane = Lane(agent_id, breaker, self.terms, self._on_change)
            self.lanes[agent_id] = lane
        return lane

    def find(self, agent_id: str) -> tuple[Lane, Ref[Agent]]:
        """Return the lane and the reference of a receiver, also of one that is away."""
        if self._is_closed:
            raise CoordinatorClosed(agent_id)
        ref = self.agents.ref_of(agent_id)
        if ref is None:
            if not isinstance(agent_id, str):
                raise TypeError(f"agent_id must be a string, such as entry.key, not {agent_id!r}")
            raise ReceiverNotFound(agent_id)
        return self.lane_to(agent_id), ref

    # Delivering

    async def deliver(self, lane: Lane, ref: Ref[Agent], parcel: Parcel) -> Receipt:
        number = None if parcel.key is None else lane.keys.get(parcel.key)
        if number is not None:  # the very same waits already
            await cancel_shielded_checkpoint()
            return Receipt("buffered", parcel.agent_id, number)
        is_clear = lane.is_clear  # whoever is told of the circuit's state may look at the figures
        lane.accept(parcel)
        if is_clear:
            done = await self._deliver_now(lane, ref, parcel)
            if isinstance(done, Receipt):
                return done
            parcel = done
        return await self._put(lane, parcel)

    async def _deliver_now(self, lane: Lane, ref: Ref[Agent], parcel: Parcel) -> Receipt | Parcel:
        """Deliver a message at once; return it if it has to wait."""
        way = _Way(parcel)
        lane.in_flight += 1
        try:
            done = await self._try(lane, ref, way)
            if isinstance(done, Receipt):
                lane.tally.delivered += 1
        except BaseException as error:
            if isinstance(error, trio.Cancelled):
                lane.note_cancelled(way.parcel)
            else:
                lane.note_failed(way.parcel)
            raise
        finally:
            lane.land()
        if isinstance(done, Receipt):
            lane.tell_delivered(way.parcel, was_buffered=False)
        return done

    async def _try(self, lane: Lane, ref: Ref[Agent], way: _Way) -> Receipt | Parcel:
        attempts = self.terms.attempts
        while True:
            attempts -= 1
            parcel = way.parcel
            try:
                reply = await attempt(lane, ref, parcel, self.terms.delivery_timeout)
            except BreakerOpen:
                return parcel.again(parcel.error)
            except DeliveryError as failure:
                if not attempts or not _may_pass(failure):
                    raise
                way.parcel = parcel.again(failure)
            else:
                return Receipt("delivered", parcel.agent_id, parcel.sequence, reply)
            if lane.ended_by is not None or not lane.is_clear:
                return way.parcel
            ref = self.agents.ref_of(parcel.agent_id) or ref

    async def _put(self, lane: Lane, parcel: Parcel) -> Receipt:
        agent_id, outcome = parcel.agent_id, parcel.outcome
        if lane.ended_by == "gone":
            await _turn_away(lane, parcel, ReceiverNotFound(agent_id, outcome))
        if self._is_over or lane.ended_by is not None:
            await _turn_away(lane, parcel, CoordinatorClosed(agent_id, outcome))
        if not lane.has_room:
            if self.terms.overflow == "block":
                return await self._wait_for_room(lane, parcel)
            await _turn_away(lane, parcel, DeliveryFailed(agent_id, "buffer_full", outcome))
        number = lane.put(parcel)
        self._start_workers(lane)
        await cancel_shielded_checkpoint()
        return Receipt("buffered", agent_id, number)

    async def _wait_for_room(self, lane: Lane, parcel: Parcel) -> Receipt:
        seconds = self.terms.delivery_timeout
        number = 0
        try:
            with trio.move_on_after(seconds) as patience:
                number = await lane.wait_for_room(parcel)
        except DeliveryError:
            raise
        except BaseException:  # an interrupt, too
            lane.note_cancelled(parcel)
            lane.land()
            raise
        if patience.cancelled_caught:
            lane.note_failed(parcel)
            lane.land()
            raise DeliveryTimeout(parcel.agent_id, seconds, parcel.outcome) from parcel.error
        self._start_workers(lane)
        return Receipt("buffered", parcel.agent_id, number)

    # Delivering what waits

    def _start_workers(self, lane: Lane) -> None:
        if self._is_over:  # what waits is handed over
            return
        while lane.workers < min(self.terms.drain_concurrency, len(lane.buffer.waiting)):
            lane.workers += 1
            self._context.run(self._start_worker, lane)

    def _start_worker(self, lane: Lane) -> None:
        self._nursery.start_soon(self._work, lane, name=f"deliver what waits for {lane.agent_id}")

    @enable_ki_protection
    async def _work(self, lane: Lane) -> None:
        try:
            with trio.CancelScope() as scope:
                self._workers[scope] = None
                try:
                    await self._drain_lane(lane)
                finally:
                    del self._workers[scope]
        except trio.Cancelled:
            raise
        except BaseException as failure:  # noqa: BLE001  raised by the block
            self.failure = failure
            self._nursery.cancel_scope.cancel(reason="what delivers buffered messages has failed")
        finally:
            lane.workers -= 1
            self._at_rest.unpark_all()

    async def _drain_lane(self, lane: Lane) -> None:
        """Deliver what is in a buffer, until it is empty."""
        may_go = lane.limiter is None
        while not self._is_over:  # as it may be when a task that was to begin does
            lane.expire()
            if not lane.buffer.waiting:
                return
            state = lane.breaker.state
            if state not in _READY:
                await lane.nap(partial(lane.breaker.wait_state, *_READY))
            elif state == "half_open" and lane.in_hand:
                # The head is the probe, and nothing else.
                await lane.nap(partial(lane.breaker.wait_state, *_all_but(state)))
            elif trio.current_time() < lane.paused_until:
                await lane.nap(partial(trio.sleep_until, lane.paused_until))
            elif not may_go:
                assert lane.limiter is not None
                may_go = await lane.nap(lane.limiter.wait)
            else:
                may_go = lane.limiter is None
                await self._deliver_head(lane)

    async def _deliver_head(self, lane: Lane) -> None:
        ref = self.agents.ref_of(lane.agent_id)
        if ref is None:
            lane.give_up()
            return
        parcel = lane.take()
        try:
            await attempt(lane, ref, parcel, self.terms.delivery_timeout)
        except BreakerOpen:
            # Were the others woken they would fare the same, and wake this one.
            lane.give_back(parcel.again(parcel.error), is_news=False)
            await self._wait_for_others(lane)
        except ReceiverNotFound as gone:
            lane.give_back(parcel.again(gone))
            lane.give_up()
        except DeliveryError as failure:
            _note_failure(lane, parcel, failure)
        except BaseException:
            lane.give_back(parcel.again(parcel.error))
            raise
        else:
            lane.paused_until = -math.inf
            lane.settle(parcel)

    async def _wait_for_others(self, lane: Lane) -> None:
        """Wait while the breaker, though not open, lets nothing through."""
        state = lane.breaker.state
        if state in _READY:
            with trio.move_on_after(_LOOK_AGAIN):
                await lane.nap(partial(lane.breaker.wait_state, *_all_but(state)))

    # The end

    def _on_gone(self, agent_id: str) -> None:
        lane = self.lanes.pop(agent_id, None)
        if lane is not None:
            self._leaving[lane] = None
            try:
                lane.end("gone")
            finally:
                if self.terms.breaker.get("health") is not None:
                    lane.breaker.force_closed()  # so that nobody asks for its health any more

    def _on_change(self, lane: Lane) -> None:
        if lane in self._leaving and lane.is_at_rest:
            del self._leaving[lane]
            self._past.add(lane.tally)
            lane.tally = self._past  # what is still to be counted is counted there
        self._at_rest.unpark_all()

    async def drain(self, deadline: float) -> list[DeadLetter]:
        """Take no more, deliver what waits until a time, and return what is left."""
        self._is_closed = True
        with trio.CancelScope(deadline=deadline):
            while any(lane.buffer.held for lane in self._all_lanes()):
                await self._at_rest.park()
        self.stop()  # or a sender that fails just now would have another task begin
        for scope in self._workers:
            scope.cancel(reason="the time to drain the buffers is over")
        with trio.CancelScope(shield=True):  # they are cancelled, and wait for nothing
            while self._workers:
                await self._at_rest.park()
        letters = [letter for lane in self._all_lanes() for letter in lane.take_back()]
        await cancel_shielded_checkpoint()
        return letters

    def stop(self) -> None:
        """Take no more, nor buffer any: no task is there to deliver it."""
        self._is_closed = self._is_over = True

    def close(self) -> None:
        """Hand out what waits; what a hook raises, and is no Exception, goes up at the end."""
        self._forget_agents()
        with ExitStack() as last_to_first:
            for lane in reversed([*self._all_lanes()]):
                last_to_first.callback(lane.end, "closed")

    def _all_lanes(self) -> Iterator[Lane]:
        yield from tuple(self.lanes.values())
        yield from tuple(self._leaving)

    # What is shown

    def totals(self) -> Tally:
        total = Tally()
        total.add(self._past)
        for lane in self._all_lanes():
            total.add(lane.tally)
        return total

    def statistics(self) -> CoordinatorStatistics:
        return CoordinatorStatistics(
            **self.totals().figures(),
            buffered=sum(lane.buffer.held for lane in self._all_lanes()),
            in_flight=sum(lane.in_flight for lane in self._all_lanes()),
            receivers=MappingProxyType(
                {agent_id: lane.statistics() for agent_id, lane in self.lanes.items()}
            ),
        )


def _note_failure(lane: Lane, parcel: Parcel, failure: DeliveryError) -> None:
    """Decide what becomes of a buffered message that failed."""
    if isinstance(failure, DeliveryFailed) and failure.reason == "refused":
        lane.refuse(parcel.again(failure))
    else:
        lane.give_back(parcel.again(failure))
        if lane.breaker.state != "open":  # which is a pause itself
            lane.paused_until = trio.current_time() + _BACKOFF.delay(parcel.attempt - 1)


def _may_pass(failure: DeliveryError) -> bool:
    """Return whether another attempt may end better."""
    if isinstance(failure, DeliveryTimeout):
        return True
    return isinstance(failure, DeliveryFailed) and failure.reason in {
        "crashed",
        "stopped",
        "mailbox_full",
    }


def _all_but(state: BreakerState) -> list[BreakerState]:
    return [other for other in get_args(BreakerState) if other != state]


async def _turn_away(lane: Lane, parcel: Parcel, error: DeliveryError) -> NoReturn:
    lane.note_failed(parcel)
    try:
        await cancel_shielded_checkpoint()
        raise error from parcel.error
    finally:
        del error  # its traceback holds this frame
