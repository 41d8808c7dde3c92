"""Tests of what is written down about a child, and of what is refused at the door."""

from __future__ import annotations

import functools
import math
import pickle
import re
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
import trio

from trio_foundation import Backoff
from trio_foundation.supervision import (
    ChildExists,
    ChildSpec,
    Liveness,
    child,
    dynamic_subtree,
    open_dynamic_supervisor,
    open_supervisor,
    process_child,
    subtree,
    supervise,
)

# As somebody without a type checker sees them.
untyped_child = cast("Any", child)
untyped_spec = cast("Any", ChildSpec)
untyped_liveness = cast("Any", Liveness)
untyped_open = cast("Any", open_supervisor)
untyped_open_dynamic = cast("Any", open_dynamic_supervisor)
untyped_subtree = cast("Any", subtree)


async def poll(seconds: float = 1.0) -> None: ...


async def serve(port: int = 80, *, task_status: trio.TaskStatus[None]) -> None: ...


async def serve_openly(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None: ...


async def serve_strictly(task_status: trio.TaskStatus[None], /) -> None: ...


async def take_anything(*args: object, **kwargs: object) -> None: ...


def wrap(async_fn: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    @functools.wraps(async_fn)
    async def wrapper(*args: Any, **kwargs: Any) -> None:
        await async_fn(*args, **kwargs)

    return wrapper


class Service:
    """A service whose methods are the children."""

    async def poll(self) -> None: ...
    async def serve(self, *, task_status: trio.TaskStatus[None]) -> None: ...
    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...
    @classmethod
    async def of_class(cls, *, task_status: trio.TaskStatus[None]) -> None: ...
    @staticmethod
    async def of_nobody(*, task_status: trio.TaskStatus[None]) -> None: ...


class Poller:
    """A child that is an object."""

    async def __call__(self) -> None: ...


def words(value: Any) -> str | None:
    """Return how the test of some options is called."""
    if not isinstance(value, dict):
        return None
    return " ".join(f"{name} is {option!r}" for name, option in cast("Any", value).items())


def refused(error: type[Exception], sentence: str) -> Any:
    return pytest.raises(error, match=f"^{re.escape(sentence)}$")


# What is written down


def test_a_child_is_plain_data() -> None:
    backoff, liveness = Backoff(), Liveness(every=1.0)
    spec = child(
        poll,
        10.0,
        name="prices",
        restart="transient",
        grace=1.0,
        significant=True,
        ready_within=2.0,
        backoff=backoff,
        liveness=liveness,
    )
    assert (spec.async_fn, spec.args, spec.name, spec.kind) == (poll, (10.0,), "prices", "worker")
    assert (spec.restart, spec.grace, spec.significant) == ("transient", 1.0, True)
    assert (spec.ready_within, spec.backoff, spec.liveness) == (2.0, backoff, liveness)


def test_by_default_a_child_is_permanent_and_gets_five_seconds() -> None:
    spec = child(poll)
    assert (spec.restart, spec.grace, spec.significant) == ("permanent", 5.0, False)
    assert (spec.ready_within, spec.backoff, spec.liveness) == (math.inf, None, None)


def test_specs_are_frozen_equal_and_pickled() -> None:
    assert child(poll, 1) == child(poll, 1) != child(poll, 2)
    assert pickle.loads(pickle.dumps(child(poll, 1, grace=2.0))) == child(poll, 1, grace=2.0)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        child(poll).grace = 1.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


def test_a_spec_is_varied_with_evolve() -> None:
    spec = attrs.evolve(child(poll), async_fn=serve, args=(90,))
    assert (spec.takes_task_status, spec.args, spec.name) == (True, (90,), "poll")


@pytest.mark.parametrize(
    ("async_fn", "name"),
    [
        (poll, "poll"),
        (Service().poll, "poll"),
        (functools.partial(functools.partial(poll), 1.0), "poll"),
        (wrap(poll), "poll"),
        (Poller(), "Poller"),
        (functools.partial(Poller()), "Poller"),
        (lambda: poll(2.0), "<lambda>"),
        (trio.sleep_forever, "sleep_forever"),
    ],
    ids=["function", "method", "partial", "wrapped", "object", "partial of one", "lambda", "trio"],
)
def test_by_default_a_child_is_called_after_its_function(
    async_fn: Callable[..., Awaitable[None]], name: str
) -> None:
    spec = child(async_fn)
    assert (spec.name, spec.is_named) == (name, False)


@pytest.mark.parametrize(
    ("async_fn", "takes"),
    [
        (poll, False),
        (serve, True),
        (serve_openly, True),
        (serve_strictly, False),
        (take_anything, False),
        (Service().poll, False),
        (Service().serve, True),
        (Service.of_class, True),
        (Service.of_nobody, True),
        (Service(), True),
        (Poller(), False),
        (functools.partial(serve, 90), True),
        (functools.partial(Service().serve), True),
        (functools.partial(serve, task_status=trio.TASK_STATUS_IGNORED), False),
        (
            functools.partial(functools.partial(serve, task_status=trio.TASK_STATUS_IGNORED), 90),
            False,
        ),
        (wrap(serve), True),
        (wrap(poll), False),
        (functools.partial(wrap(serve), 90), True),
        (trio.sleep_forever, False),
        (print, False),
        (min, False),
    ],
    ids=[
        "function without",
        "keyword only",
        "with a default",
        "positional only",
        "anything goes",
        "method without",
        "method",
        "class method",
        "static method",
        "object",
        "object without",
        "partial",
        "partial of a method",
        "bound already",
        "bound further in",
        "wrapped",
        "wrapped without",
        "partial of a wrapped",
        "of trio",
        "builtin",
        "builtin without a signature",
    ],
)
def test_a_function_that_takes_task_status_is_recognised(
    async_fn: Callable[..., Awaitable[None]], takes: bool
) -> None:
    assert child(async_fn).takes_task_status is takes


@pytest.mark.parametrize(
    "spec",
    [
        subtree([], name="web"),
        dynamic_subtree(name="web"),
        child(supervise, [], name="web"),
    ],
    ids=["subtree", "dynamic_subtree", "supervise"],
)
def test_a_supervisor_as_a_child_is_of_that_kind_and_says_when_it_is_ready(spec: ChildSpec) -> None:
    assert (spec.name, spec.kind, spec.takes_task_status) == ("web", "supervisor", True)
    assert (spec.restart, spec.significant) == ("permanent", False)


def test_a_subtree_is_waited_for_unless_it_is_told_otherwise() -> None:
    assert subtree([], name="web").grace == dynamic_subtree(name="web").grace == math.inf
    assert subtree([], name="web", grace=3.0).grace == 3.0


def test_liveness_has_patience_for_all_its_misses() -> None:
    assert Liveness(every=2.0).patience == 6.0
    assert Liveness(every=2.0, misses=1).patience == 2.0


# What is refused


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"name": b"web"}, TypeError, "name must be a string, not b'web'"),
        (
            {"restart": "sometimes"},
            ValueError,
            "restart must be 'permanent', 'transient' or 'temporary', not 'sometimes'",
        ),
        (
            {"restart": None},
            TypeError,
            "restart must be 'permanent', 'transient' or 'temporary', not None",
        ),
        ({"grace": -1}, ValueError, "grace must be 0 seconds or more, not -1"),
        ({"grace": math.nan}, ValueError, "grace must be 0 seconds or more, not nan"),
        ({"grace": "5"}, TypeError, "grace must be a number of seconds, not '5'"),
        ({"ready_within": 0}, ValueError, "ready_within must be more than 0 seconds, not 0"),
        (
            {"ready_within": math.nan},
            ValueError,
            "ready_within must be more than 0 seconds, not nan",
        ),
        ({"significant": 1}, TypeError, "significant must be True or False, not 1"),
        (
            {"backoff": 3.0},
            TypeError,
            "backoff must be a Backoff or None, not 3.0: write Backoff(initial=1)",
        ),
        (
            {"liveness": 3.0},
            TypeError,
            "liveness must be a Liveness or None, not 3.0: write Liveness(every=10)",
        ),
    ],
    ids=words,
)
def test_a_bad_option_is_shown(
    options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with refused(error, sentence):
        untyped_child(poll, **options)
    with refused(error, sentence):
        untyped_spec(**{"async_fn": poll, "name": "poll", **options})


def test_a_significant_child_that_is_permanent_is_refused_with_the_right_line() -> None:
    # Rule S100.
    with pytest.raises(ValueError, match=r"write significant=True, restart='transient'$"):
        child(poll, significant=True)


def test_a_coroutine_is_answered_with_the_right_line() -> None:
    with refused(
        TypeError,
        "child takes an async function, but got a coroutine: "
        "write child(poll, 10), not child(poll(10))",
    ):
        untyped_child(poll(10))


@pytest.mark.parametrize("value", [None, 3, "poll"], ids=repr)
def test_what_cannot_be_called_is_refused(value: object) -> None:
    with refused(TypeError, f"child takes an async function, but got {value!r}"):
        untyped_child(value)


async def test_the_one_who_was_given_the_coroutine_is_named() -> None:
    async with untyped_open() as sup:
        for verb in ("start_soon", "start"):
            with pytest.raises(TypeError, match=rf"write {verb}\(poll, 10\), not {verb}\(poll"):
                await getattr(sup, verb)(poll(10))


async def test_a_spec_in_place_of_a_function_is_answered_with_the_right_line() -> None:
    async with untyped_open() as sup:
        for verb in ("start_soon", "start"):
            with pytest.raises(TypeError, match=r"the spec of child 'poll': write start_child"):
                await getattr(sup, verb)(child(poll))


@pytest.mark.parametrize("verb", ["start_soon", "start"])
async def test_an_unknown_option_is_answered_with_the_list(verb: str) -> None:
    for opened in (untyped_open(), untyped_open_dynamic()):
        async with opened as sup:
            with pytest.raises(TypeError, match=rf"^{verb} has no option 'port'; its options are"):
                await getattr(sup, verb)(poll, port=80)
            assert len(sup.children) == 0


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"every": 0}, ValueError, "every must be more than 0 seconds and finite, not 0"),
        ({"every": math.inf}, ValueError, "every must be more than 0 seconds and finite, not inf"),
        ({"every": math.nan}, ValueError, "every must be more than 0 seconds and finite, not nan"),
        ({"every": 1, "misses": 0}, ValueError, "misses must be 1 or more, not 0"),
        ({"every": 1, "misses": 1.5}, TypeError, "misses must be a whole number, not 1.5"),
    ],
    ids=["zero", "endless", "nan", "no miss", "half a miss"],
)
def test_a_liveness_that_makes_no_sense_is_refused(
    options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with refused(error, sentence):
        untyped_liveness(**options)


BAD_LIMITS = [
    ({"name": ""}, ValueError, "name must not be empty"),
    ({"max_restarts": -1}, ValueError, "max_restarts must be 0 or more, not -1"),
    ({"max_restarts": 2.0}, TypeError, "max_restarts must be a whole number, not 2.0"),
    ({"within": 0}, ValueError, "within must be more than 0 seconds, not 0"),
    ({"within": math.nan}, ValueError, "within must be more than 0 seconds, not nan"),
    ({"within": None}, TypeError, "within must be a number of seconds, not None"),
]

BAD_STRATEGIES = [
    (
        {"strategy": "one_for_some"},
        ValueError,
        "strategy must be 'one_for_one', 'one_for_all' or 'rest_for_one', not 'one_for_some'",
    ),
    (
        {"auto_shutdown": "always"},
        ValueError,
        "auto_shutdown must be 'never', 'any_significant' or 'all_significant', not 'always'",
    ),
]


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [*BAD_LIMITS, *BAD_STRATEGIES],
    ids=words,
)
def test_a_supervisor_that_makes_no_sense_is_refused_before_it_is_entered(
    options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    # Rules S8 and S10.
    with refused(error, sentence):
        untyped_open([child(poll)], **options)
    with refused(error, sentence):
        untyped_subtree([], **{"name": "web", **options})


def test_an_rng_is_a_generator_of_random_numbers() -> None:
    with refused(TypeError, "rng must be a random.Random or None, not 42: write random.Random(1)"):
        untyped_open(rng=42)


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        *BAD_LIMITS,
        ({"max_children": -1}, ValueError, "max_children must be 0 or more, not -1"),
        (
            {"max_children": 1.5},
            TypeError,
            "max_children must be a whole number or math.inf, not 1.5",
        ),
    ],
    ids=words,
)
def test_a_dynamic_supervisor_that_makes_no_sense_is_refused(
    options: dict[str, Any], error: type[Exception], sentence: str
) -> None:
    with refused(error, sentence):
        untyped_open_dynamic(**options)
    with refused(error, sentence):
        cast("Any", dynamic_subtree)(**{"name": "web", **options})


