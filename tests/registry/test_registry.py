"""Tests of what is registered, and found by its key."""

from __future__ import annotations

import inspect
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from trio_foundation import FoundationError
from trio_foundation.registry import Entry, NameTaken, NotRegistered, OwnerNotRunning, Registry


@pytest.fixture
def registry() -> Registry[str, int]:
    return Registry(name="ports")


@pytest.fixture
def topics() -> Registry[str, str]:
    return Registry(keys="duplicate")


# Blocks


def test_a_value_is_registered_for_as_long_as_the_block(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080, health="healthy") as entry:
        assert registry.lookup("web") is entry
        assert (entry.key, entry.value, entry.attributes) == ("web", 8080, {"health": "healthy"})
        assert (entry.owner, entry.incarnation) == (None, None)
    assert "web" not in registry
    registry._check()


def test_an_error_ends_the_block_like_any_other(registry: Registry[str, int]) -> None:
    with pytest.raises(OSError, match="no route"), registry.register("web", 8080):
        raise OSError("no route")
    assert "web" not in registry


def test_a_block_that_was_unregistered_leaves_the_next_one_alone(
    registry: Registry[str, int],
) -> None:
    with ExitStack() as later:
        with registry.register("web", 8080):
            registry.unregister("web")
            later.enter_context(registry.register("web", 8081))
        assert registry.lookup("web").value == 8081
    assert "web" not in registry


def test_the_end_of_a_block_removes_what_was_updated(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080):
        registry.update("web", 8081, health="healthy")
    assert len(registry) == 0


def test_a_block_is_entered_once(registry: Registry[str, int]) -> None:
    block = registry.register("web", 8080)
    with block:
        pass
    with pytest.raises(RuntimeError, match="call register again"):
        block.__enter__()


def test_without_a_block_it_stays_until_it_is_unregistered(registry: Registry[str, int]) -> None:
    registry.register("web", 8080)
    assert "web" in registry
    registry.unregister("web")
    registry.unregister("web")
    assert "web" not in registry


# Unique keys


def test_a_unique_key_has_one_entry(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080):
        with pytest.raises(NameTaken) as caught:
            registry.register("web", 8081)
        assert (caught.value.key, caught.value.registry) == ("web", "ports")
        assert str(caught.value) == "'web' is registered in 'ports' already: unregister it first"
        assert registry.lookup("web").value == 8080
        registry._check()


def test_who_looks_up_what_is_not_there_gets_a_key_error(registry: Registry[str, int]) -> None:
    with pytest.raises(KeyError) as caught:
        registry.lookup("web")
    assert isinstance(caught.value, NotRegistered)
    assert isinstance(caught.value, FoundationError)
    assert str(caught.value) == "'web' is not registered in 'ports'"
    assert registry.get("web") is None


def test_none_is_a_value_and_a_key() -> None:
    registry = Registry[None, None]()
    with registry.register(None, None):
        assert registry.lookup(None).value is None
        assert None in registry


def test_a_key_that_cannot_be_hashed_changes_nothing() -> None:
    registry = Registry[Any, int](indexes=["health"])
    with pytest.raises(TypeError, match="unhashable"):
        registry.register([], 1, health="healthy")
    assert len(registry) == 0
    registry._check()


# Updates


def test_an_update_merges_and_a_replacement_replaces(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080, health="healthy", node="a") as before:
        after = registry.update("web", health="degraded")
        assert after.attributes == {"health": "degraded", "node": "a"}
        assert before.attributes == {"health": "healthy", "node": "a"}
        assert registry.lookup("web") is after
        assert registry.replace("web", load=0.5).attributes == {"load": 0.5}
        assert registry.lookup("web").value == 8080


def test_an_update_may_change_the_value(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080, health="healthy"):
        assert registry.update("web", 8081).value == 8081
        assert registry.replace("web", 8082).attributes == {}
        assert registry.lookup("web").value == 8082


@pytest.mark.parametrize("verb", ["update", "replace"])
def test_what_is_not_there_cannot_be_changed(registry: Registry[str, int], verb: str) -> None:
    with pytest.raises(NotRegistered):
        getattr(registry, verb)("web", health="healthy")


@pytest.mark.parametrize("verb", ["update", "replace", "unregister"])
def test_an_entry_stands_for_itself_and_not_for_the_next_one_of_its_key(verb: str) -> None:
    registry = Registry[str, int]()
    with registry.register("web", 8080) as entry:
        pass
    with registry.register("web", 8081) as other:
        if verb == "unregister":
            registry.unregister(entry)
        else:
            with pytest.raises(NotRegistered):
                getattr(registry, verb)(entry, health="healthy")
        assert registry.lookup("web") is other


