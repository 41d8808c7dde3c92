"""What is demanded of every public name, read off the source.

The source is read rather than imported: so fields have their docstrings, a class that
moved home is still found where it is written, and a check can be tried on a few lines of
bad code. A demand returns complaints; each says what to write, and where.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from inspect import cleandoc
from pathlib import Path

import attrs

__all__ = ["DEMANDS", "Package", "Public", "complaints_about_homes"]

# The closed list: whoever adds an argument that is a time gives it one of these names, or
# adds the name here.
TIMES = frozenset(
    {
        "after", "attempt_timeout", "deadline", "delay", "delivery_timeout", "duration",
        "ended_at", "every", "grace", "handled_for", "initial", "max_age", "maximum", "negative_ttl", "now",
        "opened_at", "per", "probe_timeout", "queued_for", "ran_for", "ready_within",
        "reset_after", "reset_timeout", "retry_after", "running_for", "seconds", "since",
        "slow_after", "stale_for", "started_at", "timeout", "total", "trial_timeout", "ttl",
        "undo_timeout", "within",
    }
)  # fmt: skip

# Floats that are no times.
NUMBERS = frozenset(
    {
        "a", "attempts", "b", "best", "buffer", "count", "crash_rate", "drain_rate", "factor",
        "failure_rate", "growth", "iterations", "jitter", "limit", "max_breakers", "max_children",
        "max_restarts",
        "max_tasks", "max_waiting", "parallelism", "rate", "ratio", "score", "share", "step",
        "unit", "value", "window",
    }
)  # fmt: skip

# Special methods that users call with words of their own, or await: the class speaks for them.
SPOKEN_FOR = frozenset(
    {
        "__aenter__", "__aexit__", "__anext__", "__attrs_post_init__", "__call__", "__enter__",
        "__exit__", "__getitem__", "__init__", "__new__",
    }
)  # fmt: skip

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign


# Reading


@attrs.define(eq=False)
class Package:
    """The source of a package whose public subpackages are rooms, each with a door."""

    path: Path
    name: str

    @cached_property
    def doors(self) -> dict[str, list[str]]:
        """The names that each door exports: those in its ``__all__``."""
        found = {self.name: exported(self.path / "__init__.py")}
        for path in sorted(self.path.iterdir()):
            room = path.stem
            if room.startswith("_") or not (
                path.suffix == ".py" or (path / "__init__.py").exists()
            ):
                continue
            door = path if path.suffix == ".py" else path / "__init__.py"
            found[f"{self.name}.{room}"] = exported(door)
        return found

    @cached_property
    def definitions(self) -> dict[str, dict[str, Definition]]:
        """What is defined at the top of each file; the file as a dotted path."""
        return {
            self.dotted(path): dict(defined(ast.parse(path.read_text("utf-8"))))
            for path in sorted(self.path.rglob("*.py"))
        }

    @cached_property
    def publics(self) -> list[Public]:
        """Every exported name that is defined in this package, dunders aside."""
        return [
            Public(self, door, name, *self.find(door, name))
            for door, names in self.doors.items()
            for name in names
            if not name.startswith("__")
        ]

    def dotted(self, path: Path) -> str:
        """Return the name by which the file at *path* is imported."""
        parts = path.relative_to(self.path).with_suffix("").parts
        return ".".join([self.name, *(part for part in parts if part != "__init__")])

    def find(self, door: str, name: str) -> tuple[str, Definition | None]:
        """Return where the definition of *name* is, and the definition.

        What a room exports is written in the room; what the package itself exports is
        written in one of its private rooms.
        """
        for module, definitions in self.definitions.items():
            top = door == self.name and module.removeprefix(door).startswith("._")
            if name in definitions and (module == door or module.startswith(f"{door}._") or top):
                return module, definitions[name]
        return door, None

    def class_named(self, name: str) -> ast.ClassDef | None:
        """Return the class of this name, wherever in the package it is written."""
        for definitions in self.definitions.values():
            if isinstance(found := definitions.get(name), ast.ClassDef):
                return found
        return None

    def ancestors(self, cls: ast.ClassDef) -> Iterator[ast.ClassDef]:
        """Yield a class and those of its base classes that are written in this package."""
        yield cls
        for base in cls.bases:
            known = self.class_named(last_name(base))
            if known is not None and known is not cls:
                yield from self.ancestors(known)

    def descends(self, name: str, root: str) -> bool:
        """Return whether the class *name* is the class *root* or derives from it."""
        cls = self.class_named(name)
        return cls is not None and any(one.name == root for one in self.ancestors(cls))


@attrs.frozen(eq=False)
class Public:
    """One public name: what it is, and who exports it."""

    package: Package
    door: str
    name: str
    module: str
    node: Definition | None

    def __str__(self) -> str:
        return f"{self.door}.{self.name}"

    @property
    def doc(self) -> str:
        """Its docstring; of a value, the string literal below it."""
        if isinstance(self.node, (ast.Assign, ast.AnnAssign)):
            tree = ast.parse(self.source.read_text("utf-8"))
            return field_docs(tree.body).get(self.name, "")
        return docstring(self.node)

    @property
    def source(self) -> Path:
        """The file that defines it."""
        stem = self.package.path.joinpath(*self.module.split(".")[1:])
        return stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")

    @property
    def is_event(self) -> bool:
        """Whether it is a class of events."""
        return self.package.descends(self.name, "Event")

    @cached_property
    def functions(self) -> list[Function]:
        """What of it can be called: itself, or its public methods."""
        if isinstance(self.node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            return [Function(str(self), self.node, self.doc)]
        return [
            Function(f"{self}.{method.name}", method, self._words_of(method, cls))
            for cls in self.classes
            for method in methods(cls)
        ]

    @cached_property
    def classes(self) -> list[ast.ClassDef]:
        """Itself, if it is a class, with the private base classes whose methods it shows."""
        if not isinstance(self.node, ast.ClassDef):
            return []
        exported_names = {name for names in self.package.doors.values() for name in names}
        return [
            cls
            for cls in self.package.ancestors(self.node)
            if cls is self.node or cls.name not in exported_names
        ]

    def _words_of(self, method: FunctionNode, cls: ast.ClassDef) -> str:
        own = docstring(method)
        return f"{docstring(cls)}\n\n{own}" if method.name in SPOKEN_FOR else own


@attrs.frozen(eq=False)
class Function:
    """A function or method, and the text that has to describe it."""

    path: str
    node: FunctionNode
    doc: str

    @property
    def arguments(self) -> list[ast.arg]:
        """Its arguments, *self* included."""
        args = self.node.args
        return [*args.posonlyargs, *args.args, *args.kwonlyargs]

    @property
    def is_awaited(self) -> bool:
        """Whether it is awaited, or its result is entered with ``async with``."""
        returns = "" if self.node.returns is None else ast.unparse(self.node.returns)
        return isinstance(self.node, ast.AsyncFunctionDef) or "AsyncContextManager" in returns


def exported(door: Path) -> list[str]:
    """Return what is in the ``__all__`` of a file."""
    for node in ast.parse(door.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and last_name(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    raise ValueError(f"{door} has no __all__: write __all__ = [...], a list of strings")


def defined(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Yield what a file defines at its top; of overloads the last counts."""
    for node in tree.body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node.name, node
        elif isinstance(node, ast.AnnAssign):
            yield last_name(node.target), node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                yield last_name(target), node


