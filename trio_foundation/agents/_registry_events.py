"""What a registry of agents reports."""

from __future__ import annotations

import logging
from typing import ClassVar, final

import attrs

from ..registry import UnregisteredBy
from ..telemetry import Event

__all__ = ["AgentDown", "AgentUp", "AgentsEvent"]


@attrs.frozen(kw_only=True)
class AgentsEvent(Event):
    """The base class of the events of agents.

    Example:
        >>> AgentDown(registry="agents", agent="ann", by="owner", gone=False).agent
        'ann'
    """

    agent: str
    """The id of the agent."""


@final
@attrs.frozen(kw_only=True)
class AgentUp(AgentsEvent):
    """An agent is registered, for the first time or again."""

    name: ClassVar[str] = "foundation.agents.agent_up"
    level: ClassVar[int] = logging.INFO

    registry: str
    """The name of the registry."""

    capability: str | frozenset[str]
    """What it can do."""

    node: str
    """Where it is."""

    incarnation: int | None
    """The incarnation of its owner, if it has one."""


@final
@attrs.frozen(kw_only=True)
class AgentDown(AgentsEvent):
    """An agent is not registered any more, or does not come back after all."""

    name: ClassVar[str] = "foundation.agents.agent_down"
    level: ClassVar[int] = logging.INFO

    registry: str
    """The name of the registry."""

    by: UnregisteredBy
    """Why."""

    gone: bool
    """Whether it is not to come back. If False, its owner is being started again, or it is
    registered again already."""
