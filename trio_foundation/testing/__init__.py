"""How do I test mine?

Put faults into a program (`Faults`, `open_storm`, `rejecting`), run it under many task schedules
(`explore`), cancel it at each step (`cancel_at_each_step`), and check what must always hold: no
task left, no message lost, no leak, children stopped in order. `capture_events` tells a test what
has happened. All run on virtual time, and leave the library as it is. The fixtures for pytest are
in ``trio_foundation.testing.pytest_plugin``.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._breakers import rejecting
from ._capture import CapturedEvents, ExpectedEvent, capture_events
from ._explore import explore
from ._faults import Faults
from ._invariants import Counted, assert_conserved, assert_no_tasks_left, assert_stopped_in_order
from ._leaks import assert_no_leak
from ._plans import fault_plans
from ._rules import Fault, FaultKind, InjectedCrash
from ._steps import CancelAttempt, CancelledBy, cancel_at_each_step
from ._storm import open_storm
from ._test_supervisor import open_test_supervisor

__all__ = [
    "CancelAttempt",
    "CancelledBy",
    "CapturedEvents",
    "Counted",
    "ExpectedEvent",
    "Fault",
    "FaultKind",
    "Faults",
    "InjectedCrash",
    "assert_conserved",
    "assert_no_leak",
    "assert_no_tasks_left",
    "assert_stopped_in_order",
    "cancel_at_each_step",
    "capture_events",
    "explore",
    "fault_plans",
    "open_storm",
    "open_test_supervisor",
    "rejecting",
]

_give_home(globals())
