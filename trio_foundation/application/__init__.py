"""How does a program start and stop?

A supervised program is a tree, written down as data. `run_application` runs it: it stops
the tree in order when a signal asks for it, ends the program with the exit code that
says how it went, and tells on stderr who was to blame if it went wrong. The command
``python -m trio_foundation run package.module:tree`` does the same from outside.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._run import run_application

__all__ = ["run_application"]

_give_home(globals())
