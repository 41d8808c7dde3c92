"""Our maps over tasks against the streams recorded from Elixir's."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given, strategies as st

from tests.conformance.__main__ import main
from tests.conformance._recordings import Json, is_list, is_object, read_recording
from tests.conformance.tasks import DEVIATIONS, Deviation, check, judge
from tests.conformance.tasks._compare import compare
from tests.conformance.tasks._course import ELIXIR, OURS, course
from tests.conformance.tasks._format import Observation, Scenario, Script
from tests.conformance.tasks._journal import GRAIN, Seen
from tests.conformance.tasks._replay import replay

RECORDING = Path(__file__).parents[1] / "data" / "otp" / "tasks.json.gz"

SCENARIOS = {scenario["name"]: scenario for scenario in read_recording(RECORDING)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_map_does_what_elixirs_stream_was_recorded_to_do(name: str) -> None:
    verdict = check(SCENARIOS[name])
    report = "\n".join(line for each in verdict.differences for line in each.lines())
    assert not verdict.differences, report


def test_the_recording_is_whole() -> None:
    assert len(SCENARIOS) == 86


def test_the_command_replays_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", str(RECORDING)]) == 0
    summary = capsys.readouterr().out.splitlines()[-1]
    assert summary == "86 scenarios: 71 agree, 0 differ, 15 agree but for a listed deviation"


# Deviations


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_model_of_elixirs_stream_foretells_what_was_recorded(name: str) -> None:
    scenario = Scenario.read(SCENARIOS[name])
    assert course(scenario, ELIXIR) == scenario.observed


def event(t: int, ev: str, **fields: Json) -> Json:
    return {"t": t, "ev": ev, **fields}


def with_a_linked_crash() -> dict[str, Json]:
    """Return what Elixir would do in a scenario that is not in this recording."""
    scenario = copy.deepcopy(SCENARIOS["linked/ordered-crash-trapped"])
    scenario.update(name="linked/ordered-crash", trap_exit=False)
    scenario["observed"] = {
        "outcome": ["exit", "boom"],
        "orphans": 0,
        "timeline": [
            event(0, "start", i=0),
            event(0, "start", i=1),
            event(50, "end", i=0, reason="normal"),
            event(50, "emit", result=["ok", 0]),
            event(50, "start", i=2),
            event(100, "end", i=1, reason="boom"),
            event(100, "end", i=2, reason="boom"),
            event(100, "caller_exit"),
        ],
    }
    return scenario


def with_an_orphan() -> dict[str, Json]:
    """Return what Elixir would do in another."""
    scenario = copy.deepcopy(SCENARIOS["timeout/unordered-exit-caller"])
    scenario["name"] = "timeout/unordered-orphan"
    scenario["tasks"] = [{"ms": ms, "do": "ok"} for ms in (50, 400, 200)]
    scenario["observed"] = {
        "outcome": ["exit", ["timeout", "stream"]],
        "orphans": 1,
        "timeline": [
            event(0, "start", i=0),
            event(0, "start", i=1),
            event(50, "end", i=0, reason="normal"),
            event(50, "emit", result=["ok", 0]),
            event(50, "start", i=2),
            event(225, "end", i=1, reason="killed"),
            event(225, "caller_exit"),
            event(250, "end", i=2, reason="normal"),
        ],
    }
    return scenario


ELSEWHERE = [with_a_linked_crash(), with_an_orphan()]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda each: each.name)
def test_a_listed_deviation_is_still_one(deviation: Deviation) -> None:
    verdicts = [
        check(scenario)
        for scenario in [*SCENARIOS.values(), *ELSEWHERE]
        if deviation.shows_in(Scenario.read(scenario))
    ]
    assert verdicts
    for verdict in verdicts:
        assert verdict.word == "deviates", verdict.scenario
        assert deviation.reason in verdict.deviations


@pytest.mark.parametrize("scenario", ELSEWHERE, ids=lambda each: each["name"])
def test_a_scenario_written_by_hand_agrees_but_for_one_deviation(scenario: Json) -> None:
    verdict = check(scenario)
    assert verdict.word == "deviates"
    assert len(verdict.deviations) == 1


def retimed(observation: Observation) -> Observation:
    t, result = observation.emits[0]
    return attrs.evolve(observation, emits=[(t + 25, result), *observation.emits[1:]])


def test_a_deviation_says_exactly_what_we_do_instead() -> None:
    scenario = Scenario.read(SCENARIOS["slow_consumer/ordered-two"])
    seen = replay(scenario)
    assert judge(scenario, seen).word == "deviates"
    late = attrs.evolve(seen, observation=retimed(seen.observation))
    assert [each.field for each in judge(scenario, late).differences] == ["emits"]


def test_a_deviation_excuses_nothing_where_it_makes_no_difference() -> None:
    scenario = Scenario.read(SCENARIOS["basic/ordered-slow-head"])
    seen = replay(scenario)
    late = attrs.evolve(seen, observation=retimed(seen.observation))
    verdict = judge(scenario, late)
    assert verdict.word == "differs"
    assert not verdict.deviations


# A busy consumer gets the same; only what is started when, and so what ends first, differs.


@pytest.mark.parametrize("name", [name for name, raw in SCENARIOS.items() if raw["consumer_ms"]])
def test_a_busy_consumer_gets_what_elixirs_gets(name: str) -> None:
    scenario = Scenario.read(SCENARIOS[name])
    theirs = [result for _, result in scenario.observed.emits]
    ours = [result for _, result in replay(scenario).observation.emits]
    if not scenario.ordered:
        theirs, ours = sorted(theirs, key=str), sorted(ours, key=str)
    assert ours == theirs


# What no recording has


def taking_nothing() -> dict[str, Json]:
    """Return a scenario in which nobody wants a result: Elixir's stream is lazy."""
    scenario = copy.deepcopy(SCENARIOS["halt/ordered-take-2-of-5"])
    scenario.update(name="halt/ordered-take-0", take=0)
    scenario["observed"] = {"outcome": "done", "orphans": 0, "timeline": [event(0, "done")]}
    return scenario


