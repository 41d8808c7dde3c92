"""How do I test mine?

What your own tests need to see how a program fares when things go wrong. So far it is one
thing: `rejecting` lets a circuit breaker reject calls at random.
"""

from __future__ import annotations

from .._base import give_home as _give_home
from ._breakers import rejecting

__all__ = ["rejecting"]

_give_home(globals())