def methods(cls: ast.ClassDef) -> Iterator[FunctionNode]:
    """Yield the public methods and properties of a class; no setters, no overloads."""
    for node in cls.body:
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            continue
        decorators = {last_name(decorator) for decorator in node.decorator_list}
        if decorators & {"setter", "deleter", "overload"}:
            continue
        if not node.name.startswith("_") or node.name in SPOKEN_FOR:
            yield node


def field_docs(body: Iterable[ast.stmt]) -> dict[str, str]:
    """Return the fields in a body, each with the string literal below it, if there is one."""
    found: dict[str, str] = {}
    last = ""
    for node in body:
        if isinstance(node, ast.AnnAssign):
            last = last_name(node.target)
            found[last] = ""
        elif isinstance(node, ast.Assign):
            last = last_name(node.targets[0])
            found[last] = ""
        elif last and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found[last] = cleandoc(node.value.value) if isinstance(node.value.value, str) else ""
        else:
            last = ""
    return found


def annotated_fields(cls: ast.ClassDef) -> list[ast.AnnAssign]:
    """Return the public fields of a class, class variables included."""
    return [
        node
        for node in cls.body
        if isinstance(node, ast.AnnAssign) and not last_name(node.target).startswith("_")
    ]


def docstring(node: ast.AST | None) -> str:
    """Return a docstring, without its indentation; empty if there is none."""
    if not isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return ""
    return ast.get_docstring(node) or ""