@pytest.mark.parametrize("verb", ["update", "replace", "unregister"])
def test_an_entry_of_another_registry_is_refused(verb: str) -> None:
    registry, other = Registry[str, int](), Registry[str, int]()
    with registry.register("web", 1), other.register("web", 2) as entry:
        with pytest.raises(ValueError, match="is an entry of another registry: call the method"):
            getattr(registry, verb)(entry)


# Duplicate keys


def test_a_duplicate_key_has_any_number_of_entries(topics: Registry[str, str]) -> None:
    with topics.register("news", "ann"), topics.register("jobs", "ann"):
        with topics.register("news", "bob"):
            assert [entry.value for entry in topics.lookup_all("news")] == ["ann", "bob"]
            assert [*topics] == ["news", "jobs", "news"]
            assert len(topics) == 3
        assert [entry.value for entry in topics.lookup_all("news")] == ["ann"]
    assert topics.lookup_all("news") == []
    topics._check()


def test_the_oldest_entry_speaks_for_its_key(topics: Registry[str, str]) -> None:
    ann = topics.register("news", "ann")
    topics.register("news", "bob")
    assert topics.lookup("news").value == "ann"
    with ann:
        pass
    found = topics.get("news")
    assert found is not None
    assert found.value == "bob"
    topics._check()


def test_a_duplicate_key_is_unregistered_with_all_of_its_entries(
    topics: Registry[str, str],
) -> None:
    for name in ("ann", "bob", "cat"):
        topics.register("news", name)
    with topics.register("jobs", "ann"):
        topics.unregister("news")
        assert [*topics] == ["jobs"]
        topics._check()


def test_one_of_several_entries_is_unregistered_or_updated(topics: Registry[str, str]) -> None:
    topics.register("news", "ann")
    with topics.register("news", "bob") as bob:
        topics.register("news", "cat")
        topics.update(bob, "bo", quick=True)
        assert [entry.value for entry in topics.lookup_all("news")] == ["ann", "bo", "cat"]
        assert [entry.value for entry in topics.find(quick=True)] == ["bo"]
        topics.unregister(bob)
        assert [entry.value for entry in topics.lookup_all("news")] == ["ann", "cat"]
        topics._check()


@pytest.mark.parametrize("verb", ["update", "replace"])
def test_a_duplicate_key_does_not_say_which_entry_is_to_change(
    topics: Registry[str, str], verb: str
) -> None:
    with topics.register("news", "ann"):
        with pytest.raises(ValueError, match=rf"{verb}\(entry, \.\.\.\), .* lookup_all\('news'\)"):
            getattr(topics, verb)("news", quick=True)


# All of them


def test_entries_come_in_the_order_of_their_registration(registry: Registry[str, int]) -> None:
    for number, key in enumerate("cab"):
        registry.register(key, number)
    registry.update("c", colour="red")
    registry.unregister("a")
    registry.register("a", 3)
    assert [*registry] == ["c", "b", "a"]
    assert [entry.value for entry in registry.find()] == [0, 2, 3]
    assert [entry.value for entry in registry.query()] == [0, 2, 3]


def test_who_goes_through_all_of_them_may_change_them(registry: Registry[str, int]) -> None:
    for key in "abc":
        registry.register(key, 1)
    for key in registry:
        registry.unregister(key)
        registry.register(key.upper(), 1)
    assert [*registry] == ["A", "B", "C"]


def test_a_registry_says_what_it_is(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080):
        assert repr(registry) == "<Registry 'ports', 1 entries>"
    assert registry.name == "ports"


# Entries


def test_an_entry_cannot_be_changed(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080, tags=["a"], resources={"memory": 0.5}) as entry:
        with pytest.raises(AttributeError):
            entry.value = 8081  # type: ignore[misc]
        attributes: Any = entry.attributes
        changes: list[Callable[[], object]] = [
            partial(attributes.update, tags=[]),
            partial(attributes.pop, "tags"),
            partial(attributes["tags"].append, "b"),
            attributes["tags"].sort,
            attributes["resources"].clear,
            partial(attributes["resources"].setdefault, "cpu", 1),
        ]
        for change in changes:
            with pytest.raises(TypeError, match=r"write registry\.update"):
                change()
        with pytest.raises(TypeError):
            attributes["tags"] = []
        with pytest.raises(TypeError):
            del attributes["resources"]["memory"]
        assert entry.attributes == {"tags": ["a"], "resources": {"memory": 0.5}}


