"""What is cut out of the tracebacks of errors."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

__all__ = ["is_of_callers", "without_callers"]

E = TypeVar("E", bound=BaseException)

_CALLERS = {
    str(Path(__file__).with_name(name)) for name in ("_attempts.py", "_batch.py", "_work.py")
}


def is_of_callers(error: BaseException) -> bool:
    """Return whether an error was raised where a function is called, not within it."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _CALLERS:
        traceback = traceback.tb_next
    return traceback is None


def without_callers(error: E) -> E:
    """Return an error without our frames in its traceback, which know all results."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_frame.f_code.co_filename in _CALLERS:
        traceback = traceback.tb_next
    return error.with_traceback(traceback)
