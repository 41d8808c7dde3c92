"""Our registry against the scenarios recorded from Elixir's."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
from hypothesis import given, strategies as st

from tests.conformance.__main__ import main
from tests.conformance._recordings import Json, is_list, is_object, read_recording
from tests.conformance.registry import DEVIATIONS, Deviation, check, compare, judge
from tests.conformance.registry._course import ELIXIR, OURS, course
from tests.conformance.registry._format import Scenario
from tests.conformance.registry._replay import replay

RECORDING = Path(__file__).parents[1] / "data" / "otp" / "registry.json.gz"

SCENARIOS = {scenario["name"]: scenario for scenario in read_recording(RECORDING)}


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_registry_does_what_elixirs_was_recorded_to_do(name: str) -> None:
    verdict = check(SCENARIOS[name])
    report = "\n".join(line for each in verdict.differences for line in each.lines())
    assert not verdict.differences, report


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_model_of_elixirs_registry_is_right(name: str) -> None:
    scenario = Scenario.read(SCENARIOS[name])
    assert not [*compare(scenario, scenario.recorded, course(scenario, ELIXIR))]


def test_the_recording_is_whole() -> None:
    assert len(SCENARIOS) == 93


def test_it_is_what_listeners_hear_and_nothing_else_that_differs() -> None:
    deviating = [raw for raw in SCENARIOS.values() if check(raw).word == "deviates"]
    assert len(deviating) == 12
    assert all(raw["listener"] for raw in deviating)


# Deviations


def with_an_update() -> dict[str, Json]:
    """Return what Elixir would do in a scenario that is not in this recording."""
    scenario = copy.deepcopy(SCENARIOS["update_value/owner"])
    scenario.update(name="listener/update-value", listener=True)
    for step in scenario["steps"]:
        step["heard"] = []
    scenario["steps"][0]["heard"] = [["register", "a", {"pid": "p1"}, 1]]
    return scenario


ELSEWHERE = [with_an_update()]


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


def test_a_deviation_says_exactly_what_we_do_instead() -> None:
    scenario = Scenario.read(SCENARIOS["listener/unique-1p"])
    seen = replay(scenario)
    assert judge(scenario, seen).word == "deviates"
    first, *rest = seen
    assert [
        each.field for each in judge(scenario, [attrs.evolve(first, heard=[]), *rest]).differences
    ] == ["heard"]


# The promise itself: whatever is done, we do what the model says of us

P = st.sampled_from(["p1", "p2", "p3"])
KEY = st.sampled_from(["a", "b"])
VALUE = st.integers(1, 3)
FIELDS = {
    "p": P,
    "key": KEY,
    "value": VALUE,
    "reason": st.sampled_from(["normal", "boom", "shutdown"]),
}


def action(op: str, *fields: str) -> st.SearchStrategy[dict[str, Json]]:
    return st.fixed_dictionaries({"op": st.just(op), **{name: FIELDS[name] for name in fields}})


ACTIONS = st.one_of(
    action("register", "p", "key", "value"),
    action("register", "p", "key", "value"),
    action("unregister", "p", "key"),
    action("unregister_match", "p", "key", "value"),
    action("update_value", "p", "key", "value"),
    action("exit", "p", "reason"),
    action("keys", "p"),
    action("values", "p", "key"),
    action("lookup", "key"),
    action("match", "key", "value"),
    action("whereis", "key"),
    action("select_all"),
    action("count"),
)


@given(st.lists(ACTIONS, max_size=25), st.sampled_from(["unique", "duplicate"]))
def test_whatever_is_done_the_model_foretells_it(
    actions: list[dict[str, Json]], keys: Json
) -> None:
    scenario = Scenario(
        name="made up", keys=keys, partitions=1, has_listener=True, actions=[*actions], recorded=[]
    )
    differences = [*compare(scenario, course(scenario, OURS), replay(scenario))]
    assert not differences, "\n".join(line for each in differences for line in each.lines())


# The comparison can fail


Doctor = Callable[[Json], object]

PLAIN = "random/002"


def doctored(name: str, doctor: Doctor) -> dict[str, Json]:
    scenario = copy.deepcopy(SCENARIOS[name])
    doctor(scenario)
    return scenario


def test_a_doctored_recording_is_detected_by_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recording"
    wrong = doctored(PLAIN, lambda it: it["steps"][0].update({"return": [["p1", 1]]}))
    path.write_text(json.dumps({"schema": 1, "scenarios": [wrong]}))
    assert main(["registry", str(path)]) == 1
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"differs  {PLAIN}",
        '  step 1, {"op": "lookup", "key": "b"}: return',
    ]


def test_what_is_wrong_within_the_registry_counts() -> None:
    scenario = Scenario.read(SCENARIOS[PLAIN])
    first, *rest = replay(scenario)
    torn = [attrs.evolve(first, contradictions=("an index is out of order",)), *rest]
    assert [each.field for each in judge(scenario, torn).differences] == ["contradictions"]


UNKNOWN: list[tuple[str, Doctor]] = [
    ("a field of a scenario", lambda it: it.update(weather="fine")),
    ("a kind of keys", lambda it: it.update(keys="many")),
    ("a field of a step", lambda it: it["steps"][0].update(mood="good")),
    ("a field of an operation", lambda it: it["steps"][0]["do"].update(hard=True)),
    ("an operation", lambda it: it["steps"][0]["do"].update(op="pray")),
    ("an operation that is none", lambda it: it["steps"][0].update(do=3)),
]


@pytest.mark.parametrize("doctor", [pytest.param(each, id=name) for name, each in UNKNOWN])
def test_what_the_replayer_does_not_know_is_not_passed_over(doctor: Doctor) -> None:
    verdict = check(doctored(PLAIN, doctor))
    assert verdict.word == "differs"
    assert "NotInFormat" in verdict.differences[0].got


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_single_value_that_was_recorded_counts(name: str) -> None:
    seen = replay(Scenario.read(SCENARIOS[name]))
    for where, variant in variations(SCENARIOS[name]):
        assert judge(Scenario.read(variant), seen).word == "differs", f"nobody looks at {where}"


def variations(scenario: dict[str, Json]) -> Iterator[tuple[str, dict[str, Json]]]:
    """Yield the scenario with each single value in its observations changed."""
    for number, step in enumerate(scenario["steps"]):
        observed = {field: value for field, value in step.items() if field != "do"}
        for path in leaves(observed):
            variant = copy.deepcopy(scenario)
            place: Json = variant["steps"][number]
            for key in path[:-1]:
                place = place[key]
            place[path[-1]] = f"not {place[path[-1]]}"
            yield f"{number}: {path}", variant


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
