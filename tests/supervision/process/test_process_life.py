"""Tests of real processes: how they start, what they write, and how they end."""

from __future__ import annotations

import logging
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from trio_foundation.supervision import (
    ChildSpec,
    ChildStartFailed,
    ChildUnstopped,
    Exit,
    ProcessEvent,
    ProcessExited,
    ProcessFailed,
    ProcessKilled,
    ProcessNotStarted,
    ProcessOutput,
    ProcessOverdue,
    ProcessStarted,
    Restart,
    RestartLimitReached,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    process_child,
    subtree,
)
from trio_foundation.telemetry import subscribe

from ._programs import DEAF, WAIT, children, descriptors, hearing, python, runs

pytestmark = [pytest.mark.realtime, pytest.mark.everywhere]

# Longer than any test, in seconds.
LONG = 60.0


def once(code: str, **options: Any) -> ChildSpec:
    options = {"restart": "temporary", "name": "once", **options}
    return process_child(python(code), **options)


async def exit_of(spec: ChildSpec) -> Exit:
    """Run a process until it ends by itself."""
    async with open_supervisor() as sup:
        return await (await sup.start_child(spec)).wait_exit()


async def lines_of(code: str, **options: Any) -> list[ProcessOutput]:
    """Return what a process writes until it ends by itself."""
    heard: list[ProcessOutput] = []
    with subscribe(heard.append, ProcessOutput):
        await exit_of(once(code, **options))
    return heard


def texts(lines: list[ProcessOutput], stream: str = "stdout") -> list[str]:
    return [one.line for one in lines if one.stream == stream]


# How it ends by itself


@pytest.mark.parametrize(
    ("code", "reason", "returncode"),
    [
        ("", "returned", 0),
        ("import sys; sys.exit(1)", "crashed", 1),
        ("import os; os._exit(255)", "crashed", 255),
        ("import os; os.kill(os.getpid(), 11)", "crashed", -11),
        ("import os; os.kill(os.getpid(), 15)", "crashed", -15),
    ],
    ids=["0", "1", "255", "SIGSEGV", "SIGTERM of somebody else"],
)
async def test_how_a_process_ends_is_how_its_child_ends(
    code: str, reason: str, returncode: int
) -> None:
    with hearing(ProcessExited) as heard:
        exit = await exit_of(once(code))
    assert exit.reason == reason
    assert [one.returncode for one in heard if isinstance(one, ProcessExited)] == [returncode]
    if returncode:
        assert isinstance(exit.error, ProcessFailed)
        assert exit.error.returncode == returncode
        assert exit.error.was_ready


async def test_the_error_keeps_the_last_lines_of_stderr() -> None:
    code = "import sys; [print(i, file=sys.stderr) for i in range(99)]; print('z' * 999, file=sys.stderr); 1/0"
    error = (await exit_of(once(code))).error
    assert isinstance(error, ProcessFailed)
    assert len(error.stderr) == 20
    assert error.stderr[-1] == "ZeroDivisionError: division by zero"
    assert "z" * 500 in error.stderr
    assert "98" in error.stderr
    assert "ZeroDivisionError" in str(error)


async def test_a_process_that_fails_is_started_again_until_the_limit_is_spent() -> None:
    spec = process_child(["sh", "-c", "echo no >&2; exit 3"])
    with hearing(ProcessStarted) as started, pytest.raises(RestartLimitReached) as given_up:
        async with open_supervisor([spec], max_restarts=3):
            await trio.sleep(LONG)
    assert len(started) == 4
    assert isinstance(given_up.value.__cause__, ProcessFailed)
    assert given_up.value.__cause__.stderr == ("no",)
    assert not children()


@pytest.mark.parametrize(("restart", "is_back"), [("permanent", True), ("transient", False)])
async def test_a_process_that_ends_well_is_started_again_if_it_is_permanent(
    restart: Restart, is_back: bool
) -> None:
    async with open_supervisor(max_restarts=1_000) as sup:
        process = await sup.start_child(process_child(["true"], restart=restart))
        with process.monitor() as exits:
            assert (await exits.receive()).reason == "returned"
        await trio.testing.wait_all_tasks_blocked()
        assert (process.restarts > 0) is is_back


