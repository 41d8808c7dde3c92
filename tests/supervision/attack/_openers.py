"""Either kind of supervisor, for attacks that both must survive."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TypeAlias

import pytest

from trio_foundation.supervision import (
    DynamicSupervisor,
    Supervisor,
    open_dynamic_supervisor,
    open_supervisor,
)

__all__ = ["BOTH", "AnySupervisor", "OpenAny"]

AnySupervisor: TypeAlias = Supervisor | DynamicSupervisor
OpenAny: TypeAlias = Callable[[], AbstractAsyncContextManager[AnySupervisor]]

BOTH = pytest.mark.parametrize("open_any", [open_supervisor, open_dynamic_supervisor])
