"""What the store writes down, so that it can start afresh and yet know everything."""

from __future__ import annotations

from pathlib import Path

JOURNAL = Path("kv.journal")


def record(*entry: str) -> None:
    """Append an entry: a key and its new value, or a key alone that is deleted."""
    with JOURNAL.open("a") as journal:
        print(*entry, file=journal)


def recorded() -> dict[str, str]:
    """Return what the entries amount to."""
    data: dict[str, str] = {}
    for line in JOURNAL.read_text().splitlines() if JOURNAL.exists() else ():
        match line.split():
            case [key, value]:
                data[key] = value
            case [key]:
                del data[key]
            case _:
                raise ValueError(f"{JOURNAL} has a line that is no entry: {line!r}")
    return data
