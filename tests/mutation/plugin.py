"""What pytest does otherwise when mutmut runs it.

`give_home` tells the methods of a public class that they live where users import it from.
mutmut takes the module of the unchanged copy of a method for the one that it is written in,
and would find no test for it. So the copies are told the truth again.

Tests that take less time come first, since most mutants fall to one of those. And Hypothesis
stops at the first failure: nobody reads the smallest example that kills a mutant, and looking
for it takes most of the time.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import FunctionType

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase

hypothesis.settings.register_profile(
    "mutation",
    derandomize=True,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    # A machine with much to do kills no mutant.
    suppress_health_check=[HealthCheck.too_slow],
)


@pytest.hookimpl(trylast=True)
def pytest_configure() -> None:
    hypothesis.settings.load_profile("mutation")


def durations() -> dict[str, float]:
    """Return how long each test took; empty while mutmut finds that out."""
    found = Path("mutmut-stats.json")
    return json.loads(found.read_text("utf-8"))["duration_by_test"] if found.exists() else {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    took = durations()
    items.sort(key=lambda item: took.get(item.nodeid, 0.0))


def pytest_collection_finish() -> None:
    for module in [each for name, each in sys.modules.items() if "._rules" in name]:
        for name, versions in vars(module).items():
            if name.startswith("mutants_x"):
                unchanged: FunctionType = versions["_mutmut_orig"]
                unchanged.__module__ = module.__name__
