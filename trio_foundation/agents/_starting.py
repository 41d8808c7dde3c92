"""How an agent is registered by each of its incarnations."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, final

import attrs
import trio
from trio.lowlevel import enable_ki_protection

from ..supervision import Child, ChildSpec, current_child
from ._changes import RegisterAgent

__all__ = ["registering"]

Register = Callable[[RegisterAgent], object]


def registering(spec: ChildSpec, registration: RegisterAgent, register: Register) -> ChildSpec:
    """Return a spec of the same child that registers each incarnation when ready."""
    async_fn = partial(_run, spec.async_fn, registration, register)
    if spec.is_named:
        return attrs.evolve(spec, async_fn=async_fn)
    name = registration.agent_id
    return attrs.evolve(spec, async_fn=async_fn, name=name, default_name=name)


async def _run(
    async_fn: Callable[..., Awaitable[object]],
    registration: RegisterAgent,
    register: Register,
    *args: object,
    task_status: trio.TaskStatus[Any],
) -> None:
    status = _Readiness(task_status, current_child(), registration, register)
    await async_fn(*args, task_status=status)


@final
class _Readiness:
    """A ``task_status`` that registers the agent first."""

    __slots__ = ("_child", "_register", "_registration", "_task_status")

    def __init__(
        self,
        task_status: trio.TaskStatus[Any],
        child: Child[Any],
        registration: RegisterAgent,
        register: Register,
    ) -> None:
        self._task_status = task_status
        self._child = child
        self._registration = registration
        self._register = register

    @enable_ki_protection
    def started(self, value: object = None) -> None:
        if self._child.ending is None:  # else the start was cut short, and it does not get ready
            self._register(attrs.evolve(self._registration, owner=self._child))
        self._task_status.started(value)
