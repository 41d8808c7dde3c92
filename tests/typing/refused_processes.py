"""What type checkers have to refuse of processes; nothing here is run, see refused.py."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from trio_foundation.supervision import Liveness, ProcessOutput, process_child


async def is_async(line: str) -> bool:
    return line == "ready"


def are_written_down() -> None:
    process_child()  # type: ignore[call-arg]
    process_child(["serve", 8080])  # type: ignore[list-item]
    process_child([b"serve"])  # type: ignore[list-item]
    process_child({"serve"})  # type: ignore[arg-type]
    process_child("gunzip", "log.gz")  # type: ignore[call-arg]
    process_child(["serve"], restart="sometimes")  # type: ignore[arg-type]
    process_child(["serve"], grace="5")  # type: ignore[arg-type]
    process_child(["serve"], env=["PORT=8080"])  # type: ignore[arg-type]
    process_child(["serve"], env={"PORT": 8080})  # type: ignore[dict-item]
    process_child(["serve"], cwd=3)  # type: ignore[arg-type]
    process_child(["serve"], ready_when=is_async)  # type: ignore[arg-type]
    process_child(["serve"], liveness=Liveness(every=1.0))  # type: ignore[call-arg]


def changes(output: ProcessOutput) -> None:
    output.line = "another"  # type: ignore[misc]
