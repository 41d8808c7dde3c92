"""Tests of who loses when there is no room."""

from __future__ import annotations

from typing import Any, cast, get_args

import pytest

from trio_foundation.messaging._rules import WHEN_FULL, Overflow
from trio_foundation.messaging._rules._overflow import Loser


def test_every_policy_says_who_loses() -> None:
    assert list(WHEN_FULL) == list(get_args(Overflow))


def test_only_drop_policies_make_a_message_lose() -> None:
    assert WHEN_FULL == {
        "block": "sender",
        "reject": "sender",
        "drop_oldest": "oldest",
        "drop_newest": "newest",
    }


def test_everybody_who_may_lose_does_by_some_policy() -> None:
    assert set(WHEN_FULL.values()) == set(get_args(Loser))


def test_nobody_can_change_who_loses() -> None:
    with pytest.raises(TypeError):
        cast("Any", WHEN_FULL)["block"] = "oldest"