def test_a_limit_may_be_nothing_and_a_window_endless() -> None:
    open_supervisor(max_restarts=0, within=math.inf)
    open_dynamic_supervisor(max_children=0)


@pytest.mark.parametrize(
    ("children", "sentence"),
    [
        (3, "open_supervisor takes a list of children, not 3: write [child(async_fn)]"),
        ([poll], f"open_supervisor takes what child() or subtree() returns, not {poll!r}: "
                 "write child(poll)"),
        ([None], "open_supervisor takes what child() or subtree() returns, not None"),
    ],
    ids=["no list", "a function in a list", "none in a list"],
)  # fmt: skip
def test_children_are_a_list_of_specs(children: object, sentence: str) -> None:
    with refused(TypeError, sentence):
        untyped_open(children)


@pytest.mark.parametrize(
    ("spec", "line"),
    [
        (child(poll), "child(poll)"),
        (child(poll, 3.0), "child(poll, ...)"),
        (child(poll, name="p", restart="transient"), "child(poll)"),
        (child(functools.partial(poll, 3.0)), "spec"),
        (child(lambda: poll(3.0)), "spec"),
        (process_child(["true"]), "spec"),
        (subtree([], name="web"), "spec"),
        (dynamic_subtree(name="web"), "spec"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_child_without_a_list_is_answered_with_the_right_line(
    spec: ChildSpec, line: str
) -> None:
    with refused(
        TypeError, f"open_supervisor takes a list of children: write [{line}], not {line}"
    ):
        untyped_open(spec)


def test_what_serve_returns_is_no_list_either() -> None:
    served = SimpleNamespace(spec=child(poll))
    with refused(
        TypeError, "open_supervisor takes a list of children: write [served.spec], not served"
    ):
        untyped_open(served)


def test_a_function_without_a_list_is_answered_with_the_right_line() -> None:
    with refused(TypeError, f"subtree takes a list of children, not {poll!r}: write [child(poll)]"):
        untyped_subtree(poll, name="web")


async def test_the_error_names_what_was_given_the_children() -> None:
    advice = "takes a list of children: write [child(poll)], not child(poll)"
    spec: Any = child(poll)
    with refused(TypeError, f"subtree {advice}"):
        subtree(spec, name="web")
    with refused(TypeError, f"supervise {advice}"):
        await supervise(spec)
    none: Any = [None]
    with refused(TypeError, "subtree takes what child() or subtree() returns, not None"):
        subtree(none, name="web")


async def test_start_child_takes_a_spec() -> None:
    for opened in (open_supervisor(), open_dynamic_supervisor()):
        async with opened as sup:
            with pytest.raises(TypeError, match=r"^start_child takes what .* write child\(poll\)$"):
                await cast("Any", sup).start_child(poll)


def test_two_children_of_one_name_are_refused_and_nothing_is_started() -> None:
    # Rule S7.
    twice = [child(poll, name="web"), child(serve, name="web")]
    with pytest.raises(ChildExists, match=r"^supervisor 'app' already has a child 'web'"):
        open_supervisor(twice, name="app")
    with pytest.raises(ChildExists, match="'web'"):
        subtree(twice, name="app")


def test_a_significant_child_is_refused_where_its_end_has_no_effect() -> None:
    # Rules S100 and S108.
    significant = child(poll, significant=True, restart="transient")
    with pytest.raises(ValueError, match=r"child 'poll' is significant, .* auto_shutdown="):
        open_supervisor([significant])
    with pytest.raises(ValueError, match="child 'poll' is significant"):
        subtree([significant], name="web")


async def test_a_significant_child_is_refused_by_start_and_nothing_is_kept() -> None:
    significant = child(poll, significant=True, restart="transient")
    for opened in (open_supervisor(), open_dynamic_supervisor()):
        async with opened as sup:
            with pytest.raises(ValueError, match="child 'poll' is significant"):
                await sup.start_child(significant)
            with pytest.raises(ValueError, match="child 'poll' is significant"):
                sup.start_soon(poll, significant=True, restart="temporary")
            assert len(sup.children) == 0