def with_just_enough_children(items: int) -> dict[str, Json]:
    """Return one with more slots than children, and no more items than those."""
    scenario = copy.deepcopy(SCENARIOS["max_children/ordered-exceeded"])
    scenario["name"] = f"max_children/just-enough-for-{items}"
    scenario["tasks"] = [{"ms": 100, "do": "ok"}] * items
    starts = [event(0, "start", i=i) for i in range(items)]
    ends = [event(100, "end", i=i, reason="normal") for i in range(items)]
    emits = [event(100, "emit", result=["ok", i]) for i in range(items)]
    timeline = [*starts, *ends, *emits, event(100 if items else 0, "done")]
    scenario["observed"] = {"outcome": "done", "orphans": 0, "timeline": timeline}
    return scenario


@pytest.mark.parametrize(
    "scenario",
    [taking_nothing(), *(with_just_enough_children(items) for items in (0, 1, 2))],
    ids=lambda each: each["name"],
)
def test_a_scenario_written_by_hand_agrees(scenario: Json) -> None:
    verdict = check(scenario)
    report = "\n".join(line for each in verdict.differences for line in each.lines())
    assert verdict.word == "agrees", report


NOTHING = Observation(starts={}, ends={}, emits=[], last=("done", 0), outcome="done", orphans=0)

ENDS = [
    Script(0, "ok"),
    Script(0, "exit", "normal"),
    Script(0, "exit", "boom"),
    Script(0, "raise", "oops"),
    Script(0, "throw", "ball"),
]


