"""Tests of what can be a message, and of what makes a server."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

import pytest
import trio

from trio_foundation.messaging import CallFailed, Ref, Server, serve
from trio_foundation.supervision import (
    ChildExists,
    ChildStartFailed,
    child,
    open_supervisor,
)

from ._servers import Crash, Worker, attempt, worker

R = TypeVar("R")


class Greeter(Server):
    """Has all that a class may have."""

    def __init__(self, greeting: str = "hello") -> None:
        self.greeting = greeting

    async def greet(self, name: str) -> str:
        return f"{self.greeting} {await self.spell(name)}"

    async def spell(self, name: str) -> str:
        return name

    def shout(self, name: str) -> str:
        return name.upper()

    @staticmethod
    async def whistle() -> str:
        return "whistle"

    @classmethod
    async def sing(cls) -> str:
        return "la"

    async def _whisper(self, name: str) -> str:
        return name

    async def hum(self) -> str:
        raise TypeError("within the handler")


class Butler(Greeter):
    """Overrides one method, and has one more."""

    async def spell(self, name: str) -> str:
        return f"Sir {name}"

    async def bow(self) -> str:
        return "bows"


def wrapped(method: Callable[..., Awaitable[R]]) -> Callable[..., Awaitable[R]]:
    @functools.wraps(method)
    async def wrapper(*args: object, **kwargs: object) -> R:
        return await method(*args, **kwargs)

    return wrapper


class Decorated(Server):
    """Has a decorated method, and one by two names."""

    @wrapped
    async def work(self) -> str:
        return "done"

    async def one(self) -> str:
        return "one"

    other = one


async def stranger(name: str) -> str:
    return name


def partial_greet() -> object:
    return functools.partial(Greeter.greet, name="Ada")


# What is no message is refused where it is written


@pytest.mark.parametrize(
    ("method", "text"),
    [
        (Greeter.shout, "call takes an async method, and Greeter.shout is not"),
        (Greeter("x").greet, r"write call\(Greeter.greet, \.\.\.\), not that of an instance"),
        (stranger, "call takes a method of Greeter, which stranger is not"),
        (Worker.note, "call takes a method of Greeter, which Worker.note is not"),
        (Butler.bow, "call takes a method of Greeter, which Butler.bow is not"),
        (Butler.spell, "call takes a method of Greeter, which Butler.spell is not"),
        (Greeter.whistle, "call takes a method of Greeter"),
        (Greeter.sing, "call takes a method of an instance, not the classmethod Greeter.sing"),
        (Greeter.setup, "'setup' is none: every server has it"),
        (Greeter.teardown, "'teardown' is none: every server has it"),
        (Greeter.shutdown, "'shutdown' is none: every server has it"),
        (Greeter.every, "'every' is none: every server has it"),
        (Greeter._whisper, "'_whisper' is none: its name begins with _"),
        (Greeter, "call takes a"),
        (partial_greet(), "call takes a method of the server's class"),
        ("greet", "call takes the method itself, not its name 'greet': no quotes"),
        (None, "call"),
    ],
)
async def test_what_is_no_method_of_the_class_is_refused_at_the_caller(
    method: Any, text: str
) -> None:
    spec, ref = serve(Greeter, capacity=1)
    async with open_supervisor([spec], max_restarts=0):
        before = ref.statistics()
        with pytest.raises(TypeError, match=text):
            await ref.call(method, "Ada")
        with pytest.raises(TypeError):
            ref.cast(method, "Ada")
        with pytest.raises(TypeError):
            await ref.cast_wait(method, "Ada")
        assert ref.statistics() == before
        assert await ref.call(Greeter.greet, "Ada") == "hello Ada"


async def test_a_coroutine_is_refused_with_the_right_line() -> None:
    spec, ref = serve(Greeter, capacity=1)
    coroutine: Any = Greeter().greet("Ada")
    async with open_supervisor([spec]):
        with pytest.raises(TypeError, match="coroutine"):
            await ref.call(coroutine)
    coroutine.close()


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [((), {}), (("Ada", "Joe"), {}), (("Ada",), {"loud": True}), (("Ada",), {"name": "Joe"})],
    ids=["too few", "too many", "unknown", "twice"],
)
async def test_arguments_that_do_not_fit_are_refused_and_the_server_lives(
    args: tuple[str, ...], kwargs: dict[str, Any]
) -> None:
    spec, ref = serve(Greeter, capacity=1)
    async with open_supervisor([spec], max_restarts=0):
        with pytest.raises(TypeError, match=r"^server 'Greeter': .*greet\(\)"):
            await ref.call(Greeter.greet, *args, **kwargs)
        assert await ref.call(Greeter.greet, "Ada") == "hello Ada"


async def test_a_cast_whose_arguments_do_not_fit_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    spec, ref = serve(Greeter, capacity=1)
    misfit: Any = ref.cast
    async with open_supervisor([spec], max_restarts=0):
        misfit(Greeter.greet)
        assert await ref.call(Greeter.greet, "Ada") == "hello Ada"
    assert "server 'Greeter' refused the cast of 'greet'" in caplog.text


async def test_a_type_error_within_the_handler_is_a_crash() -> None:
    spec, ref = serve(Greeter, capacity=1)
    async with open_supervisor([spec]):
        assert isinstance(await attempt(ref, Greeter.hum), CallFailed)


async def test_a_misfit_of_a_call_to_another_server_is_a_crash_of_the_caller() -> None:
    class Clumsy(Server):
        async def work(self) -> None:
            await attempt_wrongly(ref)

    async def attempt_wrongly(ref: Ref[Greeter]) -> None:
        wrong: Any = ref.call
        await wrong(Greeter.greet)

    spec, ref = serve(Greeter, capacity=1)
    clumsy_spec, clumsy = serve(Clumsy, capacity=1)
    async with open_supervisor([spec, clumsy_spec]) as sup:
        failure = await attempt(clumsy, Clumsy.work)
        assert isinstance(failure, CallFailed)
        assert isinstance(failure.__cause__, TypeError)
        assert sup.children["Greeter"].incarnation == 1


# What is one


async def test_an_override_runs_for_the_method_of_the_base_class() -> None:
    spec, ref = serve(Butler, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Greeter.spell, "Ada") == "Sir Ada"
        assert await ref.call(Greeter.greet, "Ada") == "hello Sir Ada"
        assert await ref.call(Butler.bow) == "bows"


async def test_a_method_of_a_mixin_that_is_no_server_is_a_message() -> None:
    class Countable:
        async def count(self) -> int:
            return 3

    class Herd(Countable, Server):
        pass

    spec, ref = serve(Herd, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Herd.count) == 3


async def test_a_decorated_method_is_a_message_and_so_is_one_by_two_names() -> None:
    spec, ref = serve(Decorated, capacity=1)
    async with open_supervisor([spec]):
        assert await ref.call(Decorated.work) == "done"
        assert await ref.call(Decorated.other) == "one"


# Factories


def make_greeter() -> Greeter:
    return Greeter("good day")


@pytest.mark.parametrize(
    ("factory", "name", "greeting"),
    [
        (Greeter, "Greeter", "hello Ada"),
        (make_greeter, "make_greeter", "good day Ada"),
        (functools.partial(Greeter, "hi"), "Greeter", "hi Ada"),
        (functools.partial(functools.partial(Greeter), "hi"), "Greeter", "hi Ada"),
        (lambda: Greeter("ho"), "<lambda>", "ho Ada"),
    ],
    ids=["class", "function", "partial", "nested partial", "lambda"],
)
async def test_a_factory_is_whatever_makes_a_server(
    factory: Callable[[], Greeter], name: str, greeting: str
) -> None:
    spec, ref = serve(factory, capacity=1)
    assert (spec.name, ref.name) == (name, name)
    async with open_supervisor([spec]):
        assert await ref.call(Greeter.greet, "Ada") == greeting


async def test_each_incarnation_is_a_fresh_instance() -> None:
    made: list[Worker] = []

    def make() -> Worker:
        made.append(Worker())
        return made[-1]

    spec, ref = serve(make, capacity=1)
    async with open_supervisor([spec]):
        await attempt(ref, Worker.crash)
        await ref.call(Worker.note, "second")
    assert [one.log for one in made] == [[], ["second"]]


async def test_before_the_first_incarnation_the_class_of_a_factorys_server_is_unknown() -> None:
    spec, ref = serve(make_greeter, capacity=3)
    wrong: Any = ref
    async with trio.open_nursery() as nursery:
        wrong.cast(Worker.note, "lost")
        async with open_supervisor([spec], max_restarts=0):
            nursery.start_soon(expect_type_error, wrong)
            assert await ref.call(Greeter.greet, "Ada") == "good day Ada"


async def expect_type_error(ref: Any) -> None:
    with pytest.raises(TypeError):
        await ref.call(Worker.note, "lost")


async def test_a_message_that_the_server_turns_out_not_to_know_is_refused() -> None:
    spec, ref = serve(make_greeter, capacity=3)
    wrong: Any = ref
    async with trio.open_nursery() as nursery:
        nursery.start_soon(expect_type_error, wrong)
        await trio.testing.wait_all_tasks_blocked()
        async with open_supervisor([spec], max_restarts=0):
            assert await ref.call(Greeter.greet, "Ada") == "good day Ada"


def make_nothing() -> Any:
    return None


the_same = Greeter()


def make_the_same() -> Greeter:
    return the_same


async def test_a_factory_that_makes_no_server_fails_the_start() -> None:
    spec, _ = serve(make_nothing, capacity=1)
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([spec]):
            pytest.fail("it must not start")
    assert isinstance(caught.value.__cause__, TypeError)
    assert "takes what makes a Server, but make_nothing made None" in str(caught.value.__cause__)


async def test_a_factory_that_makes_the_same_server_twice_fails_the_restart() -> None:
    spec, ref = serve(make_the_same, capacity=1)
    async with open_supervisor([spec]) as sup:
        await ref.call(Greeter.greet, "Ada")
        await sup.stop_child("make_the_same")
        with pytest.raises(ChildStartFailed) as caught:
            await sup.restart_child("make_the_same")
    assert "made the same server again" in str(caught.value.__cause__)


async def test_a_factory_that_raises_fails_the_start_with_its_error() -> None:
    error = Crash("no server today")

    def make() -> Worker:
        raise error

    spec, ref = serve(make, capacity=1)
    with pytest.raises(ChildStartFailed) as caught:
        async with open_supervisor([spec]):
            pytest.fail("it must not start")
    assert caught.value.__cause__ is error
    assert type(await attempt(ref, Worker.echo, 1)).__name__ == "ServerGone"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (Greeter(), r"serve takes what makes a server.*: write serve\(Greeter, \.\.\.\)"),
        (int, r"^serve takes a subclass of Server, not int: write class int\(Server\)$"),
        (None, "serve takes what makes a server, a class or a function, not None"),
        ("Greeter", "serve takes what makes a server, a class or a function, not 'Greeter'"),
    ],
    ids=["an instance", "another class", "nothing", "a name"],
)
def test_what_makes_no_server_is_refused_by_serve(wrong: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        serve(wrong, capacity=1)


@pytest.mark.parametrize(
    "options",
    [
        {"capacity": 0},
        {"capacity": float("inf")},
        {"capacity": 1.5},
        {"capacity": 1, "overflow": "panic"},
        {"capacity": 1, "drain": 1},
        {"capacity": 1, "name": ""},
        {"capacity": 1, "grace": -1},
        {"capacity": 1, "restart": "often"},
    ],
    ids=repr,
)
def test_options_that_make_no_sense_are_refused_by_serve(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)):
        serve(Greeter, **options)


async def test_the_names_of_unnamed_servers_are_made_unique_in_the_supervisor() -> None:
    served = [serve(Greeter, capacity=1) for _ in range(2)]
    async with open_supervisor([one.spec for one in served]) as sup:
        assert list(sup.children) == ["Greeter", "Greeter-2"]


async def test_the_names_of_named_servers_are_not() -> None:
    with pytest.raises(ChildExists):
        async with open_supervisor([worker().spec, child(trio.sleep, 1, name="w")]):
            pytest.fail("it must not start")


# A server that does not run


@pytest.mark.parametrize("verb", ["ref", "shutdown", "every", "after"])
def test_what_a_server_can_do_it_can_do_only_when_it_runs(verb: str) -> None:
    greeter = cast("Any", Greeter())
    with pytest.raises(RuntimeError, match=f"Greeter.{verb} works in a server that runs"):
        if verb == "ref":
            greeter.ref  # noqa: B018  to look at it is what is refused
        elif verb == "shutdown":
            greeter.shutdown()
        else:
            getattr(greeter, verb)(1.0, greeter.spell, "Ada")


def test_what_serve_returns_has_two_names() -> None:
    served = worker()
    assert served.spec is served[0]
    assert served.ref is served[1]
    assert repr(served.ref) == "<Ref of server 'w'>"
