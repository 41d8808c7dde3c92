"""Our supervisors against the scenarios recorded from OTP's."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from tests.conformance._recordings import Json, is_list, is_object, read_recording
from tests.conformance.supervisors import DEVIATIONS, Deviation, check
from tests.conformance.supervisors._compare import compare
from tests.conformance.supervisors._deviations import deviations_of
from tests.conformance.supervisors._format import Scenario
from tests.conformance.supervisors._replay import replay

RECORDING = Path(__file__).parents[1] / "data" / "otp" / "supervisors.json.gz"

SCENARIOS = {scenario["name"]: scenario for scenario in read_recording(RECORDING)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_tree_does_what_otp_was_recorded_to_do(name: str) -> None:
    verdict = check(SCENARIOS[name])
    report = "\n".join(line for each in verdict.differences for line in each.lines())
    assert not verdict.differences, report


def test_the_recording_is_whole() -> None:
    assert len(SCENARIOS) == 575


# Deviations


def of_simple_supervisor_that_miscounts() -> dict[str, Json]:
    """Return what OTP would do in a scenario that is not in this recording."""
    scenario = copy.deepcopy(SCENARIOS["batch/dynamic-terminate-while-restarting"])
    scenario["name"] = "batch/simple-terminate-while-restarting"
    flags = {"strategy": "simple_one_for_one", "intensity": 10, "period": 5}
    scenario["supervisor"] = {"id": "root", "flags": flags, "template": {"id": "t"}}
    for step in [scenario["start"], *scenario["steps"]]:
        step["counts"]["root"]["specs"] = 1
        action = step.get("do", {})
        if action.get("op") == "start_child":
            spec = action.pop("spec")
            action.update(key=spec.pop("id"), over=spec)
    for step in scenario["steps"][2:]:
        step["counts"]["root"]["active"] = 0
    scenario["steps"][-1]["return"].update(specs=1, active=0)
    return scenario


ELSEWHERE = [of_simple_supervisor_that_miscounts()]


def covered_by(deviation: Deviation) -> list[dict[str, Json]]:
    return [
        scenario
        for scenario in [*SCENARIOS.values(), *ELSEWHERE]
        if deviation in deviations_of(scenario["name"])
    ]


@pytest.mark.parametrize("deviation", DEVIATIONS, ids=lambda each: each.scenarios)
def test_a_listed_deviation_is_still_one(deviation: Deviation) -> None:
    scenarios = covered_by(deviation)
    assert scenarios
    for scenario in scenarios:
        verdict = check(scenario)
        assert verdict.word in {"deviates", "skipped"}
        assert deviation.reason in verdict.deviations


# The comparison can fail


Doctor = Callable[[Json], object]

NOBODY = {"ev": "ignore", "id": "nobody"}

PLAIN = "restart_type/one_for_all-sibling-mixed"


def doctored(name: str, doctor: Doctor) -> dict[str, Json]:
    scenario = copy.deepcopy(SCENARIOS[name])
    doctor(scenario)
    return scenario


def first_children(scenario: Json) -> Json:
    return scenario["start"]["children"]["root"]


DOCTORED: list[tuple[str, str, Doctor]] = [
    ("a missing event", "events", lambda it: it["steps"][0]["events"].pop()),
    ("an event too many", "events", lambda it: it["start"]["events"].append(NOBODY)),
    ("the order of events", "events", lambda it: it["steps"][0]["events"].reverse()),
    ("the number of a start", "events", lambda it: it["start"]["events"][0].update(n=2)),
    ("the owner of a start", "events", lambda it: it["start"]["events"][0].update(sup="b")),
    ("an exit reason", "events", lambda it: it["steps"][0]["events"][0].update(reason="oops")),
    ("whether it is alive", "alive", lambda it: it["steps"][0].update(alive=False)),
    ("a result", "return", lambda it: it["steps"][0].update({"return": "noop"})),
    ("the result of booting", "return", lambda it: it["start"].update({"return": "ignore"})),
    ("a missing child", "children", lambda it: first_children(it).pop()),
    ("the order of children", "children", lambda it: first_children(it).reverse()),
    ("the number of a child", "children", lambda it: first_children(it)[0].update(n=7)),
    ("a state", "children", lambda it: first_children(it)[0].update(state="restarting")),
    ("a type", "children", lambda it: first_children(it)[0].update(type="supervisor")),
    ("another supervisor", "children", lambda it: it["start"]["children"].update(s=[])),
    ("specs", "counts", lambda it: it["start"]["counts"]["root"].update(specs=9)),
    ("active children", "counts", lambda it: it["start"]["counts"]["root"].update(active=9)),
    ("supervisors", "counts", lambda it: it["start"]["counts"]["root"].update(supervisors=9)),
    ("workers", "counts", lambda it: it["start"]["counts"]["root"].update(workers=9)),
]


@pytest.mark.parametrize(
    ("field", "doctor"), [pytest.param(*rest, id=name) for name, *rest in DOCTORED]
)
def test_a_doctored_observation_is_detected(field: str, doctor: Doctor) -> None:
    verdict = check(doctored(PLAIN, doctor))
    assert verdict.word == "differs"
    assert field in {each.field for each in verdict.differences}
    assert {each.field for each in verdict.differences} <= {field, "events as told"}


def test_the_order_within_a_group_says_nothing_but_its_place_does() -> None:
    name = "simple/stop"

    def swap(first: int, second: int) -> Doctor:
        def doctor(scenario: Json) -> None:
            events = scenario["steps"][-1]["events"]
            events[first], events[second] = events[second], events[first]

        return doctor

    assert check(doctored(name, swap(0, 1))).word == "agrees"
    assert check(doctored(name, swap(2, 3))).word == "differs"


def test_the_account_of_the_library_is_compared_too() -> None:
    scenario = Scenario.read(SCENARIOS[PLAIN])
    first, *rest = replay(scenario)
    silent = attrs.evolve(first, told=first.told[:-1])
    assert [each.field for each in compare(scenario, [silent, *rest])] == ["events as told"]
    torn = attrs.evolve(first, contradictions=["he says this, and she says that"])
    assert [each.field for each in compare(scenario, [torn, *rest])] == ["contradictions"]


UNKNOWN: list[tuple[str, Doctor]] = [
    ("a field of a scenario", lambda it: it.update(weather="fine")),
    ("a field of an observation", lambda it: it["start"].update(mood="good")),
    ("a field of an event", lambda it: it["start"]["events"][0].update(at=3)),
    ("an event", lambda it: it["start"]["events"][0].update(ev="hiccup")),
    ("a field of an action", lambda it: it["steps"][0]["do"].update(hard=True)),
    ("an action", lambda it: it["steps"][0]["do"].update(op="pray")),
    ("a flag", lambda it: it["supervisor"]["flags"].update(mode="x")),
    ("a field of a child", lambda it: it["supervisor"]["children"][0].update(colour="red")),
]


@pytest.mark.parametrize("doctor", [pytest.param(each, id=name) for name, each in UNKNOWN])
def test_what_the_replayer_does_not_know_is_not_passed_over(doctor: Doctor) -> None:
    verdict = check(doctored(PLAIN, doctor))
    assert verdict.word == "differs"
    assert "NotInFormat" in verdict.differences[0].got


OF_EACH_CATEGORY = {scenario["category"]: name for name, scenario in SCENARIOS.items()}


@pytest.mark.parametrize("name", OF_EACH_CATEGORY.values(), ids=OF_EACH_CATEGORY)
def test_every_single_value_that_was_recorded_counts(name: str) -> None:
    seen = replay(Scenario.read(SCENARIOS[name]))
    for where, variant in variations(SCENARIOS[name]):
        assert any(compare(Scenario.read(variant), seen)), f"nobody looks at {where}"


def variations(scenario: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield the scenario with each single value in its observations changed."""
    paths = [("start", *path) for path in leaves(scenario["start"])]
    for number, step in enumerate(scenario["steps"]):
        observed = {field: value for field, value in step.items() if field != "do"}
        paths += [("steps", number, *path) for path in leaves(observed)]
    for path in paths:
        if path[-1] in {"ev", "grp"}:  # without which an event is no event; and no order
            continue
        variant = copy.deepcopy(scenario)
        place: Json = variant
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = changed(place[path[-1]])
        yield "/".join(map(str, path)), variant


def leaves(value: Json) -> Iterator[tuple[Json, ...]]:
    """Yield the path to each value that holds no others."""
    branches: list[tuple[Json, Json]] = []
    if is_object(value):
        branches = [*value.items()]
    elif is_list(value):
        branches = [*enumerate(value)]
    if not branches:
        yield ()
    for key, branch in branches:
        for path in leaves(branch):
            yield (key, *path)


def changed(value: Json) -> Json:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case []:
            return [NOBODY]
        case {}:
            return {"nobody": []}
        case _:
            return f"not {value}"