def last_name(node: ast.expr) -> str:
    """Return ``c`` for ``a.b.c``, ``a.b.c[d]`` and ``a.b.c(d)``."""
    while isinstance(node, (ast.Subscript, ast.Call)):
        node = node.value if isinstance(node, ast.Subscript) else node.func
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def section(doc: str, title: str) -> str:
    """Return the text of a section of a docstring; empty if there is none."""
    found = re.search(rf"^{title}:\n((?:[ \t]+\S.*\n|\s*\n)+)", f"{doc}\n", re.MULTILINE)
    return cleandoc(f"\n{found[1]}") if found else ""


def entries(doc: str, title: str) -> dict[str, str]:
    """Return the entries of a section, by name; ``a, b: text`` counts for both."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", section(doc, title)):
        names, colon, text = entry.partition(":")
        if colon:
            found.update({name.strip(" *`\\"): text for name in re.split(r",|\(", names)})
    return found


def text_about(doc: str, argument: str) -> str:
    """Return what a docstring says of an argument: its entry, or the sentences that name it."""
    if entry := entries(doc, "Args").get(argument):
        return entry
    sentences = re.split(r"(?<=[.:;])\s+(?=[A-Z*`])|\n\n", doc)
    return " ".join(one for one in sentences if f"*{argument}*" in one)


# Demanding


def complaints_about_homes(package: Package) -> Iterator[str]:
    """A name has one home: it is exported by one door, and written behind that door."""
    homes: dict[str, str] = {}
    for door, names in package.doors.items():
        for name in names:
            if name.startswith("__"):
                continue
            if name in homes:
                yield (
                    f"{name} is exported by {homes[name]} and by {door}: a name has one home, "
                    f"so take it out of one __all__, or give one of the two another name"
                )
            homes.setdefault(name, door)
    for public in package.publics:
        if public.node is None:
            yield (
                f"{public} is written nowhere behind its door: export it from the room that "
                f"defines it, and only from there"
            )


def is_described(public: Public) -> Iterator[str]:
    """Each public name, method and field says what it is."""
    if not public.doc:
        where = "docstring" if public.classes or public.functions else "string literal below it"
        yield f"{public} is not described: write a {where}"
    for function in public.functions:
        if not function.doc:
            yield f"{function.path} is not described: write a docstring"
    for cls in public.classes:
        docs = field_docs(cls.body)
        spoken_for = {"name", "level"} if public.is_event and public.name != "Event" else set[str]()
        for node in annotated_fields(cls):
            field = last_name(node.target)
            if not docs[field] and field not in spoken_for:
                yield f"{public}.{field} is not described: write a string literal below the field"


def has_an_example(public: Public) -> Iterator[str]:
    """Each public function and class shows how it is used; an event says when it is emitted."""
    if public.node is None or not (public.classes or public.functions):
        return
    if public.is_event and public.name != "Event":
        return  # its first line says when; nobody but its room makes one
    docs = [public.doc, *(docstring(method) for cls in public.classes for method in methods(cls))]
    if not any(">>> " in section(doc, title) for doc in docs for title in ("Example", "Examples")):
        yield (
            f"{public} has no example: end its docstring with a section `Example:` of `>>> ` "
            f"lines (async: define main, and end with trio.run(main))"
        )


def says_what_it_raises(public: Public) -> Iterator[str]:
    """Whatever of our errors a public body raises has a line under Raises."""
    for function in public.functions:
        told = {name.split(".")[-1] for name in entries(function.doc, "Raises")}
        for error in sorted(errors_raised(function.node, public.package) - told):
            where = "of the class" if function.node.name in SPOKEN_FOR else "of its docstring"
            yield (
                f"{function.path} raises {error} and does not say so: write "
                f"`{error}: ...` in the section `Raises:` {where}"
            )


def errors_raised(function: FunctionNode, package: Package) -> set[str]:
    """Return our own errors that a body raises itself, not those of functions within it."""
    found = {
        last_name(node.exc)
        for node in own_statements(function)
        if isinstance(node, ast.Raise) and node.exc is not None
    }
    return {name for name in found if package.descends(name, "FoundationError")}


def own_statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes in a body, less those in functions and classes that it defines."""
    for child in ast.iter_child_nodes(node):
        inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
        if not isinstance(child, inner):
            yield child
            yield from own_statements(child)