# How it starts


async def test_it_is_ready_once_it_runs_and_its_value_is_its_pid() -> None:
    async with open_supervisor() as sup:
        process = await sup.start_child(process_child(["sleep", "1000"]))
        assert process.value in children()
        assert f"sleep  running, incarnation 1: pid {process.value}" in str(sup.snapshot())
        await sup.stop_child("sleep")
        assert process.status is None
        assert not children()


@pytest.mark.parametrize(
    ("code", "ready_when"),
    [
        ("print('one'); print('it is ready now')", "ready"),
        ("import sys; print('ready', file=sys.stderr)", "ready"),
        ("print('one'); print('two', end='')", "two".__eq__),
    ],
    ids=["stdout", "stderr", "function"],
)
async def test_it_is_ready_when_it_says_so(
    code: str, ready_when: str | Callable[[str], bool]
) -> None:
    exit = await exit_of(once(code, ready_when=ready_when))
    assert exit.reason == "returned"


async def test_a_process_that_ends_without_having_been_ready_has_failed_to_start() -> None:
    with pytest.raises(ChildStartFailed, match="exit code 0 before it was ready: no line of it"):
        await exit_of(once("print('steady')", ready_when="ready"))


async def test_one_that_is_not_ready_in_time_is_stopped() -> None:
    spec = once("import time; time.sleep(1000)", ready_when="ready", ready_within=0.1)
    with hearing(ProcessExited) as heard, pytest.raises(ChildStartFailed, match="not ready within"):
        await exit_of(spec)
    assert len(heard) == 1
    assert not children()


async def test_one_that_is_not_ready_in_time_and_deaf_is_killed() -> None:
    with hearing(ChildUnstopped) as unstopped, pytest.raises(ChildStartFailed) as failed:
        await exit_of(once(DEAF, ready_when="never", ready_within=0.2, grace=0.1))
    assert isinstance(failed.value.__cause__, trio.TooSlowError)
    assert isinstance(failed.value.__cause__.__cause__, ProcessKilled)
    assert not unstopped
    assert not children()


async def test_what_ready_when_raises_is_the_crash_of_the_child() -> None:
    def broken(line: str) -> bool:
        raise ValueError(line)

    with pytest.raises(ChildStartFailed) as failed:
        await exit_of(once(WAIT, ready_when=broken))
    assert isinstance(failed.value.__cause__, ValueError)
    assert not children()


async def test_an_interrupt_in_ready_when_stops_everything() -> None:
    def interrupted(line: str) -> bool:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await exit_of(once(WAIT, ready_when=interrupted))
    assert not children()


