"""When the end of a significant child is the end of its supervisor."""

from __future__ import annotations

from ._words import AutoShutdown

__all__ = ["ends_supervisor"]


def ends_supervisor(auto_shutdown: AutoShutdown, *, others_remain: bool) -> bool:
    """Return whether the supervisor shuts down now that a significant child is finished.

    Finished is ended by itself and not restarted; *others_remain* that another is not.
    """
    return auto_shutdown == "any_significant" or (
        auto_shutdown == "all_significant" and not others_remain
    )
