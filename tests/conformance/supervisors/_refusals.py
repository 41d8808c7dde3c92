"""Nonsense that is refused at the door, in the words of the recording.

OTP has a term for each, we have a sentence that names the parameter and shows its value.
A refusal counts as the recorded one only if it is about the same field and value. Where two
things are wrong at once each system names the one that it checks first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs

from ._format import Json
from ._tree import is_dynamic

__all__ = ["refusal_of_boot", "refusal_of_child"]


@attrs.frozen
class Check:
    """A field that OTP checks, with its term for a bad value and our parameter."""

    field: str
    term: str
    parameter: str
    scale: float = 1
    """What one unit of theirs is in ours."""

    def refuses(self, spec: Mapping[str, Json], sentence: str) -> bool:
        """Return whether a sentence of ours refuses this field for its value."""
        if self.field not in spec:
            return False
        value = spec[self.field]
        shown = value if isinstance(value, str) or self.scale == 1 else value * self.scale
        return sentence.startswith(f"{self.parameter} must be ") and sentence.endswith(
            f"not {shown!r}"
        )


FLAGS = (
    Check("strategy", "invalid_strategy", "strategy"),
    Check("intensity", "invalid_intensity", "max_restarts"),
    Check("period", "invalid_period", "within"),
    Check("auto_shutdown", "invalid_auto_shutdown", "auto_shutdown"),
    Check("max_children", "invalid_max_children", "max_children"),
)

CHILD = (
    Check("restart", "invalid_restart_type", "restart"),
    Check("significant", "invalid_significant", "significant"),
    Check("type", "invalid_child_type", "kind"),
    Check("shutdown", "invalid_shutdown", "grace", scale=1 / 1000),
)


def refusal_of_boot(spec: Mapping[str, Json], error: Exception) -> Json:
    """Return why a supervisor did not boot, or None if *error* is about something else."""
    children = spec.get("children", [])
    if is_dynamic(spec) and "children" in spec and isinstance(error, TypeError):
        # It takes no children to begin with, so Python itself refuses a list of them.
        return ["bad_start_spec", [["child", each["id"]] for each in children]]
    sentence = str(error)
    for check in FLAGS:
        if check.refuses(spec["flags"], sentence):
            return ["supervisor_data", [check.term, spec["flags"][check.field]]]
    for reason in _refusals_of_children(spec, sentence):
        return ["start_spec", reason]
    return None


def refusal_of_child(spec: Mapping[str, Json], sup: Mapping[str, Json], error: Exception) -> Json:
    """Return why a child was not taken, or None if *error* is about something else."""
    sentence = str(error)
    for check in CHILD:
        if check.refuses(spec, sentence):
            return [check.term, spec[check.field]]
    if spec.get("significant") is True and f"child {spec['id']!r} " in sentence:
        auto_shutdown = sup.get("flags", {}).get("auto_shutdown", "never")
        clash = ["auto_shutdown", "never"]
        if auto_shutdown != "never":
            clash = ["restart", spec.get("restart", "permanent")]
        return ["bad_combination", [clash, ["significant", True]]]
    return None


def _refusals_of_children(spec: Mapping[str, Json], sentence: str) -> Iterator[Json]:
    seen: set[str] = set()
    for child in spec.get("children", ()):
        if child["id"] in seen and repr(child["id"]) in sentence:
            yield ["duplicate_child_name", child["id"]]
        seen.add(child["id"])
        reason = refusal_of_child(child, spec, error=ValueError(sentence))
        if reason is not None:
            yield reason
