"""Which other libraries there are, and where they are at home."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
import shutil
import tomllib
from pathlib import Path
from typing import final

import attrs

__all__ = ["ENVIRONMENTS", "Environment", "distribution", "is_here", "rooms_beside", "version"]

HERE = Path(__file__).resolve().parent


@final
@attrs.frozen(kw_only=True)
class Environment:
    """A Python, and peers that can be installed together for it."""

    name: str
    python: str
    peers: dict[str, str]
    """What pip installs for each, by the name that is imported."""

    program: str | None = None
    """What has to be on the machine instead, if the peers are no packages of Python."""


def environments() -> dict[str, Environment]:
    """Return those of peers.toml."""
    tables = tomllib.loads((HERE / "peers.toml").read_text("utf-8"))
    return {name: Environment(name=name, **table) for name, table in tables.items()}


ENVIRONMENTS = environments()
REQUIREMENTS = {peer: what for one in ENVIRONMENTS.values() for peer, what in one.peers.items()}
PROGRAMS = {peer: one.program for one in ENVIRONMENTS.values() for peer in one.peers}


def rooms_beside(peer: str) -> list[str]:
    """Return the rooms that have something to stand beside a peer."""
    return sorted(path.stem.split("_")[1] for path in HERE.glob(f"peer_*_{peer}.py"))


def is_here(peer: str) -> bool:
    """Return whether a peer is installed here; say how to get it, if it is not."""
    program = PROGRAMS.get(peer)
    if program is not None:
        found = shutil.which(program) is not None
        how = f"put {program} on the path"
    else:
        found = importlib.util.find_spec(peer) is not None
        how = f"pip install {REQUIREMENTS.get(peer, peer)}"
    if not found:
        print(f"{peer} is not installed: {how}")
    return found


def distribution(requirement: str) -> str:
    """Return which package a requirement is about.

    Example:
        >>> distribution("mode-streaming>=0.4,<1")
        'mode-streaming'
    """
    return re.split(r"[^\w.-]", requirement, maxsplit=1)[0]


def version(peer: str, label: str) -> str:
    """Return which version of a peer is here, or what it calls itself."""
    if PROGRAMS.get(peer) is not None:
        return label
    return importlib.metadata.version(distribution(REQUIREMENTS.get(peer, peer)))
