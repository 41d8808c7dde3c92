"""Every public name has one home, a description, an example that runs, and its units.

The first half demands it of the package; the second shows that each demand can fail.
"""

from __future__ import annotations

import doctest
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import trio_foundation

from .demands import DEMANDS, Package, Public, complaints_about_homes, docstring, methods

PACKAGE = Package(Path(trio_foundation.__file__).parent, "trio_foundation")


def described(public: Public) -> Iterator[str]:
    yield public.doc
    for cls in public.classes:
        yield from (docstring(method) for method in methods(cls))


def complaints(demand: Callable[[Public], Iterator[str]], package: Package) -> list[str]:
    return [complaint for public in package.publics for complaint in demand(public)]


def test_every_name_has_one_home() -> None:
    assert not list(complaints_about_homes(PACKAGE))


@pytest.mark.parametrize("public", PACKAGE.publics, ids=str)
def test_every_name_says_where_it_lives(public: Public) -> None:
    value = getattr(importlib.import_module(public.door), public.name)
    if public.classes or public.functions:
        assert (value.__module__, value.__qualname__) == (public.door, public.name)


@pytest.mark.parametrize("demand", DEMANDS, ids=lambda demand: demand.__name__)
def test_every_name(demand: Callable[[Public], Iterator[str]]) -> None:
    told = complaints(demand, PACKAGE)
    assert not told, "\n".join(told)


@pytest.mark.parametrize("public", PACKAGE.publics, ids=str)
def test_every_example_runs_with_what_its_door_exports(public: Public) -> None:
    door = importlib.import_module(public.door)
    names = {name: getattr(door, name) for name in PACKAGE.doors[public.door]}
    report: list[str] = []
    for doc in described(public):
        names_of_one: dict[str, Any] = dict(names)
        example = doctest.DocTestParser().get_doctest(doc, names_of_one, str(public), None, None)
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=report.append)
    assert not report, "".join(report)


# That each of them can fail


@pytest.fixture
def package(tmp_path: Path) -> Callable[..., Package]:
    """Makes packages of a few lines, in which a room is a file."""

    def write(**rooms: str) -> Package:
        (tmp_path / "__init__.py").write_text("__all__ = []")
        errors = "__all__ = []\nclass FoundationError(Exception): ...\nclass Event: ..."
        (tmp_path / "_base.py").write_text(errors)
        for room, source in rooms.items():
            (tmp_path / f"{room}.py").write_text(dedent(source))
        return Package(tmp_path, "fake")

    return write


GOOD = '''
    __all__ = ["Late", "Waited", "Waiter", "wait"]

    class Late(FoundationError):
        """It took too long.

        Example:
            >>> raise Late
        """

    class Waited(Event):
        """Somebody waited."""

        after: float
        """How long, in seconds."""

    class Waiter:
        """It waits.

        Args:
            delay: How long, in seconds.

        Raises:
            Late: If *delay* is too long.

        Cancellation:
            As if it was never entered.

        Example:
            >>> Waiter(5.0).delay
            5.0
        """

        def __init__(self, delay: float) -> None:
            raise Late

        async def __aenter__(self) -> None: ...

        @property
        def ran_for(self) -> float:
            """How long it waited, in seconds."""

    async def wait(timeout: float) -> None:
        """Wait.

        Args:
            timeout: How long, in seconds.

        Raises:
            Late: If it takes longer.

        Cancellation:
            Leaves nothing.

        Example:
            >>> trio.run(wait, 0.5)
        """
        raise Late(timeout)
'''


def test_good_code_meets_every_demand(package: Callable[..., Package]) -> None:
    good = package(room=GOOD)
    assert not list(complaints_about_homes(good))
    assert not [complaint for demand in DEMANDS for complaint in complaints(demand, good)]


