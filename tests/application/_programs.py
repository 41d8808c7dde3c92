"""Programs that a test starts, listens to, and sends signals to."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import attrs

__all__ = ["Program", "run_tree"]

# Long, for a machine that has much else to do: nothing waits for it unless a test fails.
PATIENCE = 40.0


@attrs.define(eq=False)
class Program:
    """A running program, and what it has written so far."""

    process: subprocess.Popen[str]
    output: list[str] = attrs.field(init=False, factory=list[str])
    errors: list[str] = attrs.field(init=False, factory=list[str])
    _more: threading.Condition = attrs.field(init=False, factory=threading.Condition)
    _readers: list[threading.Thread] = attrs.field(init=False, factory=list[threading.Thread])

    def __attrs_post_init__(self) -> None:
        streams = [(self.process.stdout, self.output), (self.process.stderr, self.errors)]
        for stream, lines in streams:
            assert stream is not None
            self._readers.append(threading.Thread(target=self._read, args=(stream, lines)))
            self._readers[-1].start()

    def _read(self, stream: IO[str], lines: list[str]) -> None:
        for line in stream:
            with self._more:
                lines.append(line.rstrip("\n"))
                self._more.notify_all()

    def expect(self, *lines: str) -> None:
        """Wait until the program has written these lines, wherever, in any order."""
        with self._more:
            came = self._more.wait_for(lambda: self._has(lines), PATIENCE)
        assert came, f"{lines} did not come\n{self}"

    def _has(self, lines: tuple[str, ...]) -> bool:
        return all(any(line in one for one in [*self.output, *self.errors]) for line in lines)

    def send(self, *signals: signal.Signals) -> None:
        for number in signals:
            self.process.send_signal(number)

    def send_until_it_ends(self, number: signal.Signals) -> None:
        """Send a signal again and again: of those that come too fast, some are lost."""
        deadline = time.monotonic() + PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            self.send(number)
            time.sleep(0.02)

    def end(self) -> int:
        """Wait until it has ended; return its exit code."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self._close()
            raise AssertionError(f"it did not end\n{self}") from None
        self._close()
        return code

    def _close(self) -> None:
        for reader in self._readers:
            reader.join()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    @property
    def report(self) -> str:
        """What it has written to stderr."""
        return "\n".join(self.errors)

    def __str__(self) -> str:
        output = "\n".join(self.output)
        return f"exit code: {self.process.poll()}\nstdout:\n{output}\nstderr:\n{self.report}"


@contextmanager
def run_tree(name: str, *options: str) -> Generator[Program]:
    """Run one of the trees in ``trees.py`` by the command line, as users do."""
    command = [sys.executable, "-W", "error", "-m", "trio_foundation", "run", f"trees:{name}"]
    process = subprocess.Popen(
        [*command, *options],
        cwd=Path(__file__).parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    program = Program(process)
    try:
        yield program
    finally:
        if process.poll() is None:
            process.kill()
        program.end()
