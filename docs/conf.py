"""How the documentation is built: every backquoted name is a link, and a dead link an error.

No network is needed. The names of Python and Trio that the texts refer to are listed in
``inventories/``; a name that is on no list is a warning, and so an error.
"""

from __future__ import annotations

import importlib
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from pkgutil import walk_packages

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.domains.python import PythonDomain
from sphinx.environment import BuildEnvironment
from sphinx.pycode import ModuleAnalyzer
from sphinx.util import logging

import trio_foundation

HERE = Path(__file__).parent
logger = logging.getLogger("trio_foundation")

# What the reference describes: the package and its rooms, each by its door.
DOORS = [
    "trio_foundation",
    *(
        f"trio_foundation.{path.parent.name}"
        for path in sorted(Path(trio_foundation.__file__).parent.glob("[!_]*/__init__.py"))
    ),
]
PRIVATE_CLASSES: dict[str, set[str]] = {}
HOMES = {name: door for door in DOORS for name in importlib.import_module(door).__all__}

project = "trio_foundation"
author = "The trio_foundation authors"
copyright = "2026, the trio_foundation authors"  # noqa: A001  Sphinx's word
release = version = trio_foundation.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.doctest",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "sphinxcontrib_trio",
    "myst_parser",
]
exclude_patterns = ["_build", "news", "examples", "inventories"]
html_theme = "furo"
html_title = "trio_foundation"
html_static_path = ["_static"]
html_css_files = ["site.css"]

default_role = "py:obj"
nitpicky = True
nitpick_ignore_regex = [
    # Type variables: Sphinx shows them, and has no place to link them to.
    (r"py:(class|obj)", r"(.*\.~?)?([A-Z]|\w*T\d*|\w+_co|\w+_contra)"),
]

autodoc_use_legacy_class_based = True  # sphinxcontrib-trio builds on those classes
autodoc_default_options = {
    "members": True,
    "show-inheritance": True,
    # What a class has from a private base class is its own, as users see it. Below these
    # names it is not.
    "inherited-members": ", ".join(
        ["object", "BaseException", "Exception", "dict", "Generic", "Mapping", "Sequence", *HOMES]
    ),
}
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
napoleon_numpy_docstring = False
napoleon_custom_sections = ["Cancellation", ("Emits", "params_style")]

# An example sees what its door exports; whatever else it needs, it imports.
doctest_global_setup = "\n".join(f"from {door} import *" for door in DOORS)


def compiled_inventory(name: str) -> str:
    """Return the path of ``inventories/<name>.txt``, compiled for intersphinx."""
    lines = (HERE / "inventories" / f"{name}.txt").read_text("utf-8").splitlines()
    entries: list[str] = []
    for line in lines:
        if line and not line.startswith("#"):
            role, entry, uri = line.split()
            entries.append(f"{entry} py:{role} 1 {uri} -\n")
    compiled = HERE / "_build" / "inventories" / f"{name}.inv"
    compiled.parent.mkdir(parents=True, exist_ok=True)
    header = f"# Sphinx inventory version 2\n# Project: {name}\n# Version: \n"
    about = "# The remainder of this file is compressed using zlib.\n"
    compiled.write_bytes((header + about).encode() + zlib.compress("".join(entries).encode()))
    return str(compiled)


intersphinx_mapping = {
    "python": ("https://docs.python.org/3", compiled_inventory("python")),
    "attrs": ("https://www.attrs.org/en/stable", compiled_inventory("attrs")),
    "trio": ("https://trio.readthedocs.io/en/stable", compiled_inventory("trio")),
    "hypothesis": ("https://hypothesis.readthedocs.io/en/latest", compiled_inventory("hypothesis")),
}


