"""What is decided about batches and sagas, without tasks or a clock."""

from __future__ import annotations

from ._arguments import check_completed, check_operations, count_taken
from ._lines import Batch, Line, Lines
from ._plans import Action, Fate, Plan, PlannedStep, SagaStep, StepRetry, Undo
from ._retrying import RetryOn, check_retry_on, delay_before_next

__all__ = [
    "Action",
    "Batch",
    "Fate",
    "Line",
    "Lines",
    "Plan",
    "PlannedStep",
    "RetryOn",
    "SagaStep",
    "StepRetry",
    "Undo",
    "check_completed",
    "check_operations",
    "check_retry_on",
    "count_taken",
    "delay_before_next",
]
