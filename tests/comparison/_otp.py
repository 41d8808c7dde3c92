"""What OTP does: as its recordings say it, or a program of its own where Erlang is installed."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path

from tests.comparison._needed import needed_program
from tests.comparison._worlds import Answer, Trial, on_trio, yes_if
from tests.conformance._recordings import Json, read_recording

PROGRAM = Path(__file__).with_name("otp.escript")
DATA = Path(__file__).parents[1] / "data" / "otp"

ANSWERS: dict[str, Answer] = {"yes": "yes", "partly": "partly", "no": "no"}

run = on_trio


def measured(row: str) -> Trial:
    """Return the trial whose answer the program writes."""

    async def trial() -> Answer:
        return answers(needed_program("escript"))[row]

    return trial


@cache
def answers(escript: str) -> dict[str, Answer]:
    """Run the program; return all that it has to say."""
    done = subprocess.run(
        [escript, str(PROGRAM)], stdout=subprocess.PIPE, text=True, timeout=30, check=True
    )
    said: dict[str, Answer] = {}
    for line in done.stdout.splitlines():
        row, answer = line.split()
        said[row] = ANSWERS[answer]
    return said


@cache
def recorded(file: str) -> dict[str, dict[str, Json]]:
    """Return the scenarios of a recording, by name."""
    return {scenario["name"]: scenario for scenario in read_recording(DATA / file)}


def events(name: str) -> list[dict[str, Json]]:
    """Return what happened in a scenario of a supervisor, its start included."""
    scenario = recorded("supervisors.json.gz")[name]
    each = [scenario["start"], *scenario["steps"]]
    return [event for step in each for event in step["events"]]


def told(name: str, kind: str) -> list[str]:
    """Return to whom in a scenario something happened, in order."""
    return [event["id"] for event in events(name) if event["ev"] == kind]


async def restart() -> Answer:
    return yes_if(told("restart_type/one_for_one-transient-crash", "start").count("b") == 2)


async def limit() -> Answer:
    return yes_if(told("nested/escalate-to-permanent", "start").count("s") == 2)


async def order() -> Answer:
    # The first of three cannot start: no other is tried.
    return yes_if(told("start_failure/error-at-1-of-3", "start") == [])


async def groups() -> Answer:
    all_of_them = told("restart_type/one_for_all-permanent-crash", "start")
    the_rest = told("restart_type/rest_for_one-transient-crash", "start")
    twice = [
        [one for one in ("a", "b", "d") if starts.count(one) == 2]
        for starts in (all_of_them, the_rest)
    ]
    return yes_if(twice == [["a", "b", "d"], ["b", "d"]])


async def stop() -> Answer:
    # The one in the middle takes longest to clean up, and the first is stopped after it.
    ended = told("shutdown/sequential-not-concurrent", "exit")
    return yes_if(ended == ["d", "b", "a", "root"])


async def registry() -> Answer:
    steps = recorded("registry.json.gz")["death/unique-1p-exit-crash"]["steps"]
    looked = [step["return"] for step in steps if step["do"]["op"] == "lookup"]
    return yes_if(looked[-1] == [])


gone, keep, cap, cancelled = map(measured, ("gone", "keep", "cap", "cancelled"))
orphans, preempt, kill, isolation = map(measured, ("orphans", "preempt", "kill", "isolation"))
