"""A saga: a trip is booked in three places; when the last says no, the others are cancelled."""

from __future__ import annotations

from functools import partial

import trio
import trio.testing

from trio_foundation.workflows import Fate, Saga, SagaFailed, SagaStep

calls = [0]
begun = 0.0


def say(text: str) -> None:
    """Print something with the time."""
    print(f"{trio.current_time() - begun:4.1f} s: {text}")


async def book(what: str, seconds: float) -> str:
    """Book something, which takes a while; the card is refused."""
    await trio.sleep(seconds)
    calls[0] += 1
    if what == "card":
        raise PermissionError("the card was refused")
    say(f"{what} is booked")
    return f"{what} no. {calls[0]}"


async def cancel(what: str, booking: str | None, fate: Fate) -> None:
    """Cancel a booking; if it is not known whether there is one, ask first."""
    if fate == "unknown":
        say(f"asking whether there is a {what}")
    await trio.sleep(0.5)
    say(f"{booking or what} is cancelled")


async def main() -> None:
    """Book a trip that comes to nothing, and one that is called off in the middle."""
    global begun  # noqa: PLW0603  all times are told from here
    begun = trio.current_time()
    trip = Saga("trip").step("flight", partial(book, "flight", 1.0), partial(cancel, "flight"))
    two = [SagaStep(one, partial(book, one, 1.0), partial(cancel, one)) for one in ("hotel", "car")]
    trip.parallel(*two).step("pay", partial(book, "card", 1.0))
    trip.dry_run()
    try:
        await trip.run()
    except SagaFailed as failed:
        say(str(failed))
    with trio.move_on_after(1.5):
        await trip.run()
    say("the second trip was called off")


if __name__ == "__main__":
    # This clock jumps whenever all tasks wait: the seconds are over at once.
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
