"""Files of recorded scenarios, plain or compressed."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard, cast

__all__ = ["Json", "Unreadable", "is_list", "is_object", "read_recording"]

Json: TypeAlias = Any
"""A value as a recording has it."""

SCHEMA = 1

# Told apart by their first bytes, so that a file may have any name; imported when needed,
# for not every Python was built with all of them.
UNPACKERS = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ\x00": "lzma"}


class Unreadable(Exception):
    """A file that holds no recording, or one of a schema that we do not know."""


def read_recording(path: Path) -> list[dict[str, Json]]:
    """Return the scenarios in a file, as they stand there."""
    try:
        recording = json.loads(_unpacked(path.read_bytes()))
    except Exception as error:  # a broken archive raises anything
        raise Unreadable(f"{path}: {error}") from error
    if not is_object(recording):
        raise Unreadable(f"{path}: not a JSON object")
    if recording.get("schema") != SCHEMA:
        raise Unreadable(f"{path}: its schema is {recording.get('schema')!r}, not {SCHEMA}")
    scenarios = recording.get("scenarios")
    if not is_list(scenarios):
        raise Unreadable(f"{path}: no list of scenarios")
    for scenario in scenarios:
        if not is_object(scenario) or not isinstance(scenario.get("name"), str):
            raise Unreadable(f"{path}: a scenario without a name")
    return scenarios


def is_object(value: Json) -> TypeGuard[dict[str, Json]]:
    """Return whether a value is a JSON object."""
    return isinstance(value, dict)


def is_list(value: Json) -> TypeGuard[list[Json]]:
    """Return whether a value is a JSON list."""
    return isinstance(value, list)


def _unpacked(data: bytes) -> bytes:
    for magic, module in UNPACKERS.items():
        if data.startswith(magic):
            return cast("bytes", import_module(module).decompress(data))
    return data
