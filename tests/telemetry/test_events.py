"""Tests of what an event is."""

from __future__ import annotations

import logging
import pickle
import typing
from typing import ClassVar

import attrs
import pytest

from trio_foundation.telemetry import Event, HandlerFailed


@attrs.frozen
class BellRang(Event):
    name: ClassVar[str] = "house.bell_rang"
    times: int = 1


REPORT = HandlerFailed(handler="h", event="house.bell_rang", error="ValueError: x", traceback="t")


def test_an_event_is_a_plain_value() -> None:
    assert BellRang(2) == BellRang(2) != BellRang(3)
    assert len({BellRang(), BellRang()}) == 1
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        BellRang().times = 3  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_an_event_is_information_unless_its_class_says_otherwise() -> None:
    assert BellRang().severity == BellRang.level == logging.INFO
    assert REPORT.severity == HandlerFailed.level == logging.ERROR


def test_a_report_survives_pickling() -> None:
    assert pickle.loads(pickle.dumps(REPORT)) == REPORT


def test_the_fields_of_an_event_can_be_resolved() -> None:
    assert typing.get_type_hints(HandlerFailed)["traceback"] is str