@pytest.mark.parametrize(
    ("command", "cwd", "message"),
    [
        (["nonesuch", "-x"], None, "'nonesuch -x' could .*: No such file .*; 'nonesuch' is looked"),
        (["./nonesuch"], ".", r"in directory '\.': No such file or directory$"),
        (["true"], "nonesuch", "in directory 'nonesuch': the directory cannot be entered: No such"),
        (["./text"], None, "Exec format error"),
        (["./script"], None, r"'\./script' is there, but not the interpreter that its first line"),
        (["./plain"], None, "Permission denied"),
        (["true", "x" * 3_000_000], None, "Argument list too long"),
    ],
    ids=["program", "path", "directory", "format", "interpreter", "permission", "length"],
)
async def test_what_cannot_be_started_is_told_with_its_command_and_directory(
    command: list[str],
    cwd: str | None,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    make_files_that_are_no_programs()
    open_before = descriptors()
    with pytest.raises(ChildStartFailed, match=message) as failed:
        await exit_of(process_child(command, cwd=cwd, restart="temporary"))
    error = failed.value.__cause__
    assert isinstance(error, ProcessNotStarted)
    assert (error.command, error.cwd) == (tuple(command), cwd)
    assert isinstance(error.__cause__, OSError)
    assert descriptors() == open_before


def make_files_that_are_no_programs() -> None:
    Path("plain").write_text("x")
    Path("text").write_text("no program")
    Path("text").chmod(0o700)
    Path("script").write_text("#!/nonesuch/python")
    Path("script").chmod(0o700)


async def test_a_script_that_is_found_but_not_its_interpreter_is_told(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/nonesuch/python")
    script.chmod(0o700)
    with pytest.raises(ChildStartFailed, match=f"'{script}' is there, but not the interpreter"):
        await exit_of(process_child(["script"], env={"PATH": str(tmp_path)}))


@contextmanager
def handler_of_sigchld(handler: Callable[..., object] | signal.Handlers) -> Generator[None]:
    before = signal.signal(signal.SIGCHLD, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


async def test_where_the_system_would_not_tell_how_it_ends_it_is_not_started() -> None:
    # Popen says 0 then, so each crash would be a normal end.
    with handler_of_sigchld(signal.SIG_IGN), pytest.raises(ChildStartFailed) as failed:
        await exit_of(once("raise SystemExit(3)"))
    assert "write signal.signal(signal.SIGCHLD, signal.SIG_DFL)" in str(failed.value)
    assert isinstance(failed.value.__cause__, ProcessNotStarted)
    assert isinstance(failed.value.__cause__.__cause__, ChildProcessError)


@pytest.mark.parametrize("when", [ProcessStarted, ProcessOutput], ids=["before we wait", "later"])
async def test_a_process_that_somebody_else_has_collected_has_failed(
    when: type[ProcessEvent],
) -> None:
    def collect(event: ProcessEvent) -> None:
        os.kill(event.pid, signal.SIGTERM)
        os.waitpid(event.pid, 0)

    with subscribe(collect, when):
        exit = await exit_of(once(WAIT))
    assert exit.reason == "crashed"
    assert isinstance(exit.error, ProcessFailed)
    assert exit.error.returncode == 255
    assert "255 is made up: something else" in exit.error.__notes__[0]


async def test_it_runs_where_and_with_what_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEPT", "kept")
    monkeypatch.setenv("GONE", "gone")
    code = "import os; e = os.environ.get; print(os.getcwd(), e('KEPT'), e('GONE'), e('NEW'))"
    lines = await lines_of(code, cwd=tmp_path, env={"GONE": None, "NEW": "new"})
    assert texts(lines) == [f"{tmp_path} kept None new"]


async def test_its_stdin_is_empty_and_ctrl_c_does_not_reach_it() -> None:
    code = "import os, sys; print(repr(sys.stdin.read()), os.getsid(0) == os.getpid())"
    assert texts(await lines_of(code)) == ["'' True"]


async def test_it_may_be_a_child_of_any_supervisor() -> None:
    spec = process_child(["sleep", "1000"])
    inner = subtree([spec, spec], name="inner", strategy="one_for_all")
    async with open_supervisor([inner, dynamic_subtree(name="jobs")], name="app") as sup:
        jobs = sup.children["jobs"].value
        await jobs.start_child(spec)
        async with open_dynamic_supervisor(name="more") as more:
            await more.start_child(spec)
            await more.start_child(spec)
            assert len(children()) == 5
        inside = sup.children["inner"].value.children
        assert list(inside) == ["sleep", "sleep-2"]
        os.kill(inside["sleep"].value, signal.SIGKILL)
        second = await inside["sleep-2"].wait_exit()
        assert second.reason == "stopped"
    assert not children()


# What it writes


async def test_what_it_writes_is_told_line_by_line() -> None:
    code = (
        "import sys; o = sys.stdout.buffer; e = sys.stderr.buffer\n"
        "o.write(b'one\\n\\nf\\xc3\\xbcr\\r\\n'); e.write(b'f\\xfcr\\n'); o.write(b'the end')"
    )
    with hearing() as heard:
        await exit_of(once(code))
    lines = [one for one in heard if isinstance(one, ProcessOutput)]
    assert texts(lines) == ["one", "", "für", "the end"]
    assert texts(lines, "stderr") == ["f\N{REPLACEMENT CHARACTER}r"]
    assert {(one.supervisor, one.child, one.incarnation) for one in lines} == {
        ("supervisor", "once", 1)
    }
    assert isinstance(heard[0], ProcessStarted)
    assert isinstance(heard[-1], ProcessExited)
    assert {getattr(one, "pid", None) for one in heard} == {heard[0].pid}


async def test_a_line_without_an_end_comes_in_pieces() -> None:
    lines = await lines_of("import sys; sys.stdout.write('x' * 150_000); print('end')")
    assert [(len(one.line), one.goes_on) for one in lines] == [
        (65_536, True),
        (65_536, True),
        (18_931, False),
    ]


async def test_a_process_that_closes_its_pipes_runs_on() -> None:
    code = "import os, sys, time\nprint('ready')\nos.close(1); os.close(2)\ntime.sleep(1000)"
    async with open_supervisor() as sup:
        process = await sup.start_child(once(code, ready_when="ready"))
        with trio.move_on_after(0.05):
            await process.wait_exit()
        assert process.state == "running"
        assert runs(process.value)
    assert not children()


@pytest.mark.parametrize(
    ("portion", "count"),
    [("b'x' * 4_999 + b'\\n'", 10_000), ("b'x' * 50_000", 1_000), ("b'\\n' * 999", 20)],
    ids=["lines", "one line", "empty lines"],
)
async def test_a_flood_takes_no_memory_and_leaves_others_their_turn(
    portion: str, count: int
) -> None:
    size = peak = turns = 0
    before = resident()

    def listen(event: ProcessOutput) -> None:
        nonlocal size, peak
        size += len(event.line) + (not event.goes_on)
        if not event.line or size % 100 == 0:
            peak = max(peak, resident())

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    with subscribe(listen, ProcessOutput):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(take_turns)
            code = f"import sys\nfor _ in range({count}): sys.stdout.buffer.write({portion})"
            exit = await exit_of(once(code))
            nursery.cancel_scope.cancel()
    assert exit.reason == "returned"
    assert size - 1 <= len(eval(portion)) * count <= size  # noqa: S307  it is ours
    assert peak - before < 20_000_000
    assert turns > len(eval(portion)) * count / 65_536  # noqa: S307


def resident() -> int:
    """Return how much memory this process has, in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_a_flood_that_nobody_listens_to_holds_nothing_up() -> None:
    code = "import sys\nfor _ in range(500): sys.stderr.write('x' * 99_999 + '\\n')\nsys.exit(1)"
    error = (await exit_of(once(code))).error
    assert isinstance(error, ProcessFailed)
    assert len(error.stderr) == 20


async def test_a_slow_listener_hears_the_last_line() -> None:
    heard: list[str] = []

    def listen(event: ProcessOutput) -> None:
        time.sleep(0.004)
        heard.append(event.line)

    with subscribe(listen, ProcessOutput):
        await exit_of(once("for i in range(100): print(i)"))
    assert heard == [str(number) for number in range(100)]


async def test_a_program_that_was_busy_hears_the_last_line() -> None:
    # All of it is in the pipe when the process ends, and takes several turns to read.
    code = (
        "import fcntl, os\n"
        "fcntl.fcntl(1, fcntl.F_SETPIPE_SZ, 1 << 20)\n"
        "os.write(1, (b'x' * 999 + b'\\n') * 200)"
    )
    with hearing(ProcessOutput) as heard:
        async with open_supervisor() as sup, trio.open_nursery() as nursery:
            await sup.start_child(once(code))

            async def be_busy() -> None:
                while not heard:
                    await trio.lowlevel.checkpoint()
                for _ in range(5):
                    time.sleep(0.21)  # noqa: ASYNC251  that is the point
                    await trio.lowlevel.checkpoint()

            nursery.start_soon(be_busy)
    assert len(heard) == 200


# How it is stopped


async def test_a_stop_is_sigterm_and_whatever_it_exits_with_is_a_stop() -> None:
    code = (
        "import signal, sys\n"
        "def end(*_): print('goodbye'); sys.exit(3)\n"
        f"signal.signal(signal.SIGTERM, end)\n{WAIT}"
    )
    with hearing() as heard:
        async with open_supervisor() as sup:
            process = await sup.start_child(once(code, ready_when="ready"))
    exit = process.last_exit
    assert exit is not None
    assert (exit.reason, exit.error) == ("stopped", None)
    assert [one.line for one in heard if isinstance(one, ProcessOutput)] == ["ready", "goodbye"]
    last = heard[-1]
    assert isinstance(last, ProcessExited)
    assert (last.returncode, last.was_told) == (3, True)


async def test_a_deaf_process_is_killed_after_its_grace(caplog: pytest.LogCaptureFixture) -> None:
    with hearing(ProcessOverdue, ChildUnstopped) as heard:
        async with open_supervisor() as sup:
            process = await sup.start_child(once(DEAF, ready_when="ready", grace=0.1))
            before = trio.current_time()
        took = trio.current_time() - before
    exit = process.last_exit
    assert exit is not None
    assert exit.reason == "stopped"
    assert isinstance(exit.error, ProcessKilled)
    assert (exit.error.pid, exit.error.grace) == (process.value, 0.1)
    assert 0.1 <= exit.error.after <= took
    assert [type(one) for one in heard] == [ProcessOverdue]
    assert [one.levelno for one in caplog.records] == [logging.WARNING]


async def test_without_grace_it_is_killed_at_once_and_that_is_no_error() -> None:
    with hearing(ProcessOverdue, ChildUnstopped) as heard:
        async with open_supervisor() as sup:
            process = await sup.start_child(once(DEAF, ready_when="ready", grace=0))
    assert process.last_exit is not None
    assert (process.last_exit.reason, process.last_exit.error) == ("stopped", None)
    assert not heard


async def test_a_supervisor_that_is_out_of_time_has_it_killed() -> None:
    spec = once(DEAF, ready_when="ready", grace=LONG)
    with hearing(ProcessExited) as heard:
        async with open_supervisor([subtree([spec], name="inner", grace=0.1)]) as sup:
            process = sup.children["inner"].value.children["once"]
    assert len(heard) == 1
    assert process.last_exit is not None
    assert isinstance(process.last_exit.error, ProcessKilled)
    assert "a supervisor above had no time left" in str(process.last_exit.error)
    assert not children()


async def test_it_can_be_stopped_while_it_starts() -> None:
    spec = once(WAIT, ready_when="never")
    started = trio.Event()
    async with open_dynamic_supervisor() as sup, trio.open_nursery() as nursery:

        async def start() -> None:
            with pytest.raises(ChildStartFailed):
                await sup.start_child(spec)

        with subscribe(lambda _: started.set(), ProcessStarted):
            nursery.start_soon(start)
            await started.wait()
        exit = await sup.stop_child("once")
        assert exit is not None
        assert (exit.reason, exit.error) == ("stopped", None)
        assert not children()


async def test_a_stop_does_not_wait_for_a_start_that_waits_for_a_thread() -> None:
    limiter = trio.to_thread.current_default_thread_limiter()
    limiter.total_tokens = 1
    await limiter.acquire_on_behalf_of(limiter)
    async with open_dynamic_supervisor() as sup, trio.open_nursery() as nursery:

        async def start() -> None:
            with pytest.raises(ChildStartFailed, match="it was stopped"):
                await sup.start_child(process_child(["true"], name="it", grace=math.inf))

        nursery.start_soon(start)
        await trio.testing.wait_all_tasks_blocked()
        with trio.fail_after(LONG):
            await sup.stop_child("it")
    assert not children()


async def test_a_start_that_nobody_waits_for_any_more_leaves_no_process() -> None:
    spec = once(WAIT, ready_when="never")
    with hearing(ProcessExited) as heard, trio.CancelScope() as scope:
        with subscribe(lambda _: scope.cancel(), ProcessStarted):
            async with open_supervisor([spec]):
                pytest.fail("it is not ready")
    assert len(heard) == 1
    assert not children()


async def test_it_goes_on_being_read_while_it_is_stopped() -> None:
    # What it writes last is more than a pipe holds.
    code = (
        "import signal, sys\n"
        "def end(*_): sys.stdout.write('x' * 1_000_000); sys.exit()\n"
        f"signal.signal(signal.SIGTERM, end)\n{WAIT}"
    )
    with hearing(ProcessOutput) as heard:
        async with open_supervisor([once(code, ready_when="ready")]):
            pass
    assert sum(len(one.line) for one in heard if isinstance(one, ProcessOutput)) == 1_000_005


# What it leaves behind: nothing

FORK = "import os, time, signal\nif os.fork(): {parent}\nelse: {child}"


@pytest.mark.parametrize("parent", ["pass", "time.sleep(1000)"], ids=["it ends", "it is stopped"])
async def test_what_is_left_of_its_group_is_killed(parent: str) -> None:
    # The grandchild holds the pipes, and is deaf.
    deaf = "signal.signal(15, 1); os.write(1, b'%d\\n' % os.getpid()); time.sleep(1000)"
    code = FORK.format(parent=parent, child=deaf)
    ready: dict[str, Any] = {"ready_when": str.isdigit} if parent != "pass" else {}
    with hearing(ProcessOutput) as heard:
        async with open_supervisor() as sup:
            process = await sup.start_child(once(code, **ready))
            if not ready:
                await process.wait_exit()
    for one in heard:
        assert isinstance(one, ProcessOutput)
        # It is nobody's child any more, so nobody can wait for it.
        while runs(int(one.line)):  # noqa: ASYNC110
            await trio.sleep(0.001)


@pytest.mark.parametrize(
    "busy",
    [
        "time.sleep(1000)",
        "[os.write(1, b'x' * 9999) for _ in range(10**9)]",
        "[(os.write(1, b'x'), time.sleep(0.05)) for _ in range(10**9)]",
    ],
    ids=["silent", "busy", "now and then"],
)
async def test_one_that_has_left_its_group_does_not_hold_it_up(busy: str) -> None:
    child = f"os.setsid(); os.write(1, b'%d\\n' % os.getpid()); os.kill(os.getppid(), 9); {busy}"
    code = FORK.format(parent="time.sleep(1000)", child=child)
    pids: list[int] = []

    def listen(event: ProcessOutput) -> None:
        if event.line.isdigit():
            pids.append(int(event.line))

    with subscribe(listen, ProcessOutput):
        exit = await exit_of(once(code))
    assert isinstance(exit.error, ProcessFailed)
    assert exit.error.signal == "SIGKILL"
    assert exit.ran_for < 5.0
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            assert "x" in busy  # by the pipe, which nobody reads any more


async def test_without_pidfds_it_ends_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    assert (await exit_of(once("print(1)"))).reason == "returned"
    async with open_supervisor() as sup:
        process = await sup.start_child(once(DEAF, ready_when="ready", grace=0.05))
    assert process.last_exit is not None
    assert isinstance(process.last_exit.error, ProcessKilled)
    assert not children()


async def test_even_a_fault_of_the_library_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(pid: int) -> int:
        return 1_000_000

    monkeypatch.setattr(os, "pidfd_open", broken)
    exit = await exit_of(once(DEAF, grace=0.01))
    assert exit.reason == "crashed"
    assert not children()


async def test_fifty_processes_leave_no_descriptor_and_no_zombie() -> None:
    before = descriptors()
    async with open_supervisor(max_restarts=0) as sup:
        for _ in range(25):
            await sup.start_child(process_child(["sleep", "1000"], name="idle"))
            await sup.stop_child("idle")
            sup.delete_child("idle")
            ended = await sup.start_child(process_child(["true"], name="it", restart="temporary"))
            await ended.wait_exit()
        assert not children()
        assert descriptors() <= before + 2  # the threads of Trio, which it keeps
    assert not children()


def test_ctrl_c_reaches_the_program_which_stops_its_processes() -> None:
    program = (
        "import sys, trio\n"
        "from trio_foundation.supervision import open_supervisor, process_child, ProcessExited\n"
        "from trio_foundation.telemetry import subscribe\n"
        "async def main():\n"
        "    with subscribe(lambda event: print(event.end, flush=True), ProcessExited):\n"
        "        async with open_supervisor([process_child(['sleep', '1000'])]):\n"
        "            print('ready', flush=True)\n"
        "            await trio.sleep_forever()\n"
        "trio.run(main)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        os.killpg(process.pid, signal.SIGINT)  # what a terminal does
        out, err = process.communicate(timeout=30)
    assert out == "SIGTERM\n"
    assert err.rstrip().endswith("KeyboardInterrupt")
