"""A log whose failure breaks nothing."""

from __future__ import annotations

import logging
from contextlib import suppress

__all__ = ["log_error", "log_warning"]

_logger = logging.getLogger("trio_foundation.messaging")


def log_error(message: str, *args: object) -> None:
    """Log the error that is being handled."""
    with suppress(Exception):
        _logger.exception(message, *args)


def log_warning(message: str, *args: object) -> None:
    """Log a warning."""
    with suppress(Exception):
        _logger.warning(message, *args)
