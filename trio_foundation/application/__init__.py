"""How does a program start and stop?

`run_application` runs a tree as a program: it stops the tree in order on a signal, tells on
stderr who was to blame for a failure, and returns the exit code. On the command line,
``python -m trio_foundation run package.module:tree`` does the same.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._run import run_application

__all__ = ["run_application"]

_give_home(globals())
