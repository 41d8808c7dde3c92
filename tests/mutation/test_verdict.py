"""The arithmetic of survivors, and that what is said of them can be read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.mutation._verdict import (
    Explained,
    Mutant,
    Survivor,
    change_in,
    explained_in,
    judge,
    read_results,
    summary,
)

SAID = Path(__file__).with_name("survivors.toml")

RESULTS = """\
    trio_foundation.cache._rules._uses.xǁUsesǁ__init____mutmut_1: killed
    trio_foundation.cache._rules._uses.xǁUsesǁ_drop__mutmut_12: survived
    trio_foundation.registry._rules._frozen.x__refuse__mutmut_2: no tests
    trio_foundation.registry._rules._frozen.x_frozen__mutmut_3: timeout
"""

DIFF = """\
--- trio_foundation/cache/_rules/_uses.py
+++ trio_foundation/cache/_rules/_uses.py
@@ -1,7 +1,7 @@
     def _drop(self, key: object) -> None:
-        count = self.total - 1
+        count = self.total + 1
         return count
"""

DROP = Survivor("cache", "_uses.Uses._drop", "- count = self.total - 1\n+ count = self.total + 1")
REFUSE = Survivor("registry", "_frozen._refuse", "- raise TypeError(text)\n+ raise TypeError(None)")


def test_a_mutant_is_where_its_name_says() -> None:
    first, second, third, last = read_results(RESULTS)
    assert [first.where, second.where] == ["_uses.Uses.__init__", "_uses.Uses._drop"]
    assert [third.where, last.where] == ["_frozen._refuse", "_frozen.frozen"]
    assert [first.room, last.room] == ["cache", "registry"]


@pytest.mark.parametrize(
    ("status", "lives"),
    [
        ("killed", False),
        ("timeout", False),
        ("survived", True),
        ("no tests", True),
        ("not checked", True),
        ("suspicious", True),
    ],
)
def test_only_what_a_test_notices_is_killed(status: str, lives: bool) -> None:
    assert Mutant("trio_foundation.cache._rules._uses.x_f__mutmut_1", status).lives is lives


def test_a_change_is_its_lines_and_no_more() -> None:
    assert change_in(DIFF) == DROP.change


def test_a_change_may_take_away_lines() -> None:
    assert change_in("--- a\n+++ a\n@@ -1 +1 @@\n     x\n-        y\n-\n-    z\n") == "- y\n- z"


def test_survivors_that_are_all_explained_are_well() -> None:
    said = Explained(Counter([REFUSE, DROP]))
    assert not list(judge([DROP, REFUSE], said, ["cache", "registry"]))
    assert not list(judge([DROP], said, ["cache"]))


def test_a_survivor_without_an_explanation_is_told() -> None:
    (wrong,) = judge([DROP, DROP], Explained(Counter([DROP])), ["cache"])
    assert wrong == f"lives on, and nobody says why: cache _uses.Uses._drop\n{DROP.change}"


def test_an_explanation_without_a_survivor_is_told() -> None:
    (wrong,) = judge([], Explained(Counter([DROP])), ["cache"])
    assert wrong == f"is explained, but killed or gone: cache _uses.Uses._drop\n{DROP.change}"


CASTS = r'cast\((None|"[^"]*"), '


@pytest.mark.parametrize(
    ("new", "is_explained"),
    [
        ("cast(None, values)[0]", True),
        ('cast("XXlist[int]XX", values)[0]', True),
        ('cast("list[int]", None)[0]', False),
        ('cast("list[int]", values)[1]', False),
        ("cast(None, values)[1]", False),
    ],
)
def test_a_kind_of_changes_that_change_nothing_is_explained(new: str, is_explained: bool) -> None:
    one = Survivor("cache", "_uses.f", f'- x = cast("list[int]", values)[0]\n+ x = {new}')
    assert one.is_only_of(CASTS) is is_explained
    assert list(judge([one], Explained(Counter(), (CASTS,)), ["cache"])) == (
        [] if is_explained else [f"lives on, and nobody says why: cache _uses.f\n{one.change}"]
    )


EXPLAINED = """
[[kind]]
written = "x"
why = "{0}"

[[survivor]]
room = "cache"
where = "_uses.Uses._drop"
why = "{1}"
changes = [
'''
- count = self.total - 1
+ count = self.total + 1
''',
'''
- count = self.total - 1
+ count = self.total + 1
''',
]
"""


def test_what_is_explained_twice_may_be_there_twice() -> None:
    said = explained_in(EXPLAINED.format("It is not read.", "Nor is it."))
    assert said == Explained(Counter([DROP, DROP]), ("x",))


@pytest.mark.parametrize("whys", [("It is not read.", " "), ("", "It is not read.")])
def test_an_explanation_says_why(whys: tuple[str, str]) -> None:
    with pytest.raises(ValueError, match="it is not said why this may live on"):
        explained_in(EXPLAINED.format(*whys))


def test_what_is_said_of_our_survivors_can_be_read() -> None:
    explained_in(SAID.read_text("utf-8"))


def test_each_room_has_its_numbers() -> None:
    assert list(summary(read_results(RESULTS))) == [
        "cache            2 mutants, 1 killed, 1 live on",
        "registry         2 mutants, 1 killed, 1 live on",
        "all              4 mutants, 2 killed, 2 live on",
    ]
