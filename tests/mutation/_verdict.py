"""What lives on, what was said of it, and whether the two agree."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs

__all__ = [
    "Explained",
    "Mutant",
    "Survivor",
    "change_in",
    "explained_in",
    "judge",
    "read_results",
    "summary",
]

# A test that never ends has noticed something as well.
KILLED = ("killed", "timeout")

# What mutmut puts between the names of a class and of its method.
OF = "ǁ"


@attrs.frozen
class Mutant:
    """A change to a function, by the name that mutmut gives it, and what became of it."""

    name: str
    status: str

    @property
    def room(self) -> str:
        """The room whose rules were changed."""
        return self.name.split(".")[1]

    @property
    def where(self) -> str:
        """The file and the function, as in ``_names.NameBook.unique``."""
        path, _, mangled = self.name.rpartition(".")
        function = mangled.rpartition("__mutmut_")[0].removeprefix("x").removeprefix("_")
        return f"{path.rpartition('.')[2]}.{function.removeprefix(OF).replace(OF, '.')}"

    @property
    def lives(self) -> bool:
        """Whether no test noticed it; one that nobody has tried yet counts as well."""
        return self.status not in KILLED


@attrs.frozen(order=True)
class Survivor:
    """A change that no test notices.

    It is told by what it changes, since the numbers of mutmut shift with every edit.
    """

    room: str
    where: str
    change: str

    def is_only_of(self, written: str) -> bool:
        """Return whether it changes nothing but what a regular expression finds in a line."""
        signs = {"-": list[str](), "+": list[str]()}
        for line in self.change.splitlines():
            signs[line[0]].append(re.sub(written, "", line[2:]))
        return signs["-"] == signs["+"]


def read_results(text: str) -> list[Mutant]:
    """Read what ``mutmut results --all true`` prints."""
    lines = [line.strip().rpartition(": ") for line in text.splitlines() if "__mutmut_" in line]
    return [Mutant(name, status) for name, _, status in lines]


def change_in(diff: str) -> str:
    """Return the lines that a diff takes away and adds, without their indentation."""
    changed = (line for line in diff.splitlines() if line[:1] in "-+" and line[:3] not in HEADS)
    return "\n".join(f"{line[0]} {line[1:].strip()}" for line in changed if line[1:].strip())


HEADS = ("---", "+++")


@attrs.frozen
class Explained:
    """The survivors that may be there."""

    each: Counter[Survivor]
    kinds: tuple[str, ...] = ()
    """Regular expressions; a change of nothing but what one of them finds changes nothing."""


def explained_in(text: str) -> Explained:
    """Read which survivors are explained.

    Raises:
        ValueError: If it is not said why one may be there.
    """
    document = tomllib.loads(text)
    kinds: list[Any] = document.get("kind", [])
    entries: list[Any] = document.get("survivor", [])
    for entry in (*kinds, *entries):
        if not entry["why"].strip():
            raise ValueError(f"it is not said why this may live on: {entry}")
    each: Counter[Survivor] = Counter()
    for entry in entries:
        for change in entry["changes"]:
            each[Survivor(entry["room"], entry["where"], change.strip())] += 1
    return Explained(each, tuple(entry["written"] for entry in kinds))


def judge(found: Iterable[Survivor], said: Explained, rooms: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong: survivors without an explanation, and explanations without one.

    Args:
        found: The survivors of a run.
        said: Those that are explained, in all rooms.
        rooms: The rooms that were tried.
    """
    there = Counter(one for one in found if not any(map(one.is_only_of, said.kinds)))
    meant = Counter({one: times for one, times in said.each.items() if one.room in rooms})
    for one in sorted((there - meant).elements()):
        yield f"lives on, and nobody says why: {one.room} {one.where}\n{one.change}"
    for one in sorted((meant - there).elements()):
        yield f"is explained, but killed or gone: {one.room} {one.where}\n{one.change}"


def summary(mutants: Sequence[Mutant]) -> Iterator[str]:
    """Yield a line of numbers for each room, and one for all."""
    rooms = sorted({mutant.room for mutant in mutants})
    for room in rooms:
        yield _numbers(room, [mutant for mutant in mutants if mutant.room == room])
    yield _numbers("all", mutants)


def _numbers(title: str, mutants: Sequence[Mutant]) -> str:
    alive = sum(mutant.lives for mutant in mutants)
    return f"{title:12} {len(mutants):5} mutants, {len(mutants) - alive} killed, {alive} live on"
