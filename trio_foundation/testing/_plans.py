"""Plans of faults for Hypothesis to choose, and to make smaller."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .._base import check_count, check_name, check_seconds
from ._faults import check_kinds
from ._rules import Fault, FaultKind

if TYPE_CHECKING:  # it is for those who have it
    from hypothesis.strategies import SearchStrategy

__all__ = ["fault_plans"]


def fault_plans(
    names: Iterable[str],
    *,
    kinds: Iterable[FaultKind] = ("crash", "hang", "delay", "cancel", "starve"),
    size: int = 5,
    checkpoints: int = 20,
    seconds: float = 10.0,
) -> SearchStrategy[tuple[Fault, ...]]:
    """Return a strategy of Hypothesis for plans of faults; install Hypothesis for it.

    A plan that fails shrinks to few faults, early ones, of the first of *kinds*.

    Args:
        names: The children that faults may be for.
        kinds: What may happen; an ``interrupt``, which ends the program, must be asked for.
        size: How many faults a plan has at most.
        checkpoints: The last checkpoint of a child that may have faults.
        seconds: How many seconds a ``delay`` or a ``starve`` lasts at most.

    Returns:
        The strategy, for `hypothesis.given`; it makes the *plan* of `Faults`.

    Raises:
        ValueError: An option that makes no sense.
        ModuleNotFoundError: Hypothesis is not installed.

    Example:
        >>> import trio
        >>> from hypothesis import HealthCheck, given, settings
        >>> from trio_foundation.supervision import child
        >>> async def scenario():
        ...     async with open_test_supervisor([child(trio.sleep_forever, name="web")]) as sup:
        ...         await trio.sleep(60)
        ...         assert sup.children["web"].state == "running"
        >>> @settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        ... @given(fault_plans(["web"], kinds=["crash", "delay"]))
        ... def test_the_web_stays_up(plan):
        ...     explore(scenario, seeds=[0], faults=Faults(plan=plan))
        >>> test_the_web_stays_up()
    """
    checked = [check_name("name", name) for name in names]
    if not checked:
        raise ValueError("names must not be empty: name the children that faults are for")
    chosen = check_kinds(kinds)
    check_count("size", size)
    check_count("checkpoints", checkpoints, least=1)
    check_seconds("seconds", seconds, finite=True)
    from hypothesis import strategies as st  # noqa: PLC0415  only those who call this need it

    fault = st.builds(
        Fault,
        st.sampled_from(checked),
        st.sampled_from(chosen),
        at_checkpoint=st.integers(1, checkpoints),
        seconds=st.floats(0.0, seconds),
    )
    return st.lists(fault, max_size=size).map(tuple)
