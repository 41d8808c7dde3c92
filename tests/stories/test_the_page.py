"""The page that tells of the eight faults names the tests that prove it, all of them."""

from __future__ import annotations

import re
from pathlib import Path

from . import test_the_eight_faults as story

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "from-phase-1.rst"


def sections() -> dict[str, str]:
    """Return the text of each numbered section, by its title."""
    parts = re.split(r"^(\d\. .+)\n-+\n", PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_it_has_a_section_for_each_of_the_eight() -> None:
    assert [title[:2] for title in sections()] == [f"{number}." for number in range(1, 9)]


def test_each_section_names_tests_that_are_there_and_no_test_is_left_out() -> None:
    named = {title: re.findall(r"``(test_\w+)``", text) for title, text in sections().items()}
    assert all(named.values()), named
    in_order = [name for names in named.values() for name in names]
    written = [name for name in vars(story) if name.startswith("test_")]
    assert in_order == written