def describe_doors_with_the_comments_behind_them(_: Sphinx) -> None:
    """Let Sphinx find the docstrings of fields.

    It looks for them in the file of the module that a class says it lives in. That is the
    door, and the class is written in a file behind it.
    """
    for door in DOORS:
        analyzer = ModuleAnalyzer.for_module(door)
        analyzer.analyze()
        for behind in modules_behind(door):
            other = ModuleAnalyzer.for_module(behind)
            other.analyze()
            for found in ("annotations", "attr_docs", "overloads", "tagorder"):
                merged = getattr(analyzer, found)
                merged.update(getattr(other, found))
            private = PRIVATE_CLASSES.setdefault(door, set())
            private.update(name for name in other.tagorder if HOMES.get(name) != door)


def modules_behind(door: str) -> Iterator[str]:
    """Yield the private modules whose names a door exports."""
    package = importlib.import_module(door)
    for module in walk_packages(package.__path__, f"{door}."):
        if module.name.removeprefix(door).startswith("._"):
            yield module.name


def keep_napoleon_from_reading_types(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Keep "The code: 0 if..." from being read as "type: text", as ours are in signatures.

    The line put before the text is an escaped line end: nothing, and without a colon.
    """
    if what in {"attribute", "data", "property"}:
        lines.insert(0, "\\")
    for number, line in enumerate(lines):
        if line in {"Returns:", "Yields:"}:
            lines.insert(number + 1, "    \\")


def is_private(name: str) -> bool:
    """Return whether a dotted name is one of ours, behind a door."""
    return bool(re.match(r"trio_foundation\.(\w+\.)*_", name))


def leave_out_private_bases(
    app: Sphinx, name: str, thing: object, options: object, bases: list[type]
) -> None:
    """Show no base class that nobody can import."""
    bases[:] = [base for base in bases if not is_private(f"{base.__module__}.{base.__qualname__}")]
    bases[:] = bases or [object]


def leave_out_constructors(  # noqa: PLR0913, PLR0917  Sphinx calls it so
    app: Sphinx, what: str, name: str, thing: object, options: object, signature: str, returns: str
) -> tuple[str, str] | None:
    """Return empty words for a constructor that takes what only the library has."""
    if what != "class" or not isinstance(thing, type):
        return None
    init: object = getattr(thing, "__init__", None)
    hints = getattr(init, "__annotations__", {}).values()
    words = {word for hint in hints for word in re.findall(r"\w+", str(hint))}
    return ("", "") if words & PRIVATE_CLASSES.get(thing.__module__, set()) else None


def find_by_home(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, contnode: nodes.TextElement
) -> nodes.reference | None:
    """Return a link for a name of another room, given without its path: it has one home.

    Or with a path that leads past the door: some annotations were made before the class
    moved to its home.
    """
    target = node.get("reftarget", "")
    if is_private(target):
        target = re.sub(r".*\._\w+\.", "", target)
    first, _, rest = target.partition(".")
    if node.get("refdomain") != "py" or first not in HOMES:
        return None
    domain = env.domains["py"]
    home = f"{HOMES[first]}.{first}" + (f".{rest}" if rest else "")
    found: nodes.reference | None = domain.resolve_xref(
        env, node["refdoc"], app.builder, "obj", home, node, contnode
    )
    return found


def miss_what_is_left_out(_: Sphinx, env: BuildEnvironment) -> None:
    """Warn of a public name that no page of the reference describes."""
    domain = env.domains["py"]
    assert isinstance(domain, PythonDomain)
    for name, door in HOMES.items():
        if f"{door}.{name}" not in domain.objects and not name.startswith("__"):
            logger.warning("%s.%s has no place in docs/reference", door, name)


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("builder-inited", describe_doors_with_the_comments_behind_them)
    app.connect("autodoc-process-docstring", keep_napoleon_from_reading_types, priority=400)
    app.connect("autodoc-process-bases", leave_out_private_bases)
    app.connect("autodoc-process-signature", leave_out_constructors)
    app.connect("missing-reference", find_by_home)
    app.connect("env-check-consistency", miss_what_is_left_out)
