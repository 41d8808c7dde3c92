"""Tests of when the end of a child is the end of its supervisor."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from trio_foundation.supervision import AutoShutdown
from trio_foundation.supervision._rules import ends_supervisor

# Rules S100 to S102.


@pytest.mark.parametrize(
    ("auto_shutdown", "others_remain", "ends"),
    [
        ("never", True, False),
        ("never", False, False),
        ("any_significant", True, True),
        ("any_significant", False, True),
        ("all_significant", True, False),
        ("all_significant", False, True),
    ],
    ids=[
        "never, not the last",
        "never, the last",
        "any, not the last",
        "any, the last",
        "all, not the last",
        "all, the last",
    ],
)
def test_the_option_says_which_end_counts(
    auto_shutdown: AutoShutdown, others_remain: bool, ends: bool
) -> None:
    assert ends_supervisor(auto_shutdown, others_remain=others_remain) is ends


@given(st.lists(st.integers(0, 9), min_size=1, max_size=10, unique=True))
def test_of_several_that_finish_exactly_one_is_the_first_and_one_the_last(
    finishing: list[int],
) -> None:
    remain = [len(finishing) - place > 1 for place in range(len(finishing))]
    first = [ends_supervisor("any_significant", others_remain=more) for more in remain]
    last = [ends_supervisor("all_significant", others_remain=more) for more in remain]
    assert first.index(True) == 0
    assert last.index(True) == len(finishing) - 1
