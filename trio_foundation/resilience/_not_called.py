"""What a guard raises that did not even try."""

from __future__ import annotations

from .._base import FoundationError

__all__ = ["NotCalled"]


class NotCalled(FoundationError):
    """A guard did not let the call through; the guarded function was not called.

    So it is safe to call again, and says nothing about that function. Derive errors of your own
    guards from it. `BreakerOpen` is none: a breaker may have ended the call.

    Example:
        >>> import trio
        >>> class Asleep(NotCalled):
        ...     pass
        >>> class OfficeHours:
        ...     async def call(self, async_fn, *args):
        ...         raise Asleep("nobody is there at night")
        >>> async def main():
        ...     try:
        ...         await OfficeHours().call(trio.sleep, 0)
        ...     except NotCalled as error:
        ...         print(error)
        >>> trio.run(main)
        nobody is there at night
    """
