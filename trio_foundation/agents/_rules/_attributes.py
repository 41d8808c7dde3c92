"""What is said of every agent, checked where it is written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from numbers import Real
from typing import Any, Literal, ParamSpec, TypeAlias, TypeVar, cast, final, get_args

from ..._base import check_choice, check_name

__all__ = [
    "INDEXED",
    "REQUIRED",
    "Findings",
    "Health",
    "check_attributes",
    "check_capability",
    "check_health",
    "check_range",
]

P = ParamSpec("P")
R = TypeVar("R")

Health: TypeAlias = Literal["healthy", "degraded", "unhealthy"]
"""How an agent is."""

REQUIRED = ("capability", "health", "node", "resources")
"""The attributes that every agent has."""

INDEXED = ("capability", "health", "node")
"""Those that are always indexed."""

RESERVED = frozenset({"agent_id", "key", "owner", "ref", "self", "value"})
"""Names that mean something else."""

_CAPABILITY = "write capability='python', or capability={'python', 'text'} for several"


@final
class Findings:
    """All that is wrong, for one message.

    Example:
        >>> findings = Findings()
        >>> findings.of(check_health, "ok")
        >>> findings.of(check_name, "node", "")
        >>> findings.report("agent 'ann'")
        Traceback (most recent call last):
        ValueError: agent 'ann': health must be 'healthy', 'degraded' or 'unhealthy', not 'ok'; \
node must not be empty
    """

    __slots__ = ("_errors",)

    def __init__(self) -> None:
        self._errors: list[Exception] = []

    def of(self, check: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | None:
        """Return what a check returns; note what it raises, and return None."""
        try:
            return check(*args, **kwargs)
        except (TypeError, ValueError) as error:
            self._errors.append(error)
            return None

    def report(self, what: str) -> None:
        """Raise one error of all that was noted: a ValueError if all kinds are right."""
        if self._errors:
            is_of_kind = any(isinstance(error, TypeError) for error in self._errors)
            kind = TypeError if is_of_kind else ValueError
            raise kind(f"{what}: {'; '.join(map(str, self._errors))}")


def check_attributes(
    findings: Findings, given: Mapping[str, object], *, is_whole: bool
) -> dict[str, Any]:
    """Return attributes, checked: all of an agent, or those of an update.

    Example:
        >>> check_attributes(Findings(), {"capability": ["sort"], "cost": 3}, is_whole=False)
        {'capability': frozenset({'sort'}), 'cost': 3}
    """
    checked: dict[str, Any] = dict(given)
    for name, check in _CHECKS.items():
        if is_whole or name in given:
            checked[name] = findings.of(check, given.get(name))
    for name in given:
        if name not in _CHECKS:
            findings.of(_check_attribute_name, name)
    return checked


def check_capability(capability: object) -> str | frozenset[str]:
    """Refuse what is neither a capability nor a collection of some.

    Returns:
        It, or a frozen set.

    Raises:
        TypeError: It is missing, or of the wrong kind.
        ValueError: It is empty, or one of them is.

    Example:
        >>> check_capability(["sort", "sort"])
        frozenset({'sort'})
        >>> check_capability([])
        Traceback (most recent call last):
        ValueError: capability must not be empty: write capability='python', or \
capability={'python', 'text'} for several
    """
    if isinstance(capability, str):
        if not capability:
            raise ValueError(f"capability must not be empty: {_CAPABILITY}")
        return capability
    if capability is None:
        raise TypeError(f"capability is required: {_CAPABILITY}")
    if not isinstance(capability, Collection) or isinstance(
        capability, (Mapping, bytes, bytearray)
    ):
        raise TypeError(
            f"capability must be a string or a collection of strings, not {capability!r}: "
            f"{_CAPABILITY}"
        )
    return _several(cast("Collection[object]", capability))


def _several(capabilities: Collection[object]) -> frozenset[str]:
    members: list[str] = []
    for one in capabilities:
        if not isinstance(one, str) or not one:
            kind = ValueError if isinstance(one, str) else TypeError
            raise kind(
                f"each capability must be a string that is not empty, but one of "
                f"{capabilities!r} is {one!r}: {_CAPABILITY}"
            )
        members.append(one)
    if not members:
        raise ValueError(f"capability must not be empty: {_CAPABILITY}")
    return frozenset(members)


def check_health(health: object) -> Health:
    """Return a health, and refuse what is none.

    Example:
        >>> check_health("degraded")
        'degraded'
    """
    check_choice("health", health, get_args(Health))
    return cast("Health", health)


def _check_node(node: object) -> str:
    return check_name("node", node)


def _check_resources(resources: object) -> Mapping[str, object]:
    if not isinstance(resources, Mapping):
        raise TypeError(
            f"resources must be a mapping, not {resources!r}: write resources={{'memory': 0.5}}"
        )
    checked = cast("Mapping[object, object]", resources)
    for name in checked:
        if not isinstance(name, str):
            raise TypeError(f"the names of resources must be strings, not {name!r}")
        if not name or "." in name:
            raise ValueError(f"the name of a resource must be a word without dots, not {name!r}")
    return cast("Mapping[str, object]", checked)


_CHECKS: dict[str, Callable[[object], object]] = {
    "capability": check_capability,
    "health": check_health,
    "node": _check_node,
    "resources": _check_resources,
}


def _check_attribute_name(name: object) -> None:
    if not isinstance(name, str):
        raise TypeError(f"the name of an attribute must be a string, not {name!r}")
    if name in RESERVED:
        raise ValueError(f"no attribute can be called {name!r} here: give it another name")
    if "." in name:
        outer, _, inner = name.partition(".")
        raise ValueError(
            f"the name of an attribute has no dot in it, but got {name!r}: for an attribute "
            f"within another write {outer}={{{inner!r}: ...}}"
        )


def check_range(name: str, limits: object) -> tuple[Any, Any]:
    """Return the least and the most of a range.

    Raises:
        TypeError: It is no pair of numbers.
        ValueError: Nothing could be within.

    Example:
        >>> check_range("memory", (0.5, None))
        (0.5, None)
        >>> check_range("memory", 0.5)
        Traceback (most recent call last):
        TypeError: the range of 'memory' must be two numbers, of which either may be None, not \
0.5: write memory=(0.5, None) for at least 0.5
    """
    pair = cast("tuple[object, ...]", limits) if isinstance(limits, (tuple, list)) else ()
    if len(pair) != 2 or not all(one is None or _is_number(one) for one in pair):
        raise TypeError(
            f"the range of {name!r} must be two numbers, of which either may be None, not "
            f"{limits!r}: write {name}=(0.5, None) for at least 0.5"
        )
    least, most = cast("tuple[float | None, float | None]", tuple(pair))
    if least is not None and most is not None and least > most:
        raise ValueError(
            f"nothing is within {limits!r}, the range of {name!r}: write "
            f"{name}=({most!r}, {least!r}), the least first"
        )
    return least, most


def _is_number(value: object) -> bool:
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and value == value  # noqa: PLR0124  NaN is not
