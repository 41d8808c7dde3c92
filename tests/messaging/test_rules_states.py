"""Tests of tables of states: by arithmetic, and held against a plain walk."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
import pytest
from hypothesis import given, strategies as st

from trio_foundation.messaging._rules._states import Row, Table, faults


def table(initial: str = "off", everywhere: Iterable[str] = (), **rows: Row) -> Table:
    return Table(initial=initial, rows=rows, everywhere=tuple(everywhere))


def row(postpones: Iterable[str] = (), **moves: str) -> Row:
    """Return a row whose messages lead to the states that are named, ``on/off`` to either."""
    return Row(
        moves={message: tuple(states.split("/")) for message, states in moves.items()},
        postpones=frozenset(postpones),
    )


LAMP = table(
    everywhere=("watch", "ask"),
    off=row(press="on", turn="on/off"),
    on=row({"replace"}, press="off"),
)

# What becomes of a message


@pytest.mark.parametrize(
    ("state", "message", "reaction"),
    [
        ("off", "press", "handle"),
        ("off", "turn", "handle"),
        ("off", "ask", "handle"),
        ("off", "replace", "refuse"),
        ("on", "press", "handle"),
        ("on", "turn", "refuse"),
        ("on", "ask", "handle"),
        ("on", "replace", "postpone"),
        ("on", "eat", "refuse"),
    ],
)
def test_a_message_is_handled_postponed_or_refused(state: str, message: str, reaction: str) -> None:
    assert LAMP.reaction(state, message) == reaction


@pytest.mark.parametrize(
    ("state", "message", "targets"),
    [
        ("off", "press", ("on",)),
        ("off", "turn", ("on", "off")),
        ("off", "ask", ("off",)),
        ("on", "press", ("off",)),
        ("on", "ask", ("on",)),
    ],
)
def test_a_message_leads_where_its_row_says_and_everywhere_nowhere(
    state: str, message: str, targets: tuple[str, ...]
) -> None:
    assert LAMP.targets(state, message) == targets


def test_what_is_handled_in_a_state_is_told_in_the_order_of_its_row() -> None:
    assert LAMP.handled_in("off") == ("press", "turn", "watch", "ask")
    assert LAMP.handled_in("on") == ("press", "watch", "ask")


def test_nothing_is_handled_in_an_empty_row() -> None:
    assert table(off=row()).handled_in("off") == ()


def test_what_is_not_said_is_handled_everywhere_and_not_told() -> None:
    lamp = attrs.evolve(LAMP, unsaid=frozenset({"_tick"}))
    for state in lamp.rows:
        assert lamp.reaction(state, "_tick") == "handle"
        assert lamp.targets(state, "_tick") == (state,)
        assert "_tick" not in lamp.handled_in(state)
    assert list(faults(lamp, [])) == []


# What is wrong with a table


@pytest.mark.parametrize("messages", [[], ["press"], ["press", "turn", "replace", "ask", "watch"]])
def test_a_table_that_makes_sense_has_no_faults(messages: list[str]) -> None:
    assert list(faults(LAMP, messages)) == []


FAULTS: dict[str, tuple[Table, list[str], list[str]]] = {
    "an initial state that is none": (
        table("dim", off=row(press="on"), on=row(press="off")),
        ["press"],
        ["its initial state 'dim' is none of its states, 'off', 'on'"],
    ),
    "a target that is no state": (
        table(off=row(press="on")),
        ["press"],
        ["in state 'off', 'press' leads to 'on', which is none of its states, 'off'"],
    ),
    "two targets that are no states, beside one that is": (
        table(off=row(press="dim/off/bright")),
        ["press"],
        ["in state 'off', 'press' leads to 'dim', 'bright', which is none of its states, 'off'"],
    ),
    "a message without a target": (
        table(off=Row(moves={"press": ()})),
        ["press"],
        ["in state 'off', 'press' leads nowhere: name a state, itself to stay"],
    ),
    "a message that is handled and postponed": (
        table(off=row({"press", "turn", "ask"}, press="off", turn="off")),
        ["press", "turn", "ask"],
        ["in state 'off', 'press', 'turn' is both handled and postponed"],
    ),
    "a message that is postponed, and handled everywhere": (
        table(everywhere={"ask"}, off=row({"ask"}, press="off")),
        ["press", "ask"],
        ["in state 'off', 'ask' is both handled and postponed"],
    ),
    "a message that is handled, and everywhere": (
        table(everywhere={"press"}, off=row(press="off")),
        ["press"],
        ["in state 'off', 'press' is handled, and everywhere too"],
    ),
    "a state that nothing leads to": (
        table(off=row(press="off"), on=row(press="off"), dim=row(press="on")),
        ["press"],
        ["nothing leads to the state 'dim', 'on'"],
    ),
    "states that lead to each other alone": (
        table(off=row(press="off"), on=row(press="dim"), dim=row(press="on")),
        ["press"],
        ["nothing leads to the state 'dim', 'on'"],
    ),
    "a state that only its own time-out is about": (
        table(off=row(press="off"), on=Row(moves={"press": ("on",)}, timeout=(1.0, "press"))),
        ["press"],
        ["nothing leads to the state 'on'"],
    ),
    "messages in no row": (
        table(off=row(press="off")),
        ["turn", "press", "replace"],
        [
            "'replace', 'turn' is handled in no state: add it to one, or to `everywhere`; if it "
            "is no message, let its name begin with _"
        ],
    ),
    "a time-out that is not handled": (
        table(off=Row(moves={"press": ("off",)}, timeout=(1.0, "turn"))),
        ["press"],
        ["in state 'off', the time-out is 'turn', which is not handled there"],
    ),
    "a time-out that is handled in another state": (
        table(
            off=Row(moves={"press": ("on",)}, timeout=(1.0, "turn")),
            on=row(turn="off"),
        ),
        ["press", "turn"],
        ["in state 'off', the time-out is 'turn', which is not handled there"],
    ),
    "several faults": (
        table(everywhere={"ask"}, off=row({"press"}, press="dim", ask="off"), on=row()),
        ["press", "ask", "turn"],
        [
            "in state 'off', 'press' leads to 'dim', which is none of its states, 'off', 'on'",
            "in state 'off', 'press' is both handled and postponed",
            "in state 'off', 'ask' is handled, and everywhere too",
            "nothing leads to the state 'on'",
            "'turn' is handled in no state: add it to one, or to `everywhere`; if it is no "
            "message, let its name begin with _",
        ],
    ),
}


@pytest.mark.parametrize(("wrong", "messages", "told"), FAULTS.values(), ids=FAULTS)
def test_each_fault_of_a_table_is_told_in_a_sentence(
    wrong: Table, messages: list[str], told: list[str]
) -> None:
    assert list(faults(wrong, messages)) == told


@pytest.mark.parametrize(
    "named",
    [
        row({"turn"}, press="off"),
        attrs.evolve(row(press="off"), enter="turn"),
        attrs.evolve(row(press="off"), exit="turn"),
    ],
    ids=["postponed", "enter", "exit"],
)
def test_a_message_is_not_forgotten_if_the_row_names_it_in_any_way(named: Row) -> None:
    assert list(faults(table(off=named), ["press", "turn"])) == []


def test_a_state_may_be_the_last_one() -> None:
    assert list(faults(table(off=row(burn="burnt"), burnt=row()), ["burn"])) == []


def test_a_state_is_reached_by_any_of_the_states_that_a_message_may_lead_to() -> None:
    lamp = table(off=row(turn="off/dim/on"), dim=row(), on=row())
    assert list(faults(lamp, ["turn"])) == []


# Held against a plain walk

STATES = ["off", "dim", "on", "broken"]
MESSAGES = ["ask", "press", "turn"]


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """Draw tables that name no state and no message that there is not."""
    names = draw(st.lists(st.sampled_from(STATES), min_size=1, unique=True))
    targets = st.lists(st.sampled_from(names), min_size=1, unique=True).map(tuple)
    rows = st.builds(
        Row,
        moves=st.dictionaries(st.sampled_from(MESSAGES), targets),
        postpones=st.frozensets(st.sampled_from(MESSAGES)),
    )
    return Table(
        initial=draw(st.sampled_from(names)),
        rows={name: draw(rows) for name in names},
        everywhere=draw(st.lists(st.sampled_from(MESSAGES), max_size=1).map(tuple)),
    )


def walked(table: Table) -> set[str]:
    """Return the states that some run of messages leads to, in as many steps as there are."""
    reached = {table.initial}
    for _ in table.rows:
        for state in set(reached):
            for message in MESSAGES:
                reached.update(table.targets(state, message))
    return reached


@given(tables())
def test_a_state_is_at_fault_if_no_walk_comes_there(table: Table) -> None:
    lost = sorted(set(table.rows) - walked(table))
    told = [fault for fault in faults(table, []) if fault.startswith("nothing leads to")]
    assert told == [f"nothing leads to the state {', '.join(map(repr, lost))}"] * bool(lost)


@given(tables())
def test_without_a_fault_each_message_has_one_reaction_in_each_state(table: Table) -> None:
    if list(faults(table, MESSAGES)):
        return
    reactions = {
        message: {table.reaction(state, message) for state in table.rows} for message in MESSAGES
    }
    for state, found in table.rows.items():
        for message in MESSAGES:
            ways = [message in found.moves, message in table.everywhere, message in found.postpones]
            assert sum(ways) <= 1
            assert (table.reaction(state, message) == "handle") is (ways[0] or ways[1])
            assert (message in table.handled_in(state)) is (ways[0] or ways[1])
    assert all(ways != {"refuse"} for ways in reactions.values())


@given(tables(), st.data())
def test_of_a_table_without_fault_any_walk_stays_within_it(
    table: Table, data: st.DataObject
) -> None:
    state = table.initial
    for message in data.draw(st.lists(st.sampled_from(MESSAGES), max_size=10)):
        if table.reaction(state, message) == "handle":
            state = data.draw(st.sampled_from(table.targets(state, message)))
        assert state in table.rows
