"""The table: which behaviour, who has it, and how that is known.

It is written here once. The tests compare each cell with what they see; the README and the page
are compared with what is made of it here. ``python -m tests.comparison`` prints both.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Literal, final

import attrs

from tests.comparison._worlds import Answer

__all__ = ["PEERS", "ROWS", "Cell", "Row", "page", "readme"]

By = Literal["tested", "recorded", "documented"]

PEERS = {
    "ours": "trio_foundation",
    "triotp": "triotp",
    "pykka": "pykka",
    "mode": "mode",
    "by_hand": "by hand",
    "otp": "OTP",
}


@final
@attrs.frozen
class Cell:
    """Who has a behaviour, and how that is known."""

    answer: Answer
    note: str = ""
    """Why, in a few words."""
    by: By = attrs.field(default="tested", kw_only=True)


@final
@attrs.frozen(kw_only=True)
class Row:
    """A behaviour."""

    name: str
    """As its tests call it."""

    words: str
    cells: dict[str, Cell]


YES, NO = Cell("yes"), Cell("no")
RECORDED = Cell("yes", by="recorded")
NO_SUPERVISORS = Cell("no", "It has no supervisors.")
NO_MAILBOXES = Cell("no", "Services have no mailboxes.")
IN_ONE_THREAD = Cell("no", "All tasks share one thread.")
IN_ONE_PROCESS = Cell("no", "All of it is one process.")
OTHER_LIBRARIES = Cell("no", "Other libraries of Erlang and Elixir have it.", by="documented")
NO_UPGRADE = Cell("no", by="documented")


def row(name: str, words: str, *cells: Cell) -> Row:
    """Return a row whose cells are in the order of `PEERS`."""
    return Row(name=name, words=words, cells=dict(zip(PEERS, cells, strict=True)))


ROWS = (
    row(
        "restart",
        "A worker that crashes is started again",
        YES,
        YES,
        Cell("no", "An actor ends; but an error of an ask is its caller's, and the actor lives."),
        YES,
        YES,
        RECORDED,
    ),
    row(
        "limit",
        "Too many crashes in a while go to the level above",
        YES,
        Cell("yes", "Each child counts for itself."),
        NO_SUPERVISORS,
        YES,
        Cell("partly", "tenacity counts attempts for ever, not in a while."),
        RECORDED,
    ),
    row(
        "order",
        "Children start in order, each ready before the next",
        YES,
        Cell("partly", "In order, but it waits for no child to be ready."),
        Cell("no", "start() does not wait for on_start."),
        YES,
        YES,
        RECORDED,
    ),
    row(
        "groups",
        "One crash can restart the others, or those after it",
        YES,
        Cell("partly", "A child that is a nursery is restarted whole."),
        NO_SUPERVISORS,
        Cell("partly", "All of them, or one; not those after it."),
        Cell("partly", "A child that is a nursery is restarted whole."),
        RECORDED,
    ),
    row(
        "stop",
        "They stop in reverse order, each with time to clean up",
        YES,
        Cell("no", "All are cancelled at once."),
        YES,
        Cell(
            "partly", "Services within a service; those of a supervisor, in the order of the start."
        ),
        Cell("no", "All are cancelled at once."),
        RECORDED,
    ),
    row(
        "orphans",
        "No task outlives its block",
        YES,
        YES,
        Cell("no", "An actor lives until it is stopped."),
        Cell("partly", "Its own tasks end; one that asyncio.create_task made goes on."),
        YES,
        Cell("partly", "Linked processes end together; others go on."),
    ),
    row(
        "gone",
        "Who calls a server that is gone is told at once",
        YES,
        Cell("partly", "Not the caller whose message crashes it, who waits for ever."),
        YES,
        NO_MAILBOXES,
        YES,
        YES,
    ),
    row(
        "keep",
        "Messages that wait survive a crash",
        YES,
        Cell("no", "Its mailbox is destroyed, and who sends is told."),
        Cell("no", "Those to an actor that ends are refused; an error of an ask ends none."),
        NO_MAILBOXES,
        YES,
        Cell("no", "A process takes its mailbox along."),
    ),
    row(
        "cap",
        "A mailbox has a cap, and a policy when it is full",
        YES,
        Cell("partly", "The cap is zero, and who sends waits."),
        NO,
        NO_MAILBOXES,
        Cell("partly", "A channel makes wait or refuses; it cannot drop its oldest."),
        NO,
    ),
    row(
        "cancelled",
        "A call that waits is withdrawn with its caller",
        YES,
        Cell("partly", "Yes; but if it is in hand, its answer crashes the server."),
        NO,
        NO_MAILBOXES,
        NO,
        NO,
    ),
    row(
        "breaker",
        "A breaker opens while calls hang, and rejects at once",
        YES,
        Cell("no", "It has no breaker."),
        Cell("no", "It has no breaker."),
        Cell("no", "It has no breaker."),
        Cell("no", "Neither Trio nor tenacity has a breaker."),
        OTHER_LIBRARIES,
    ),
    row(
        "deadline",
        "A retry never sleeps past the deadline of its caller",
        YES,
        Cell("no", "It has no retry for calls."),
        Cell("no", "It has no retry."),
        Cell("no", "It has no retry."),
        Cell(
            "partly",
            "tenacity does if its stop= is told the seconds too that the scope around it has.",
        ),
        OTHER_LIBRARIES,
    ),
    row(
        "registry",
        "A registry forgets who has ended",
        YES,
        YES,
        YES,
        Cell("no", "It has no registry."),
        YES,
        RECORDED,
    ),
    row(
        "virtual",
        "Restarts can be tested in virtual time",
        YES,
        YES,
        Cell("no", "It has no clock of its own."),
        Cell("no", "Its limit goes by the system's clock."),
        YES,
        Cell("no", by="documented"),
    ),
    row(
        "preempt",
        "A worker that never yields holds up nobody",
        IN_ONE_THREAD,
        IN_ONE_THREAD,
        Cell("yes", "Each actor is a thread."),
        Cell("partly", "A ServiceThread has a thread of its own; other services share one."),
        IN_ONE_THREAD,
        YES,
    ),
    row(
        "kill",
        "A worker that refuses to stop can be killed",
        Cell("no", "It is reported. A child that is a process can be: process_child."),
        NO,
        NO,
        NO,
        NO,
        YES,
    ),
    row(
        "isolation",
        "Each worker has memory of its own",
        IN_ONE_PROCESS,
        IN_ONE_PROCESS,
        IN_ONE_PROCESS,
        IN_ONE_PROCESS,
        IN_ONE_PROCESS,
        YES,
    ),
    row(
        "distribution",
        "Messages reach other processes and machines",
        IN_ONE_PROCESS,
        IN_ONE_PROCESS,
        IN_ONE_PROCESS,
        NO_MAILBOXES,
        IN_ONE_PROCESS,
        Cell("yes", by="documented"),
    ),
    row(
        "upgrade",
        "Code is replaced while it runs",
        NO_UPGRADE,
        NO_UPGRADE,
        NO_UPGRADE,
        NO_UPGRADE,
        NO_UPGRADE,
        Cell("yes", by="documented"),
    ),
)


def told(cell: Cell) -> str:
    """Return the answer, marked if it is only documented."""
    return cell.answer + ("\\*" if cell.by == "documented" else "")


def readme() -> str:
    """Return the table as it is in the README."""
    lines = [["", *PEERS.values()], ["---"] + [":-:"] * len(PEERS)]
    lines += [[one.words, *map(told, one.cells.values())] for one in ROWS]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page() -> str:
    """Return the table and its notes as they are on the page."""
    widths = (56, *(max(len(name), 9) for name in ("``distribution``", *PEERS.values())))
    rule = " ".join("=" * width for width in widths)

    def line(*cells: str) -> str:
        padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        return " ".join(padded).rstrip()

    lines = [rule, line("Behaviour", "test", *PEERS.values()), rule]
    for one in ROWS:
        first, *more = textwrap.wrap(one.words, widths[0])
        lines.append(line(first, f"``{one.name}``", *map(told, one.cells.values())))
        lines += [line(rest, *[""] * (len(widths) - 1)) for rest in more]
    return "\n".join([*lines, rule, "", "\\* documented, and not tested here.", "", *notes()])


def notes() -> Iterator[str]:
    """Yield why it is not a plain yes, row by row; those who share a reason share a line."""
    for one in ROWS:
        reasons: dict[str, list[str]] = {}
        for peer, cell in one.cells.items():
            if cell.note:
                reasons.setdefault(cell.note, []).append(PEERS[peer])
        if reasons:
            yield one.words
            for note, peers in reasons.items():
                yield from textwrap.wrap(
                    f"{', '.join(peers)}: {note}",
                    110,
                    initial_indent="    * ",
                    subsequent_indent="      ",
                )
            yield ""