def says_its_units(public: Public) -> Iterator[str]:
    """Whatever is a time says that it is in seconds."""
    for function in public.functions:
        for argument in function.arguments:
            # What `__init__` is given is described there, or under the field.
            text = text_about(function.doc, argument.arg)
            if argument.arg in TIMES and "second" not in text and not _is_field(public, argument):
                yield (
                    f"{function.path} takes the time *{argument.arg}* without a unit: say "
                    f"`in seconds` in its entry under `Args:`"
                )
        if function.node.name in TIMES and "second" not in function.doc:
            yield f"{function.path} returns a time without a unit: say `in seconds`"
    for cls in public.classes:
        docs = field_docs(cls.body)
        for node in annotated_fields(cls):
            field = last_name(node.target)
            told = docs[field] + entries(public.doc, "Attributes").get(field, "")
            is_word = "str" in ast.unparse(node.annotation)  # the initial state, say
            if field in TIMES and not is_word and "second" not in told:
                yield f"{public}.{field} is a time without a unit: say `in seconds` below the field"


def _is_field(public: Public, argument: ast.arg) -> bool:
    fields = {last_name(node.target) for cls in public.classes for node in annotated_fields(cls)}
    return argument.arg in fields


def keeps_to_the_list_of_times(public: Public) -> Iterator[str]:
    """Whatever is a float is either on the list of times or known to be none."""
    named: list[tuple[str, ast.expr | None]] = [
        (argument.arg, argument.annotation)
        for function in public.functions
        for argument in function.arguments
    ]
    named += [
        (last_name(node.target), node.annotation)
        for cls in public.classes
        for node in annotated_fields(cls)
    ]
    for name, annotation in named:
        words = "" if annotation is None else ast.unparse(annotation)
        if "float" in words.split(" | ") and name not in TIMES | NUMBERS:
            yield (
                f"{public} takes the float *{name}*, and the list of times does not know it: "
                f"use a name in TIMES (tests/demands.py), or add {name!r} to TIMES or to NUMBERS"
            )


def says_what_a_cancelled_call_leaves(public: Public) -> Iterator[str]:
    """Whatever is async says what is left when it is cancelled."""
    for function in public.functions:
        if function.is_awaited and not section(function.doc, "Cancellation"):
            where = "the class's" if function.node.name in SPOKEN_FOR else "its"
            yield (
                f"{function.path} is async and does not say what a cancelled call leaves: write "
                f"a section `Cancellation:` in {where} docstring"
            )


DEMANDS: tuple[Callable[[Public], Iterator[str]], ...] = (
    is_described,
    has_an_example,
    says_what_it_raises,
    says_its_units,
    keeps_to_the_list_of_times,
    says_what_a_cancelled_call_leaves,
)
