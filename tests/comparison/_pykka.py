"""What pykka does: actors, each of which is a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

from tests.comparison._needed import has_no, needed
from tests.comparison._worlds import Answer, Broken, Trial, elsewhere, yes_if

pykka = needed("pykka")

if TYPE_CHECKING:

    class ThreadingActor:
        """As much of it as is used here."""

        @classmethod
        def start(cls, *args: object) -> Any:
            """Start an actor."""

else:
    ThreadingActor = pykka.ThreadingActor

PATIENCE = 5.0


def run(trial: Trial) -> Answer:
    """Run it, and stop all actors after it; nothing in it waits for Trio."""
    try:
        return trio.run(trial)
    finally:
        pykka.ActorRegistry.stop_all(timeout=PATIENCE)


def change(values: list[int]) -> None:
    """Change what was sent."""
    values.append(1)


class Worker(ThreadingActor):
    """An actor that takes its time, or crashes."""

    def __init__(self, handled: list[str], free: threading.Event) -> None:
        super().__init__()
        self.handled = handled
        self.free = free

    def on_receive(self, message: Any) -> object:
        """Handle a message."""
        if message == "bomb":
            self.free.wait(PATIENCE)
            raise Broken
        if message == "slow":
            self.free.wait(PATIENCE)
        if not isinstance(message, str):
            change(message)
        self.handled.append(str(message))
        return message


class Clerk:
    """An actor, what it has handled, and what it waits for."""

    def __init__(self) -> None:
        self.handled = list[str]()
        self.free = threading.Event()
        self.ref = Worker.start(self.handled, self.free)

    def crash(self) -> None:
        """Have it crash, with nobody to ask it."""
        self.ref.tell("bomb")
        self.free.set()
        self.wait_until_dead()

    def wait_until_dead(self) -> None:
        """Wait, but not for ever."""
        assert self.ref.actor_stopped.wait(PATIENCE)


async def restart() -> Answer:
    clerk = Clerk()
    clerk.free.set()
    try:
        clerk.ref.ask("bomb", timeout=PATIENCE)
    except Broken:
        assert clerk.ref.is_alive()
    clerk.crash()
    return yes_if(clerk.ref.is_alive() or not has_no("pykka", "restart"))


async def limit() -> Answer:
    return yes_if(not has_no("pykka", "supervis", "max_restarts"))


async def order() -> Answer:
    seen = list[str]()
    free = threading.Event()

    class First(ThreadingActor):
        def on_start(self) -> None:
            free.wait(PATIENCE)
            seen.append("first is ready")

    class Second(ThreadingActor):
        def on_start(self) -> None:
            seen.append("second begins")
            free.set()

    first, second = First.start(), Second.start()
    for actor in (second, first):
        actor.stop(timeout=PATIENCE)
    return yes_if(seen == ["first is ready", "second begins"])


async def groups() -> Answer:
    one, other = Clerk(), Clerk()
    one.crash()
    return yes_if(not other.ref.is_alive() or not has_no("pykka", "one_for_all", "link"))


async def stop() -> Answer:
    ended = list[str]()

    class Tidy(ThreadingActor):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def on_stop(self) -> None:
            time.sleep(0.001 if self.name == "a" else 0.02)
            ended.append(self.name)

    for name in "abc":
        Tidy.start(name)
    pykka.ActorRegistry.stop_all(timeout=PATIENCE)
    return yes_if(ended == ["c", "b", "a"])


async def gone() -> Answer:
    clerk = Clerk()
    waiting = [clerk.ref.ask(what, block=False) for what in ("slow", "bomb")]
    clerk.ref.stop(block=False)
    waiting.append(clerk.ref.ask("behind", block=False))
    clerk.free.set()
    clerk.wait_until_dead()
    told = [waiting[0].get(timeout=PATIENCE)]
    for one, error in ((waiting[1], Broken), (waiting[2], pykka.ActorDeadError)):
        try:
            one.get(timeout=PATIENCE)
        except error:
            told.append(error.__name__)
    try:
        clerk.ref.ask("late", timeout=PATIENCE)
    except pykka.ActorDeadError:
        told.append("late")
    return yes_if(told == ["slow", "Broken", "ActorDeadError", "late"])


async def keep() -> Answer:
    clerk = Clerk()
    failed = clerk.ref.ask("bomb", block=False)
    clerk.ref.tell("after an ask")
    for what in ("bomb", "one", "two"):
        clerk.ref.tell(what)
    clerk.free.set()
    clerk.wait_until_dead()
    try:
        failed.get(timeout=PATIENCE)
    except Broken:
        assert clerk.handled[:1] == ["after an ask"]  # no crash, as that of a tell is
    return yes_if(len(clerk.handled) > 1)


async def cap() -> Answer:
    clerk = Clerk()
    clerk.ref.tell("slow")
    for _ in range(10_000):
        clerk.ref.tell("one more")
    clerk.free.set()
    return yes_if(not has_no("pykka", "capacity", "overflow"))


async def cancelled() -> Answer:
    clerk = Clerk()
    clerk.ref.tell("slow")
    try:
        clerk.ref.ask("what nobody waits for", timeout=0.01)
    except pykka.Timeout:
        clerk.free.set()
        clerk.ref.stop(timeout=PATIENCE)
    return yes_if(clerk.handled == ["slow"])


async def orphans() -> Answer:
    @contextmanager
    def block() -> Generator[Clerk]:
        yield Clerk()

    with block() as clerk:
        pass
    return yes_if(not clerk.ref.is_alive())


async def breaker() -> Answer:
    return yes_if(not has_no("pykka", "breaker", "circuit"))


async def deadline() -> Answer:
    return yes_if(not has_no("pykka", "retry", "retries", "backoff"))


async def registry() -> Answer:
    clerk = Clerk()
    urn = clerk.ref.actor_urn
    there = pykka.ActorRegistry.get_by_urn(urn) is not None
    clerk.crash()
    return yes_if(there and pykka.ActorRegistry.get_by_urn(urn) is None)


async def virtual() -> Answer:
    return yes_if(not has_no("pykka", "clock", "autojump"))


async def preempt() -> Answer:
    class Busy(ThreadingActor):
        def on_receive(self, message: threading.Event) -> None:
            while not message.is_set():  # it never yields
                pass

    done = threading.Event()
    busy, clerk = Busy.start(), Clerk()
    busy.tell(done)
    answer = clerk.ref.ask("hello", timeout=PATIENCE)
    done.set()
    return yes_if(answer == "hello")


async def kill() -> Answer:
    clerk = Clerk()
    clerk.ref.tell("slow")
    try:
        clerk.ref.stop(timeout=0.05)
    except pykka.Timeout:
        clerk.free.set()
        return "no"
    return "yes"


async def isolation() -> Answer:
    mine = list[int]()
    Clerk().ref.ask(mine, timeout=PATIENCE)
    return yes_if(not mine)


async def distribution() -> Answer:
    return yes_if(elsewhere(Clerk().ref) is not None)