def test_entries_are_equal_if_all_is(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080, load=1) as entry:
        same = registry.update("web")
        assert same == entry
        assert len({same, entry}) == 1
        assert registry.update("web", load=2) != entry


def test_attributes_that_are_pickled_or_copied_are_plain(registry: Registry[str, int]) -> None:
    with registry.register("web", 8080, tags=["a"], resources={"memory": 0.5}) as entry:
        copied = pickle.loads(pickle.dumps(entry.attributes))
        assert copied == entry.attributes
        assert (type(copied), type(copied["tags"]), type(copied["resources"])) == (dict, list, dict)


def test_the_signature_says_what_a_value_is_that_is_not_given() -> None:
    assert "= as it is" in str(inspect.signature(Registry[str, int]().update))


def test_an_attribute_may_be_called_what_an_argument_is(registry: Registry[str, int]) -> None:
    with registry.register(key="web", value=8080, owner=3, name=5):
        assert registry.update("web", value=6).attributes["value"] == 6
        assert len(registry.find(value=6, owner=3, name=5)) == 1
        assert registry.replace("web", key=7, self=8).attributes == {"key": 7, "self": 8}
        assert registry.lookup("web").value == 8080


# Attributes that do as they like


class Busy(Mapping[str, int]):
    """Does something when it is read."""

    def __init__(self, act: Callable[[], object]) -> None:
        self.act = act

    def __getitem__(self, name: str) -> int:
        self.act()
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(["x"])

    def __len__(self) -> int:
        return 1


def test_what_the_reading_of_an_attribute_does_comes_first(registry: Registry[str, int]) -> None:
    registry.register("web", 1)
    leaves = Busy(lambda: registry.unregister("web"))
    with pytest.raises(NotRegistered):
        registry.update("web", 2, busy=leaves)
    registry._check()
    comes = Busy(lambda: registry.register("web", 3))
    with pytest.raises(NameTaken):
        registry.register("web", 4, busy=comes)
    assert registry.lookup("web").value == 3
    with pytest.raises(NotRegistered):
        registry.replace("web", 5, busy=leaves)
    assert len(registry) == 0
    registry._check()


@pytest.mark.parametrize("verb", ["update", "replace", "register"])
def test_an_attribute_that_cannot_be_read_changes_nothing(verb: str) -> None:
    registry = Registry[str, int](indexes=["load"])
    endless: list[Any] = []
    endless.append(endless)
    with registry.register("web", 1, load=1) as entry:
        key = "api" if verb == "register" else "web"
        with pytest.raises(RecursionError):
            getattr(registry, verb)(key, 2, load=2, endless=endless)
        assert registry.find(load=1) == [entry]
        assert len(registry) == 1
        registry._check()


# Nonsense


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"keys": "many"}, ValueError, "keys must be 'unique' or 'duplicate', not 'many'"),
        ({"name": ""}, ValueError, "name must not be empty"),
        ({"name": 3}, TypeError, "name must be a string, not 3"),
        ({"indexes": "health"}, TypeError, "indexes must be a list of paths: write ['health']"),
        ({"indexes": [3]}, TypeError, "indexes must be a string, not 3"),
        (
            {"indexes": ["a..b"]},
            ValueError,
            "indexes must be names joined by single dots, such as 'resources.memory', not 'a..b'",
        ),
    ],
)
def test_a_registry_that_makes_no_sense_is_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        Registry(**arguments)


def test_the_name_of_an_attribute_has_no_dot(registry: Registry[str, int]) -> None:
    with pytest.raises(ValueError, match=r"write resources=\{'memory': \.\.\.\}"):
        registry.register("web", 8080, **{"resources.memory": 1})
    assert len(registry) == 0


def test_a_query_takes_criteria_only(registry: Registry[str, int]) -> None:
    wrong: Any = True
    with pytest.raises(TypeError, match=r"such as where\('load'\) < 0\.5, but got True"):
        registry.query(wrong)


@pytest.mark.parametrize(
    "error",
    [
        NameTaken("ports", "web", "server"),
        NotRegistered("ports", "web"),
        OwnerNotRunning("ports", "web", "server"),
    ],
)
def test_an_error_survives_pickling(error: FoundationError) -> None:
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), vars(copied)) == (type(error), str(error), vars(error))


def test_an_entry_is_written_as_it_was_registered() -> None:
    registry = Registry[str, int]()
    with registry.register("web", 8080, health="healthy") as entry:
        assert isinstance(entry, Entry)
        assert repr(entry) == "Entry('web', 8080, health='healthy')"
