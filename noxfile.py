"""Everything that CI runs: `nox` alone runs it all.

The tests run against the built wheel from an empty directory, so that they see what a user
gets and not what lies in the source tree. The sessions run side by side, one a core.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"  # `requires`, `parallel`
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_venv = "yes"
nox.options.parallel = min(os.cpu_count() or 1, 4)
nox.options.allow_parallel = True
# Which versions may be left out is decided below, and not by nox.
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).resolve().parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
DIST = ROOT / ".nox" / "dist"
# The tests, and what they look at.
TESTS = ["tests", "benchmarks", "docs", "README.md"]

CHECKED = ["trio_foundation", "tests", "benchmarks", "docs", "noxfile.py", "bootstrap.py"]


def versions() -> list[str]:
    """Return the Pythons to test on: those of the classifiers, as far as they are here.

    The oldest is never left out: a missing one is fetched, or is an error.
    """
    oldest, *newer = nox.project.python_versions(PROJECT)
    return [oldest, *filter(is_installed, newer)]


def is_installed(version: str) -> bool:
    """Return whether a command ``python3.x`` is there and works; a pyenv shim may not."""
    python = shutil.which(f"python{version}")
    return python is not None and subprocess.run([python, "-c", ""], check=False).returncode == 0


VERSIONS = versions()
OLDEST, NEWEST = VERSIONS[0], VERSIONS[-1]
# What takes long and says the same on each version of Python is run on the newest.
QUICK = "not thorough"
# Where what is around the library is another, not what it runs on: with a quarter of Hypothesis's
# examples, and of what takes real time only what such a world could change.
BRIEF = ["--hypothesis-profile", "brief"]
BRIEFLY = ["-m", f"(not realtime or everywhere) and {QUICK}", *BRIEF]
# All tests but those that look at programs, at other libraries and at the benchmarks: these have
# sessions of their own.
LIBRARY = [
    "tests",
    *(f"--ignore=tests/{name}" for name in ("examples", "comparison", "benchmarks")),
]


# The engines of supervision and messaging. Their async functions are inner ones, which wait only
# if there is something to wait for; the verbs around them, in other files, are what has to be a
# checkpoint (and entering a block is none, by contract). And they take in every end of a child,
# Cancelled included, to hand it on when all has ended; there ruff's BLE001 demands a reason of
# each line.
ENGINES = {
    "agents/_agent.py": "ASYNC910",
    "agents/_coordinator.py": "ASYNC910",
    "agents/_open.py": "ASYNC102",
    "agents/_post_office.py": "ASYNC910,ASYNC912,ASYNC913",
    "agents/_presence.py": "ASYNC103",
    "cache/_loads.py": "ASYNC910",
    "messaging/_loop.py": "ASYNC102,ASYNC910",
    "messaging/_machine.py": "ASYNC910",
    "messaging/_store.py": "ASYNC103",
    "messaging/_users_code.py": "ASYNC120",
    "registry/_listeners.py": "ASYNC103",
    "resilience/_breakers.py": "ASYNC102",
    "resilience/_call.py": "ASYNC103,ASYNC104,ASYNC120,ASYNC910",
    "resilience/_core.py": "ASYNC103,ASYNC104,ASYNC910",
    "resilience/_guard.py": "ASYNC103,ASYNC910",
    "resilience/_hedge.py": "ASYNC103,ASYNC910",
    "resilience/_watch.py": "ASYNC910,ASYNC913",
    "search/_search.py": "ASYNC103,ASYNC910",
    "search/_study.py": "ASYNC102,ASYNC120",
    "search/_trials.py": "ASYNC910",
    "supervision/_block.py": "ASYNC102,ASYNC103,ASYNC910",
    "supervision/_dynamic.py": "ASYNC910",
    "supervision/_engine.py": "ASYNC102,ASYNC103,ASYNC910",
    "supervision/_entry.py": "ASYNC103",
    "supervision/_incarnation.py": "ASYNC103,ASYNC910",
    "supervision/_process_run.py": "ASYNC102,ASYNC103,ASYNC910",
    "supervision/_report.py": "ASYNC103",
    "supervision/_sleeper.py": "ASYNC910",
    "supervision/_static.py": "ASYNC910",
    "tasks/_batch.py": "ASYNC102,ASYNC103,ASYNC104,ASYNC110,ASYNC910,ASYNC912",
    "tasks/_gather.py": "ASYNC103",
    "tasks/_map.py": "ASYNC109",
    "tasks/_owner.py": "ASYNC103",
    "tasks/_stream.py": "ASYNC102,ASYNC103,ASYNC104,ASYNC910",
    "tasks/_supervisor.py": "ASYNC102,ASYNC109",
    "tasks/_work.py": "ASYNC103,ASYNC910",
    "workflows/_open.py": "ASYNC102",
    "workflows/_saga_run.py": "ASYNC103,ASYNC910",
    "workflows/_serial.py": "ASYNC103,ASYNC910",
}


# What every session shares


@nox.session
def build(session: nox.Session) -> None:
    """Build the sdist, and from it the wheel that the other sessions install."""
    session.install("build>=1.2", *PROJECT["build-system"]["requires"])
    shutil.rmtree(DIST, ignore_errors=True)
    session.run(
        "python", "-m", "build", "--no-isolation", "--outdir", str(DIST), str(ROOT), silent=True
    )


# What users may add to the package, and the tests and the examples look at.
EXTRAS = ",".join(PROJECT["project"]["optional-dependencies"])


def install(session: nox.Session, *groups: str, wheel: bool = True, extras: str = "cli") -> None:
    """Install dependency groups of the project, and the wheel that `build` made."""
    requirements = nox.project.dependency_groups(PROJECT, *groups)
    if not wheel:
        session.install(*requirements)
        return
    (built,) = DIST.glob("*.whl")
    # The version is the one that may be installed already; the content is not.
    again = (
        ["--reinstall-package", "trio-foundation"]
        if session.venv_backend == "uv"
        else ["--force-reinstall"]
    )
    session.install(*again, f"{built}[{extras}]", *requirements)


def leave_the_source_tree(session: nox.Session, *copied: str) -> Path:
    """Go to an empty directory that holds copies of *copied*, and nothing of the package."""
    place = Path(session.create_tmp()).resolve() / "empty"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    for name in ("pyproject.toml", *copied):
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, place / name, ignore=shutil.ignore_patterns("__pycache__", "_build")
            )
        elif (ROOT / name).exists():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)
    session.chdir(place)
    return place


def pytest(session: nox.Session, *options: str, under: Iterable[str] = ("python", "-m")) -> None:
    """Run pytest on the installed package and the copied tests, and the options of the user."""
    session.run(*under, "pytest", "--installed", *options, *session.posargs)


# The tests


@nox.session(python=VERSIONS, requires=["build"])
def tests(session: nox.Session) -> None:
    """Run all tests, and all examples in docstrings, on each version of Python."""
    install(session, "test", extras=EXTRAS)
    place = leave_the_source_tree(session, *TESTS)
    everything = [*LIBRARY, "--pyargs", "trio_foundation"]
    if session.python != NEWEST:
        everything += ["-m", QUICK]
    if session.python not in (OLDEST, NEWEST):
        everything += BRIEF
    if session.python != OLDEST:
        pytest(session, *everything)
        return
    # On one version, coverage too: the promise is 100 % of what is decided, 95 % of the rest.
    session.env["COVERAGE_FILE"] = str(place / ".coverage")
    pytest(session, *everything, under=("coverage", "run", "-m"))
    if session.posargs:
        return  # part of the tests covers part of the code
    session.run("coverage", "combine", "--quiet")
    rules = "*/_rules.py,*/_rules/*"
    session.run("coverage", "report", f"--include={rules}", "--fail-under=100")
    session.run("coverage", "report", f"--omit={rules}", "--fail-under=95")


@nox.session(requires=["build"])
def tests_lowest(session: nox.Session) -> None:
    """Run the tests with the oldest dependencies that pyproject.toml allows."""
    install(session, "test")
    oldest = [one.split(";")[0].replace(">=", "==") for one in PROJECT["project"]["dependencies"]]
    session.install(*oldest)
    leave_the_source_tree(session, *TESTS)
    pytest(session, *LIBRARY, *BRIEFLY)


@nox.session(requires=["build"])
def tests_loose_groups(session: nox.Session) -> None:
    """Run the tests with ``strict_exception_groups=False``, as some programs still do."""
    install(session, "test")
    leave_the_source_tree(session, *TESTS)
    pytest(session, *LIBRARY, "--trio-run", "loose_groups", "-m", QUICK, *BRIEF)


@nox.session(requires=["build"])
def guest(session: nox.Session) -> None:
    """Run the core of the tests with Trio as a guest of asyncio."""
    install(session, "test")
    leave_the_source_tree(session, *TESTS)
    rooms = [
        "telemetry",
        "supervision",
        "agents",
        "messaging",
        "registry",
        "resilience",
        "tasks",
        "workflows",
        "cache",
        "search",
        "stories",
        "testing",
        "conformance",
    ]
    core = ["tests/test_how_tests_run.py", *(f"tests/{room}" for room in rooms)]
    pytest(session, *core, "--trio-run", "guest", *BRIEFLY)


@nox.session(requires=["build"])
def examples(session: nox.Session) -> None:
    """Run the programs of the documentation and of the README, and what its pages have typed."""
    install(session, "examples", extras=EXTRAS)
    leave_the_source_tree(session, *TESTS, "bootstrap.py", ".ci/run")
    pytest(session, "tests/examples")


@nox.session(python=NEWEST, requires=["build"])
def comparison(session: nox.Session) -> None:
    """See that each cell of the table of peers is what its test saw, of those that are here."""
    if NEWEST == OLDEST:
        session.skip(f"some of the peers need a newer Python than {OLDEST}")
    install(session, "comparison")
    leave_the_source_tree(session, *TESTS)
    session.env["PEERS_REQUIRED"] = "1"
    pytest(session, "tests/comparison", "tests/examples/test_how_to.py")


@nox.session(requires=["build"])
def soak(session: nox.Session) -> None:
    """Put the demo under load: a minute and an hour of virtual time, or ``-- --hours 4``."""
    install(session, extras="cli,plot")
    place = leave_the_source_tree(session, "tests")
    written = ["--json", str(place / "soak.json"), "--plot", str(place / "soak.png")]
    if session.posargs:
        session.run("python", "-m", "tests.soak", *written, *session.posargs)
        return
    session.run("python", "-m", "tests.soak", "--minutes", "1")
    session.run("python", "-m", "tests.soak", "--hours", "1", "--virtual", *written)


@nox.session(requires=["build"], default=False)
def mutation(session: nox.Session) -> None:
    """Change each rule in one place at a time: a test notices, or it is said why none can."""
    install(session, "mutation", extras=EXTRAS)
    leave_the_source_tree(session, "trio_foundation", *TESTS)
    session.run("python", "-m", "tests.mutation", *session.posargs)


@nox.session(requires=["build"], default=False)
def nightly(session: nox.Session) -> None:
    """Look longer: new examples of Hypothesis, a day of virtual time, every mutant of the rules."""
    install(session, "mutation", extras=EXTRAS)
    place = leave_the_source_tree(session, "trio_foundation", *TESTS)
    written = ["--json", str(place / "soak.json"), "--plot", str(place / "soak.png")]
    session.run("python", "-m", "tests.soak", "--hours", "24", "--virtual", *written)
    session.run("python", "-m", "tests.mutation")
    shutil.rmtree(place / "trio_foundation")  # from here on, what is installed
    pytest(session, *LIBRARY, "--hypothesis-profile", "nightly")


@nox.session(requires=["build"])
def bench(session: nox.Session) -> None:
    """See that each benchmark runs, in small; ``-- --peers`` and ``-- --full`` measure.

    ``-- --peers`` measures beside other libraries, each in an environment with those that it
    agrees with, and ``-- --full`` all there is. Both keep what they find, and write the page
    anew from it. With a room or ``--smoke`` behind it, they keep nothing.
    """
    what, *rest = session.posargs or [""]
    if what not in {"--peers", "--full"}:
        install(session, "test")
        leave_the_source_tree(session, *TESTS)
        session.run("python", "-m", "pytest", "--installed", "tests/benchmarks")
        session.run("python", "-m", "benchmarks", "--smoke", *session.posargs)
        return
    install(session, "bench")
    leave_the_source_tree(session, "benchmarks")
    rooms = sorted(path.stem.removeprefix("bench_") for path in Path("benchmarks").glob("bench_*"))
    asked = {option.partition(".")[0] for option in rest}
    results = None if asked & {*rooms, "--smoke"} else ROOT / "benchmarks" / "results"
    if what == "--full":
        measure_rooms(session, rooms, results)
    measure_peers(session, results)
    if results is not None:
        session.chdir(ROOT)
        session.run("python", "-m", "benchmarks", "--page")


def measure_rooms(session: nox.Session, rooms: Iterable[str], results: Path | None) -> None:
    """Measure all rooms on the oldest Python, and all but the curves on the newest."""
    for version in dict.fromkeys((OLDEST, NEWEST)):
        python = environment(session, "rooms", version)
        for room in rooms:
            if room != "scaling" or version == OLDEST:
                measure(session, python, f"{room}-{version}", results, room)


def measure_peers(session: nox.Session, results: Path | None) -> None:
    """Measure beside the peers, in each environment of benchmarks/peers.toml that can be made."""
    for name, wanted in nox.project.load_toml(ROOT / "benchmarks" / "peers.toml").items():
        version, program = wanted["python"], wanted.get("program")
        if not is_installed(version):
            session.warn(f"{name} is left out: there is no Python {version} here")
        elif program is not None and shutil.which(program) is None:
            session.warn(f"{name} is left out: there is no {program} here")
        else:
            python = environment(session, name, version, *filter(None, wanted["peers"].values()))
            measure(session, python, f"peers-{name}-{version}", results, "--environment", name)


def environment(session: nox.Session, name: str, version: str, *requirements: str) -> str:
    """Make an environment with the wheel and what else is wanted; return its Python."""
    place = DIST.parent / "peers" / f"{name}-{version}"
    session.run(f"python{version}", "-m", "venv", "--clear", str(place), external=True)
    python = str(place / ("Scripts" if os.name == "nt" else "bin") / "python")
    (built,) = DIST.glob("*.whl")
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    session.run(*install, str(built), *requirements, external=True)
    return python


def measure(
    session: nox.Session, python: str, name: str, results: Path | None, *options: str
) -> None:
    """Run benchmarks in an environment, with the options of the user; keep what is found."""
    kept = [] if results is None else ["--json", str(results / f"{name}.json")]
    run = [python, "-m", "benchmarks", *options, *session.posargs[1:], *kept]
    session.run(*run, external=True)


# The rest of the checks


@nox.session
def lint(session: nox.Session) -> None:
    """Check layout, style, docstring form, async pitfalls, spelling and pyproject.toml."""
    install(session, "lint", wheel=False)
    session.run("ruff", "format", "--check", "--diff", ".")
    session.run("ruff", "check", ".")
    # ruff has only part of the rules of flake8-async. Among the others is ASYNC9, off until
    # asked for: it demands that every async function be a checkpoint. That is our contract,
    # and no business of tests and examples. ASYNC114 and ASYNC128 do not know of a task_status
    # that is handed on.
    flake8 = ["flake8", "--isolated", "--select=ASYNC"]
    inner = " ".join(f"trio_foundation/{name}:{ENGINES[name]}" for name in ENGINES)
    strict = ["--extend-ignore=ASYNC114,ASYNC128", f"--per-file-ignores={inner}"]
    session.run(*flake8, *strict, "trio_foundation")
    examples = ["--extend-ignore=ASYNC114,ASYNC128,ASYNC124,ASYNC9"]
    session.run(*flake8, *examples, "docs")
    # The tests play children that do all they should not; what is left is plain mistakes,
    # which flake8-async finds alone in half the time.
    tests = sorted(str(file) for file in Path("tests").rglob("*.py"))
    session.run("flake8-async", "--enable=ASYNC105,ASYNC2,ASYNC3,ASYNC400", *tests)
    session.run("codespell")
    session.run("validate-pyproject", "pyproject.toml")


@nox.session(requires=["build"])
def types(session: nox.Session) -> None:
    """Check types within (mypy, pyright) and as users see them (``--verifytypes``)."""
    install(session, "types")
    present = [name for name in CHECKED if (ROOT / name).exists()]
    session.run("mypy", *present)
    session.run("pyright")
    leave_the_source_tree(session)
    session.run("pyright", "--verifytypes", "trio_foundation", "--ignoreexternal")


@nox.session(requires=["build"])
def architecture(session: nox.Session) -> None:
    """Check who imports whom: layers, rules without Trio, rooms entered by their doors."""
    install(session, "architecture")
    leave_the_source_tree(session, *TESTS)
    session.run("lint-imports", "--no-cache", "--no-logo")
    pytest(session, "tests/test_architecture.py")


@nox.session(requires=["build"])
def docs(session: nox.Session) -> None:
    """Build the documentation, where each warning is an error, and run its examples."""
    install(session, "docs")
    place = leave_the_source_tree(session, *TESTS)
    for builder in ("html", "doctest"):
        options = ["--nitpicky", "--fail-on-warning", "--keep-going", "--quiet"]
        session.run("sphinx-build", *options, "-b", builder, "docs", str(place / "out" / builder))
