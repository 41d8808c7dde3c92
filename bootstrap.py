"""Set up what a command needs, and run the command.

    python3 bootstrap.py demo  [PATH] [options of the demo]
    python3 bootstrap.py check [options of nox]

A machine with only Python 3.11 (or newer) and its `venv` module is enough. Each command
gets a virtual environment of its own under ``.bootstrap/``; it is made once and used
again until the project's requirements change. Nothing outside this directory is touched,
but for pip's and uv's own caches. Settings for pip in the environment (PIP_INDEX_URL…)
hold for uv, too.
"""

import sys

# Above everything else: an older Python can read this file, but not run the rest of it. So
# no `match` and no `:=` in here.
if sys.version_info < (3, 11):  # noqa: UP036 - this file also runs where nothing is installed
    sys.exit(
        f"trio_foundation needs Python 3.11 or newer, and {sys.executable} is Python {sys.version.split()[0]}.\n"
        "Name a newer one: python3.11 bootstrap.py ..."
    )

import hashlib
import os
import shutil
import subprocess
import venv
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent
HOME = ROOT / ".bootstrap"

# The demo runs from the source tree, so that an edit shows at once.
DEMO = ["--editable", f"{ROOT}[cli]"]
CHECK = ["nox==2026.10.20", "uv==0.13.9", "virtualenv>=20.30"]

USAGE = "usage: python3 bootstrap.py {demo,check} [options of the demo, or of nox]"

# uv does not read pip's settings. Where the user has made them in the environment, and none
# for uv, uv gets them in its own words.
UV_WORD_FOR = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_CERT": "SSL_CERT_FILE",
}


def main() -> int:
    """Run the command that the command line names; return its exit code."""
    command, *options = sys.argv[1:] or [""]
    if command == "demo":
        python = environment("demo", DEMO)
        return run([python, "-m", "trio_foundation", "demo", *options], os.environ)
    if command == "check":
        python = environment("check", CHECK)
        nox = [python, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), *options]
        return run(nox, with_every_python(with_settings_for_uv(os.environ), python))
    if command in {"-h", "--help"}:
        print(__doc__)
        return 0
    print(USAGE, file=sys.stderr)
    return 2


def environment(name: str, requirements: list[str]) -> str:
    """Return the Python of the virtual environment *name*, made or renewed if need be."""
    place = HOME / name
    python = place / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = place / "made-for"
    made_for = fingerprint(place, requirements)
    if stamp.exists() and stamp.read_text() == made_for and python.exists():
        return str(python)
    print(f"Setting up {place.relative_to(ROOT)} (once)", file=sys.stderr, flush=True)
    HOME.mkdir(exist_ok=True)
    (HOME / ".gitignore").write_text("*\n")
    # Whatever an interrupted run or another Python left there goes: half a virtual
    # environment is worse than none.
    shutil.rmtree(place, ignore_errors=True)
    try:
        venv.create(place, with_pip=True)
    except subprocess.CalledProcessError:
        sys.exit(
            f"{sys.executable} has no working venv module: on Debian, apt install python3-venv"
        )
    install = [str(python), "-m", "pip", "install", "--quiet", *requirements]
    code = subprocess.run(install, check=False).returncode
    if code:
        print("The packages could not be installed; pip's message is above.", file=sys.stderr)
        sys.exit(code)
    stamp.write_text(made_for)  # last, so that only a finished environment has it
    return str(python)


def fingerprint(place: Path, requirements: list[str]) -> str:
    """Return a text that changes when the environment at *place* has to be made again."""
    project = hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest()
    # The place counts, since a virtual environment does not survive being moved.
    return "\n".join(
        [sys.version, os.path.realpath(sys.executable), str(place), project, *requirements]
    )


def with_settings_for_uv(env: Mapping[str, str]) -> dict[str, str]:
    """Return *env* with the user's settings for pip also said in uv's words."""
    said = {uv: env[pip] for pip, uv in UV_WORD_FOR.items() if pip in env and uv not in env}
    if "UV_FIND_LINKS" in said:
        said["UV_FIND_LINKS"] = ",".join(said["UV_FIND_LINKS"].split())
    if "UV_INDEX" in said:
        said.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # that is what pip does
    return {**env, **said}


def with_every_python(env: Mapping[str, str], python: str) -> dict[str, str]:
    """Return *env* with every Python that pyenv has installed on the PATH, for nox to find."""
    pyenv = Path(env.get("PYENV_ROOT", Path.home() / ".pyenv"))
    installed = sorted(str(place) for place in pyenv.glob("versions/3.*/bin"))
    # Before the rest of the PATH, whose `python3.12` may be a pyenv shim that only says no.
    path = [str(Path(python).parent), *installed, env.get("PATH", os.defpath)]
    return {**env, "PATH": os.pathsep.join(path)}


def run(command: list[str], env: Mapping[str, str]) -> int:
    """Become *command*, so that signals reach it and nothing else."""
    if os.name == "posix":
        sys.stdout.flush()
        os.execve(command[0], command, env)
    return subprocess.run(command, env=env, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("\nInterrupted. The same command begins again.", file=sys.stderr)
        sys.exit(130)
