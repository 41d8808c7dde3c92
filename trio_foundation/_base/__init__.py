"""What all rooms share: errors, argument checks, backoff arithmetic, flags. No Trio in here.

What is public of it is exported by `trio_foundation`.
"""

from __future__ import annotations

from ._backoff import Backoff
from ._block import AsyncBlock
from ._checks import (
    awaitable_of,
    check_async_fn,
    check_bool,
    check_choice,
    check_count,
    check_name,
    check_number,
    check_seconds,
    fits,
    is_mistake,
    is_plain_function,
    mistake,
)
from ._errors import FoundationError
from ._flags import FlagOverrides, flags, is_flag_set
from ._homes import give_home
from ._names import name_of, seconds_in_words, told, written

__all__ = [
    "AsyncBlock",
    "Backoff",
    "FlagOverrides",
    "FoundationError",
    "awaitable_of",
    "check_async_fn",
    "check_bool",
    "check_choice",
    "check_count",
    "check_name",
    "check_number",
    "check_seconds",
    "fits",
    "flags",
    "give_home",
    "is_flag_set",
    "is_mistake",
    "is_plain_function",
    "mistake",
    "name_of",
    "seconds_in_words",
    "told",
    "written",
]