@st.composite
def streams(draw: st.DrawFn) -> Scenario:
    """Return a stream where tasks end in one moment only if they are late, and began in one."""
    linked, trap_exit, kills = draw(st.booleans()), draw(st.booleans()), draw(st.booleans())
    # A map cannot raise some errors at once and hand out others.
    ends = [end for end in ENDS if not (linked and not trap_exit and kills and end.fails)]
    how = draw(st.lists(st.sampled_from(ends), max_size=8))
    long = st.integers(0, 4).map(lambda number: number * 512 * GRAIN)
    ordered, take = draw(st.booleans()), draw(st.none() | st.integers(0, 9))
    return Scenario(
        name="made up",
        linked=linked,
        ordered=ordered,
        max_concurrency=draw(st.integers(1, 5)),
        timeout=draw(st.just(math.inf) | long.map(lambda ms: ms + 256 * GRAIN)),
        kills_late_task=kills,
        # Of those that are late together it is not said whose turn it is.
        zips=draw(st.booleans()) and (ordered or take is None),
        tasks=tuple(attrs.evolve(e, ms=draw(long) + 2**i * GRAIN) for i, e in enumerate(how)),
        take=take,
        consumer_ms=draw(st.just(0) | long),
        trap_exit=trap_exit,
        max_children=draw(st.just(math.inf) | st.integers(1, 5)),
        observed=NOTHING,
    )


@pytest.mark.parametrize("listening", [True, False], ids=["loud", "quiet"])
@given(scenario=streams())
def test_a_map_goes_as_the_model_says_whatever_it_works_on(
    scenario: Scenario, *, listening: bool
) -> None:
    seen = replay(scenario, listening=listening)
    differences = [*compare(scenario, course(scenario, OURS), seen)]
    assert not differences, "\n".join(line for each in differences for line in each.lines())


# The comparison can fail


Doctor = Callable[[Json], object]

PLAIN = "crash/ordered-zip"


def doctored(name: str, doctor: Doctor) -> dict[str, Json]:
    scenario = copy.deepcopy(SCENARIOS[name])
    doctor(scenario["observed"])
    return scenario


def first(observed: Json, ev: str) -> Json:
    return next(event for event in observed["timeline"] if event["ev"] == ev)


def swap_emits(observed: Json) -> None:
    one, other, *_ = (event for event in observed["timeline"] if event["ev"] == "emit")
    one["result"], other["result"] = other["result"], one["result"]


DOCTORED: list[tuple[str, str, Doctor]] = [
    ("a missing start", "starts", lambda it: it["timeline"].remove(first(it, "start"))),
    ("a start too many", "starts", lambda it: it["timeline"].append(event(0, "start", i=9))),
    ("the time of a start", "starts", lambda it: first(it, "start").update(t=25)),
    ("a missing end", "ends", lambda it: it["timeline"].remove(first(it, "end"))),
    ("the time of an end", "ends", lambda it: first(it, "end").update(t=75)),
    ("the reason of an end", "ends", lambda it: first(it, "end").update(reason="killed")),
    ("a missing result", "emits", lambda it: it["timeline"].remove(first(it, "emit"))),
    ("a result", "emits", lambda it: first(it, "emit").update(result=["ok", 1])),
    ("the time of a result", "emits", lambda it: first(it, "emit").update(t=75)),
    ("the order of results", "emits", swap_emits),
    ("the time of the end", "last", lambda it: first(it, "done").update(t=275)),
    ("how it ends", "last", lambda it: first(it, "done").update(ev="caller_exit")),
    ("the outcome", "outcome", lambda it: it.update(outcome=["exit", "boom"])),
    ("orphans", "orphans", lambda it: it.update(orphans=1)),
]


@pytest.mark.parametrize(
    ("field", "doctor"), [pytest.param(*rest, id=name) for name, *rest in DOCTORED]
)
def test_a_doctored_recording_is_detected(field: str, doctor: Doctor) -> None:
    verdict = check(doctored(PLAIN, doctor))
    assert verdict.word == "differs"
    assert [each.field for each in verdict.differences] == [field]


