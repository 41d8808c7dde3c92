"""How does a program start and stop?

`run_application` runs a tree as a program: it stops the tree in order when a signal asks for it,
tells on stderr who was to blame if it went wrong, and returns the exit code. From outside, the
command ``python -m trio_foundation run package.module:tree`` does the same.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._run import run_application

__all__ = ["run_application"]

_give_home(globals())
