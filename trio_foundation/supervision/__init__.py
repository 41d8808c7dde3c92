"""Who is kept running?

A supervisor is a nursery with a restart policy: a child that crashes is started again, alone or
with siblings, until that happens too often; then the supervisor fails, and the level above decides.
`child`, `subtree` and `dynamic_subtree` write children down as data; `open_supervisor` and, for
those that come and go, `open_dynamic_supervisor` run them. The words mean what they mean in
Erlang/OTP.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._child import Child
from ._current import cleanup_scope, current_child, stop_requested
from ._dynamic_supervisor import DynamicSupervisor
from ._errors import (
    ChildExists,
    ChildNotFound,
    ChildRunning,
    ChildStartFailed,
    IgnoreChild,
    RestartLimitReached,
    ShutdownChild,
    SupervisorClosed,
    SupervisorFailed,
    TooManyChildren,
)
from ._events import (
    ChildEvent,
    ChildExited,
    ChildIgnored,
    ChildReady,
    ChildRestarting,
    ChildStarted,
    ChildStopping,
    ChildUnstopped,
    SupervisionEvent,
    SupervisorStarted,
    SupervisorStopped,
    SupervisorWouldFail,
)
from ._exit import Exit
from ._open import SupervisorOptions, open_dynamic_supervisor, open_supervisor
from ._process import process_child
from ._process_errors import ProcessFailed, ProcessKilled, ProcessNotStarted
from ._process_events import (
    ProcessEvent,
    ProcessExited,
    ProcessOutput,
    ProcessOverdue,
    ProcessStarted,
)
from ._resident import Resident
from ._rules._words import AutoShutdown, ChildState, ExitReason, Restart, Strategy
from ._snapshot import ChildCounts, ChildSnapshot, SupervisorSnapshot
from ._spec import ChildOptions, ChildSpec, Liveness, child
from ._subtree import dynamic_subtree, subtree, supervise
from ._supervisor import Supervisor

__all__ = [
    "AutoShutdown",
    "Child",
    "ChildCounts",
    "ChildEvent",
    "ChildExists",
    "ChildExited",
    "ChildIgnored",
    "ChildNotFound",
    "ChildOptions",
    "ChildReady",
    "ChildRestarting",
    "ChildRunning",
    "ChildSnapshot",
    "ChildSpec",
    "ChildStartFailed",
    "ChildStarted",
    "ChildState",
    "ChildStopping",
    "ChildUnstopped",
    "DynamicSupervisor",
    "Exit",
    "ExitReason",
    "IgnoreChild",
    "Liveness",
    "ProcessEvent",
    "ProcessExited",
    "ProcessFailed",
    "ProcessKilled",
    "ProcessNotStarted",
    "ProcessOutput",
    "ProcessOverdue",
    "ProcessStarted",
    "Resident",
    "Restart",
    "RestartLimitReached",
    "ShutdownChild",
    "Strategy",
    "SupervisionEvent",
    "Supervisor",
    "SupervisorClosed",
    "SupervisorFailed",
    "SupervisorOptions",
    "SupervisorSnapshot",
    "SupervisorStarted",
    "SupervisorStopped",
    "SupervisorWouldFail",
    "TooManyChildren",
    "child",
    "cleanup_scope",
    "current_child",
    "dynamic_subtree",
    "open_dynamic_supervisor",
    "open_supervisor",
    "process_child",
    "stop_requested",
    "subtree",
    "supervise",
]

_give_home(globals())
