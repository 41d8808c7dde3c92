"""Tests of the rollout flags."""

from __future__ import annotations

from contextvars import copy_context
from typing import Any, cast

import pytest
import trio

from trio_foundation import flags
from trio_foundation._base import is_flag_set

STRICT = "use_strict_supervision"
TASKS = "use_supervised_tasks_only"

# As somebody without a type checker sees it.
untyped_flags = cast("Any", flags)


def test_both_flags_are_set_unless_somebody_changes_them() -> None:
    assert is_flag_set(STRICT)
    assert is_flag_set(TASKS)


def test_a_flag_is_changed_within_the_block_only() -> None:
    with flags(use_strict_supervision=False):
        assert not is_flag_set(STRICT)
    assert is_flag_set(STRICT)


def test_a_flag_that_is_not_named_keeps_its_value() -> None:
    with flags(use_strict_supervision=False), flags(use_supervised_tasks_only=False):
        assert not is_flag_set(STRICT)
        assert not is_flag_set(TASKS)


def test_blocks_nest_and_each_restores_what_it_found() -> None:
    with flags(use_strict_supervision=False):
        with flags(use_strict_supervision=True):
            assert is_flag_set(STRICT)
        assert not is_flag_set(STRICT)


def test_an_error_restores_the_flags_too() -> None:
    with pytest.raises(ValueError, match="oops"), flags(use_strict_supervision=False):
        raise ValueError("oops")
    assert is_flag_set(STRICT)


def test_one_block_may_be_used_again_and_within_itself() -> None:
    lax = flags(use_strict_supervision=False)
    with lax:
        with lax:
            assert not is_flag_set(STRICT)
        assert not is_flag_set(STRICT)
    assert is_flag_set(STRICT)


def test_nothing_changes_before_the_block_is_entered() -> None:
    flags(use_strict_supervision=False)
    assert is_flag_set(STRICT)


def test_another_context_does_not_see_the_change() -> None:
    outside = copy_context()
    with flags(use_strict_supervision=False):
        assert outside.run(is_flag_set, STRICT)


async def test_tasks_started_in_the_block_keep_its_flags() -> None:
    seen: list[bool] = []

    async def look() -> None:
        await left.wait()
        seen.append(is_flag_set(STRICT))

    left = trio.Event()
    async with trio.open_nursery() as nursery:
        with flags(use_strict_supervision=False):
            nursery.start_soon(look)
        nursery.start_soon(look)
        left.set()
    assert sorted(seen) == [False, True]


def test_an_unknown_flag_is_refused_with_the_list() -> None:
    with pytest.raises(
        TypeError,
        match=r"^there is no flag 'strict'; "
        r"the flags are use_strict_supervision and use_supervised_tasks_only$",
    ):
        untyped_flags(strict=False)


@pytest.mark.parametrize("value", [None, 0, "no"], ids=repr)
def test_a_flag_is_true_or_false(value: object) -> None:
    with pytest.raises(
        TypeError, match=rf"^{STRICT} must be True or False, not {value!r}; the flags"
    ):
        untyped_flags(use_strict_supervision=value)
