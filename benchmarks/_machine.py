"""What the numbers belong to."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from functools import partial
from pathlib import Path
from typing import final

import attrs

from trio_foundation import __version__

__all__ = ["Machine"]

ROOT = Path(__file__).resolve().parent.parent


@final
@attrs.frozen(kw_only=True)
class Machine:
    """A machine, how busy it was, and the programs on it."""

    processor: str
    cores: int
    load: float | None
    """How many processes wanted to run, on average over the minute before."""
    system: str
    python: str
    trio: str
    trio_foundation: str
    commit: str

    @classmethod
    def here(cls) -> Machine:
        """Return this one, now."""
        return cls(
            processor=_processor(),
            cores=os.cpu_count() or 1,
            load=round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
            system=platform.platform(),
            python=f"{platform.python_implementation()} {platform.python_version()}",
            trio=importlib.metadata.version("trio"),
            trio_foundation=__version__,
            commit=_commit(),
        )

    def __str__(self) -> str:
        return (
            f"{self.python}, trio {self.trio}, trio_foundation {self.trio_foundation} "
            f"({self.commit})\n{self.processor}, {self.cores} cores, {self.system}, "
            f"load {self.load} before"
        )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _commit() -> str:
    git = partial(subprocess.run, cwd=ROOT, check=True, capture_output=True, text=True)
    try:
        commit: str = git(["git", "rev-parse", "--short=12", "HEAD"]).stdout.strip()
        changes = git(["git", "status", "--porcelain", "--", ":/trio_foundation"]).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "in no repository"
    return f"{commit} with changes" if changes else commit