def test_a_doctored_recording_is_detected_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recording"
    wrong = doctored(PLAIN, lambda it: first(it, "done").update(t=275))
    path.write_text(json.dumps({"schema": 1, "scenarios": [wrong]}))
    assert main(["tasks", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[0] == f"differs  {PLAIN}"


def test_the_account_of_the_library_is_compared_too() -> None:
    scenario = Scenario.read(SCENARIOS[PLAIN])
    torn = attrs.evolve(replay(scenario), contradictions=["he says this, and she says that"])
    assert [each.field for each in judge(scenario, torn).differences] == ["contradictions"]


UNKNOWN: list[tuple[str, Doctor]] = [
    ("a field of a scenario", lambda it: it.update(weather="fine")),
    ("a function", lambda it: it.update(fn="async_river")),
    ("an option", lambda it: it["options"].update(shutdown=5)),
    ("what to do on a time-out", lambda it: it["options"].update(on_timeout="pray")),
    ("a field of a task", lambda it: it["tasks"][0].update(colour="red")),
    ("what a task does", lambda it: it["tasks"][0].update(do="sing")),
    ("a field of the observation", lambda it: it["observed"].update(mood="good")),
    ("an event", lambda it: it["observed"]["timeline"][0].update(ev="hiccup")),
    ("a field of an event", lambda it: it["observed"]["timeline"][0].update(n=3)),
    ("two ends", lambda it: it["observed"]["timeline"].append(event(9, "done"))),
    ("two starts", lambda it: it["observed"]["timeline"].append(event(9, "start", i=0))),
]


@pytest.mark.parametrize("doctor", [pytest.param(each, id=name) for name, each in UNKNOWN])
def test_what_the_replayer_does_not_know_is_not_passed_over(doctor: Doctor) -> None:
    scenario = copy.deepcopy(SCENARIOS[PLAIN])
    doctor(scenario)
    verdict = check(scenario)
    assert verdict.word == "differs"
    assert "NotInFormat" in verdict.differences[0].got


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_single_value_that_was_recorded_counts(name: str) -> None:
    seen = replay(Scenario.read(SCENARIOS[name]))
    for where, variant in variations(SCENARIOS[name]):
        assert judge(Scenario.read(variant), seen).word == "differs", f"nobody looks at {where}"


def variations(scenario: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield the scenario with each single value in its observation changed."""
    for path in leaves(scenario["observed"]):
        if path[-1] == "ev":  # without which an event is no event
            continue
        variant = copy.deepcopy(scenario)
        place: Json = variant["observed"]
        for key in path[:-1]:
            place = place[key]
        value = place[path[-1]]
        place[path[-1]] = value + 1000 if isinstance(value, int) else f"not {value}"
        yield "/".join(map(str, path)), variant


def leaves(value: Json) -> Iterator[tuple[Json, ...]]:
    """Yield the path to each value that holds no others."""
    branches: list[tuple[Json, Json]] = []
    if is_object(value):
        branches = [*value.items()]
    elif is_list(value):
        branches = [*enumerate(value)]
    else:
        yield ()
    for key, branch in branches:
        for path in leaves(branch):
            yield (key, *path)


# What has no order


def unordered(*emits: tuple[float, Json]) -> tuple[Scenario, Observation]:
    """Return an unordered scenario whose first two tasks end in one moment, and its results."""
    raw = copy.deepcopy(SCENARIOS["basic/unordered-all-at-once"])
    raw["tasks"] = [{"ms": ms, "do": "ok"} for ms in (50, 50, 100)]
    scenario = Scenario.read(raw)
    return scenario, attrs.evolve(course(scenario, OURS), emits=[*emits])


@pytest.mark.parametrize(
    ("order", "agrees"),
    [([0, 1, 2], True), ([1, 0, 2], True), ([0, 2, 1], False), ([0, 1], False)],
    ids=["as foretold", "the other first", "one that ends later first", "one is missing"],
)
def test_which_of_two_that_end_together_comes_first_says_nothing(
    order: list[int], *, agrees: bool
) -> None:
    scenario, expected = unordered((50, ["ok", 0]), (50, ["ok", 1]), (100, ["ok", 2]))
    times = (50, 50, 100)
    got = attrs.evolve(expected, emits=[(t, ["ok", i]) for t, i in zip(times, order, strict=False)])
    assert agrees is not any(compare(scenario, expected, Seen(got, [])))
