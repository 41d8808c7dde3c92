"""What an outcome says about what was called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, cast, final, get_args

import attrs

from ..._base import check_choice, is_mistake, is_plain_function
from .._not_called import NotCalled
from ._circuit import Verdict
from ._leaves import leaves_of

__all__ = ["Counts", "ErrorTypes", "Judge"]

ErrorTypes: TypeAlias = type[BaseException] | tuple[type[BaseException], ...]
"""Classes of errors: one, or a tuple of them."""

Counts: TypeAlias = ErrorTypes | Callable[[BaseException], Verdict]
"""Which errors are failures: classes, or a function that gives its verdict on each."""


@final
@attrs.frozen(kw_only=True)
class Judge:
    """Tells failures from successes, and from what is neither.

    Example:
        >>> judge = Judge(counts=OSError, ignores=FileNotFoundError)
        >>> [judge.of_error(error("x")) for error in (OSError, FileNotFoundError, ValueError)]
        ['failure', 'ignored', 'ignored']
    """

    counts: Counts = Exception
    ignores: ErrorTypes = ()
    result_is_failure: Callable[[object], bool] | None = None

    def __attrs_post_init__(self) -> None:
        is_judge = is_plain_function(self.counts) and not isinstance(self.counts, type)
        if not is_judge and not _are_errors(self.counts):
            raise TypeError(
                f"counts must be classes of errors or a plain function, not {self.counts!r}: "
                "write counts=OSError"
            )
        if not _are_errors(self.ignores):
            raise TypeError(
                f"ignores must be classes of errors, not {self.ignores!r}: write ignores=KeyError"
            )
        if self.result_is_failure is not None and not is_plain_function(self.result_is_failure):
            raise TypeError(
                f"result_is_failure must be a plain function or None, not {self.result_is_failure!r}: "
                "write result_is_failure=lambda result: result is None"
            )

    def of_result(self, result: object) -> Verdict:
        """Return what a result says."""
        if self.result_is_failure is not None and self.result_is_failure(result):
            return "failure"
        return "success"

    def of_error(self, error: BaseException) -> Verdict:
        """Return what an error says; a group, what the worst of its leaves says."""
        verdicts = {self._of_leaf(leaf) for leaf in leaves_of(error)}
        if "failure" in verdicts:
            return "failure"
        return "success" if verdicts == {"success"} else "ignored"

    def _of_leaf(self, leaf: BaseException) -> Verdict:
        if not isinstance(leaf, Exception) or isinstance(leaf, self.ignores) or is_mistake(leaf):
            return "ignored"
        counts = self.counts
        if isinstance(counts, (type, tuple)):
            types = cast("ErrorTypes", counts)
            if isinstance(leaf, NotCalled) and not _names_not_called(types):
                return "ignored"  # nothing was called, so it says nothing about that
            return "failure" if isinstance(leaf, types) else "ignored"
        verdict = counts(leaf)
        check_choice("what counts() returns", verdict, get_args(Verdict))
        return verdict


def _names_not_called(types: ErrorTypes) -> bool:
    return any(
        issubclass(one, NotCalled) for one in (types if isinstance(types, tuple) else (types,))
    )


def _are_errors(value: object) -> bool:
    classes = cast("tuple[object, ...]", value if isinstance(value, tuple) else (value,))
    return all(isinstance(one, type) and issubclass(one, BaseException) for one in classes)