@pytest.mark.parametrize(
    ("taken_out", "complaint"),
    [
        ('"""Somebody waited."""', "fake.room.Waited is not described: write a docstring"),
        ('"""How long, in seconds."""', "fake.room.Waited.after is not described"),
        ('"""How long it waited, in seconds."""', "fake.room.Waiter.ran_for is not described"),
        (">>> raise Late\n", "fake.room.Late has no example"),
        (">>> Waiter", "fake.room.Waiter has no example"),
        (">>> trio.run", "fake.room.wait has no example"),
        ("Late: If *delay* is too long.", "fake.room.Waiter.__init__ raises Late"),
        ("Late: If it takes longer.", "fake.room.wait raises Late and does not say so"),
        ("delay: How long, in seconds.", "takes the time *delay* without a unit"),
        ("timeout: How long, in seconds.", "takes the time *timeout* without a unit"),
        ("waited, in seconds", "fake.room.Waiter.ran_for returns a time without a unit"),
        ("ong, in seconds.", "fake.room.Waited.after is a time without a unit"),
        ("As if it was never entered.", "fake.room.Waiter.__aenter__ is async and does not say"),
        ("Leaves nothing.", "fake.room.wait is async and does not say"),
    ],
)
def test_code_that_leaves_something_out_is_told(
    package: Callable[..., Package], taken_out: str, complaint: str
) -> None:
    assert taken_out in GOOD
    left = "..." if taken_out.startswith('"') else ""
    bad = package(room=GOOD.replace(taken_out, left))
    told = [told for demand in DEMANDS for told in complaints(demand, bad)]
    assert any(complaint in one for one in told), told


@pytest.mark.parametrize("float_type", ["float", "float | None", "int | float"])
def test_a_float_that_no_list_knows_is_told(
    package: Callable[..., Package], float_type: str
) -> None:
    bad = package(room=GOOD.replace("timeout: float", f"patience: {float_type}"))
    assert re.search(
        r"takes the float \*patience\*.* add 'patience' to TIMES or to NUMBERS",
        "".join(told for demand in DEMANDS for told in complaints(demand, bad)),
    )


def test_the_base_class_of_all_events_needs_an_example(package: Callable[..., Package]) -> None:
    bad = package(room='__all__ = ["Event"]\nclass Event:\n    """It happened."""')
    assert any("Event has no example" in one for d in DEMANDS for one in complaints(d, bad))


def test_the_methods_of_a_private_base_class_count(package: Callable[..., Package]) -> None:
    bad = package(
        room='''
        __all__ = ["Public"]
        class _Base:
            async def close(self) -> None: ...
        class Public(_Base):
            """It is public."""
        '''
    )
    told = "".join(one for demand in DEMANDS for one in complaints(demand, bad))
    assert "Public.close is not described" in told
    assert "Public.close is async" in told


def test_an_async_context_manager_is_async(package: Callable[..., Package]) -> None:
    bad = package(
        room="""
        __all__ = ["open_it"]
        def open_it() -> AbstractAsyncContextManager[None]: ...
        """
    )
    assert any("open_it is async" in one for demand in DEMANDS for one in complaints(demand, bad))


def test_an_error_raised_in_a_function_within_is_not_the_callers(
    package: Callable[..., Package],
) -> None:
    inner = "async def inner(): raise Late\n        raise Late(timeout)"
    without = GOOD.replace("Late: If it takes longer.", "").replace("raise Late(timeout)", inner)
    told = [one for d in DEMANDS for one in complaints(d, package(room=without))]
    assert sum("wait raises Late" in one for one in told) == 1
    harmless = without.replace("\n        raise Late(timeout)", "")
    assert not [
        one
        for demand in DEMANDS
        for one in complaints(demand, package(room=harmless))
        if "raises" in one
    ]


def test_a_name_with_two_homes_is_told(package: Callable[..., Package]) -> None:
    both = {"hall": GOOD, "attic": GOOD}
    told = list(complaints_about_homes(package(**both)))
    assert "wait is exported by fake.attic and by fake.hall: a name has one home" in told[-1]


def test_a_name_that_another_room_defines_is_told(package: Callable[..., Package]) -> None:
    told = list(
        complaints_about_homes(
            package(hall=GOOD, attic='from .hall import wait\n__all__ = ["wait"]')
        )
    )
    assert any("fake.attic.wait is written nowhere behind its door" in one for one in told)


def test_a_door_without_a_list_of_names_is_told(package: Callable[..., Package]) -> None:
    with pytest.raises(ValueError, match="has no __all__"):
        list(complaints_about_homes(package(room="x = 1")))
