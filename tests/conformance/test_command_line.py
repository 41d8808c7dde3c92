"""The command that replays a file."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conformance.__main__ import main
from tests.conformance._recordings import Json, read_recording

RECORDING = Path(__file__).parents[1] / "data" / "otp" / "supervisors.json.gz"

SCENARIOS = [each for each in read_recording(RECORDING) if each["category"] == "api"]


def write(path: Path, scenarios: Json, pack: Callable[[bytes], bytes] = bytes) -> str:
    recording = {"schema": 1, "count": len(scenarios), "scenarios": scenarios}
    path.write_bytes(pack(json.dumps(recording).encode()))
    return str(path)


@pytest.mark.parametrize(
    "pack", [bytes, gzip.compress, bz2.compress, lzma.compress], ids=["plain", "gz", "bz2", "xz"]
)
def test_a_recording_that_we_agree_with(
    pack: Callable[[bytes], bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["supervisors", write(tmp_path / "recording", SCENARIOS, pack)]) == 0
    count = len(SCENARIOS)
    assert capsys.readouterr().out == f"{count} scenarios: {count} agree, 0 differ\n"


def test_each_scenario_that_differs_is_named_with_step_and_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, *others = SCENARIOS
    wrong = {**first, "start": {**first["start"], "alive": False}}
    assert main(["supervisors", write(tmp_path / "recording", [wrong, *others])]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"differs  {first['name']}",
        "  start: alive",
        "      expected false",
        "      got      true",
        f"{len(SCENARIOS)} scenarios: {len(others)} agree, 1 differ",
    ]


def test_only_some_scenarios_and_all_of_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["supervisors", str(RECORDING), "--only", "api/*-twice", "-v"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "agrees   api/terminate-twice",
        "1 scenarios: 1 agree, 0 differ",
    ]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "Expecting value"),
        (b"[]", "not a JSON object"),
        (b'{"schema": 2}', "its schema is 2, not 1"),
        (b'{"schema": 1}', "no list of scenarios"),
        (b'{"schema": 1, "scenarios": [{}]}', "a scenario without a name"),
        (b'{"schema": 1, "scenarios": []}', "no scenario in"),
        (b"\x1f\x8b nothing packed", "cannot read"),
    ],
)
def test_a_file_that_holds_no_recording(
    content: bytes, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "recording"
    path.write_bytes(content)
    assert main(["supervisors", str(path)]) == 2
    assert complaint in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert main(["supervisors", str(tmp_path / "nowhere")]) == 2
