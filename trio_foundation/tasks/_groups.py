"""What leaves a block when its nursery has raised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias, cast

import trio

__all__ = ["alone", "bare", "together", "without_cancelled"]

# Of a bare isinstance check a type checker does not know what is in the group.
_Group: TypeAlias = BaseExceptionGroup[BaseException]


def alone(error: BaseException) -> BaseException:
    """Return the only interrupt in a group, or one cancellation for many.

    Example:
        >>> interrupt = KeyboardInterrupt()
        >>> alone(BaseExceptionGroup("", [interrupt])) is interrupt
        True
        >>> alone(ExceptionGroup("one has failed", [ValueError()]))
        ExceptionGroup('one has failed', [ValueError()])
    """
    leaves = list(_leaves(error))
    others = [one for one in leaves if not isinstance(one, trio.Cancelled)]
    if not others:
        return leaves[0]
    if len(others) == 1 and not isinstance(others[0], Exception):
        return others[0]
    return error


def bare(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the very error of a nursery's body, out of the nursery's group.

    Example:
        >>> error = ExceptionGroup("the body's own", [ValueError()])
        >>> bare(ExceptionGroup("the nursery's", [error])) is error
        True
    """
    errors = [one for one in group.exceptions if not _is_cancelled(one)]
    if not errors:
        return alone(group)
    return errors[0] if len(errors) == 1 else group.derive(errors)


def without_cancelled(error: BaseException) -> BaseException:
    """Return an error, which is no cancellation, without the cancellations in it.

    Example:
        >>> without_cancelled(ValueError("a"))
        ValueError('a')
    """
    if not isinstance(error, BaseExceptionGroup):
        return error
    rest = cast("_Group", error).split(trio.Cancelled)[1]
    assert rest is not None
    return rest


def together(*errors: BaseException | None) -> BaseException | None:
    """Return one error for several; a cancellation beside an error is none.

    Example:
        >>> together(None, ValueError("a"))
        ValueError('a')
        >>> together(ValueError("a"), None, ValueError("b"))
        ExceptionGroup('the body and the items of a map', [ValueError('a'), ValueError('b')])
    """
    all_of_them = [error for error in errors if error is not None]
    if len(all_of_them) > 1:
        all_of_them = [error for error in all_of_them if not _is_cancelled(error)]
    if len(all_of_them) < 2:
        return all_of_them[0] if all_of_them else None
    return BaseExceptionGroup("the body and the items of a map", all_of_them)


def _is_cancelled(error: BaseException) -> bool:
    return all(isinstance(leaf, trio.Cancelled) for leaf in _leaves(error))


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for one in cast("_Group", error).exceptions:
            yield from _leaves(one)
    else:
        yield error
