"""What type checkers have to refuse; nothing here is run.

Each wrong line says what mypy refuses it as; pyright heeds the same comment. To mypy
(``warn_unused_ignores``, part of ``strict``) and to pyright (by the comment below) a line that
says so and is not wrong any more is an error.
"""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.messaging import (
    Address,
    Mailbox,
    Ref,
    Served,
    Server,
    State,
    StateServer,
    UndeliveredReason,
    open_mailbox,
    serve,
)

from ._servers import Counter, Limited, Other


async def calls(counter: Ref[Counter]) -> None:
    await counter.call(Counter.increment, "2")  # type: ignore[arg-type]
    await counter.call(Counter.increment, by="2")  # type: ignore[arg-type]
    await counter.call(Counter.increment, 1, 2)  # type: ignore[call-arg]
    await counter.call(Counter.increment, of=2)  # type: ignore[call-arg]
    await counter.call(Counter.increment, by=1, of=2)  # type: ignore[call-arg]
    await counter.call(Counter.rename)  # type: ignore[call-arg]
    await counter.call(Counter.rename, name="a")  # type: ignore[call-arg]
    await counter.call(Counter.rename, "a", "b")  # type: ignore[call-arg]
    await counter.call(Counter.add, 1, "2")  # type: ignore[arg-type]
    await counter.call(Counter.peek)  # type: ignore[arg-type]
    await counter.call("increment")  # type: ignore[arg-type]
    await counter.call(Counter().increment())  # type: ignore[arg-type]
    await counter.call()  # type: ignore[call-arg]
    await counter.call(Other.increment)  # type: ignore[arg-type]
    await counter.call(Limited.increment)  # type: ignore[arg-type]
    await counter.call(Limited.limit)  # type: ignore[arg-type]
    text: str = await counter.call(Counter.increment)  # type: ignore[arg-type]
    print(text)  # noqa: T201
    counter.call(Counter.increment)  # type: ignore[unused-coroutine]


async def calls_of_an_instance(counter: Ref[Counter], instance: Counter) -> None:
    await counter.call(instance.rename)  # type: ignore[arg-type]
    await counter.call(instance.reset)  # type: ignore[arg-type]


def casts(counter: Ref[Counter]) -> None:
    counter.cast(Counter.increment, "2")  # type: ignore[arg-type]
    counter.cast(Counter.increment, of=2)  # type: ignore[call-arg]
    counter.cast(Counter.rename)  # type: ignore[call-arg]
    counter.cast(Counter.peek)  # type: ignore[arg-type]
    counter.cast(Other.increment)  # type: ignore[arg-type]
    counter.cast(Counter.reset, 1)  # type: ignore[call-arg]


async def casts_that_wait(counter: Ref[Counter]) -> None:
    await counter.cast_wait(Counter.increment, "2")  # type: ignore[arg-type]
    await counter.cast_wait(Counter.rename)  # type: ignore[call-arg]
    await counter.cast_wait(Counter.peek)  # type: ignore[arg-type]
    await counter.cast_wait(Other.increment)  # type: ignore[arg-type]


async def nobody_waits_for_a_cast(counter: Ref[Counter]) -> None:
    await counter.cast(Counter.reset)  # type: ignore[misc]


def nothing_comes_of_a_cast(counter: Ref[Counter]) -> None:
    count: int = counter.cast(Counter.increment)  # type: ignore[assignment]
    print(count)  # noqa: T201


def what_is_no_server() -> None:
    serve(dict, capacity=1)  # type: ignore[type-var]
    serve(Counter(), capacity=1)  # type: ignore[arg-type]
    serve(int, capacity=1)  # type: ignore[type-var]


def options() -> None:
    serve(Counter)  # type: ignore[call-arg]
    serve(Counter, 64)  # type: ignore[call-arg]
    serve(Counter, capacity=1.5)  # type: ignore[arg-type]
    serve(Counter, capacity=1, overflow="drop")  # type: ignore[arg-type]
    serve(Counter, capacity=1, restart="always")  # type: ignore[arg-type]
    serve(Counter, capacity=1, size=2)  # type: ignore[call-arg]


def a_base_does_not_serve_for_its_subclass(counter: Ref[Counter]) -> None:
    limited: Ref[Limited] = counter  # type: ignore[assignment]
    print(limited)  # noqa: T201


def another_server() -> None:
    other: Ref[Other] = serve(Counter, capacity=1).ref  # type: ignore[assignment]
    limited: Served[Limited] = serve(Counter, capacity=1)  # type: ignore[arg-type]
    print(other, limited)  # noqa: T201


class Clock(Server):
    async def setup(self) -> None:
        self.every("1", self.tick)  # type: ignore[arg-type]
        self.every(1.0, self.sync)  # type: ignore[arg-type]
        self.after(1.0, self.tick())  # type: ignore[arg-type]
        self.after(self.tick)  # type: ignore[call-arg, arg-type]

    async def tick(self) -> None: ...

    def sync(self) -> None: ...

    async def teardown(self) -> None: ...  # type: ignore[override]


def states() -> None:
    class Door(StateServer):
        async def push(self) -> None:
            self.become(1)  # type: ignore[arg-type]
            self.state = "open"  # type: ignore[misc]

        states = {  # noqa: RUF012
            "closed": State({push: 5}),  # type: ignore[dict-item]
            "open": State({"push": "closed"}),  # type: ignore[dict-item]
            "ajar": State({push: "open"}, timeout=5.0),  # type: ignore[arg-type]
            "off": State({push: "open"}, [push]),  # type: ignore[call-arg]
        }

    serve(Door, capacity=1)


async def messages_of_another_type(address: Address[int], mailbox: Mailbox[int]) -> None:
    await address.send("1")  # type: ignore[arg-type]
    address.send_nowait(1.5)  # type: ignore[arg-type]
    address.send_nowait(None)  # type: ignore[arg-type]
    text: str = await mailbox.receive()  # type: ignore[assignment]
    texts: list[str] = await mailbox.receive_batch()  # type: ignore[assignment]
    print(text, texts)  # noqa: T201


def an_address_that_takes_less(address: Address[bool], mailbox: Mailbox[object]) -> None:
    numbers: Address[int] = address  # type: ignore[assignment]
    received: Mailbox[int] = mailbox  # type: ignore[assignment]
    print(numbers, received)  # noqa: T201


def the_wrong_end(address: Address[int], mailbox: Mailbox[int]) -> None:
    address.receive_nowait()  # type: ignore[attr-defined]
    mailbox.send_nowait(1)  # type: ignore[attr-defined]


def note(order: str, why: UndeliveredReason) -> None: ...


def note_alone(order: str) -> None: ...


def mailboxes() -> None:
    open_mailbox[int]()  # type: ignore[call-arg]
    open_mailbox[int]("1")  # type: ignore[arg-type]
    open_mailbox[int](1, "block")  # type: ignore[call-arg]
    open_mailbox[int](1, overflow="drop")  # type: ignore[arg-type]
    open_mailbox[int](1, on_undelivered=note)  # type: ignore[arg-type]
    open_mailbox[str](1, on_undelivered=note_alone)  # type: ignore[arg-type]
