"""The registry: who is where, and alive."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Generic, Literal, TypeVar, cast, final, get_args

import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_choice, check_count, check_name, is_plain_function
from ..supervision import Child
from ._book import Book
from ._entry import Entry
from ._errors import NameTaken, NotRegistered, OwnerNotRunning
from ._events import Lagged, Registered, Unregistered, Updated
from ._owners import Owner, ending_of
from ._rules import Criterion, FrozenDict, Keeping, check_path, freeze_attributes
from ._transaction import Transaction
from ._watchers import Watcher

__all__ = ["Registry"]

KeyT = TypeVar("KeyT", bound=Hashable)
ValueT = TypeVar("ValueT")


class _Unchanged:
    def __repr__(self) -> str:
        return "as it is"


_UNCHANGED: Any = _Unchanged()


@final
class Registry(Generic[KeyT, ValueT]):
    """Who is where: values by key, found by their attributes, gone with their owners.

    An entry is there for as long as somebody answers for it: a block, with `register`, or an
    incarnation of a child, with `bind`. What it is found by are its attributes, plain names with
    whatever values; `find` and `query` look them up, by an index where there is one. Any name will
    do, ``key`` and ``value`` too, for what is no attribute is given by position.

    All but `wait_for` are plain functions, and no other task can run in between. A registry is
    for one Trio run at a time, and its methods are for the thread of that run.

    Args:
        keys: Whether a key has one entry at most, ``unique``, or any number of them, ``duplicate``.
        indexes: By which attributes entries are found without a look at all of them; an attribute
            within others as a path, ``"resources.memory"``. A set, a list or a tuple is found by
            each of its members.
        name: What the registry is called in errors and events.

    Raises:
        TypeError: If an argument is of the wrong kind.
        ValueError: If one of them makes no sense.

    Example:
        >>> import trio
        >>> from trio_foundation.supervision import current_child, open_supervisor
        >>> registry = Registry[str, int](indexes=["skills"])
        >>> async def serve(port, *, task_status):
        ...     registry.bind(f"server {port}", port, current_child(), skills={"count", "sort"})
        ...     task_status.started()
        ...     await trio.sleep_forever()
        >>> async def main():
        ...     async with open_supervisor() as sup:
        ...         await sup.start(serve, 8080)
        ...         print(registry.find(skills="sort"))
        ...     print(len(registry))
        >>> trio.run(main)
        [Entry('server 8080', 8080, skills=frozenset({...}))]
        0
    """

    __slots__ = ("__weakref__", "_book", "_first", "_keeping", "_serial")

    def __init__(
        self,
        *,
        keys: Literal["unique", "duplicate"] = "unique",
        indexes: Sequence[str] = (),
        name: str = "registry",
    ) -> None:
        check_choice("keys", keys, get_args(Keeping))
        check_name("name", name)
        if isinstance(indexes, str):
            raise TypeError(f"indexes must be a list of paths: write [{indexes!r}]")
        for path in indexes:
            check_path("indexes", path)
        self._keeping: Keeping = keys
        self._book = Book[KeyT, ValueT](name, keys, indexes)
        self._first = self._book.store.first  # which is asked more often than all else
        self._serial = 0

    def __repr__(self) -> str:
        return f"<Registry {self.name!r}, {len(self)} entries>"

    @property
    def name(self) -> str:
        """What it is called in errors and events."""
        return self._book.name

    # Coming and going

    @enable_ki_protection
    def register(
        self, key: KeyT, value: ValueT, **attributes: object
    ) -> AbstractContextManager[Entry[KeyT, ValueT]]:
        """Register a value, until the block ends.

        It is there at once. The end of the block removes it, unless that was done before; an
        entry that somebody else has registered by then is left alone. Without ``with`` it stays
        until `unregister`.

        Args:
            key: What it is registered as.
            value: What is registered.
            **attributes: What it is found by. Mappings, lists, tuples and sets are copied. One that
                is called ``key`` or ``value`` can be given by `update`.

        Returns:
            The block, for ``with``; it gives the entry.

        Raises:
            NameTaken: If the key is registered, and keys are unique.
            ValueError: If there is a dot in the name of an attribute.

        Emits:
            Registered: At once.
            Unregistered: When the block ends.

        Example:
            >>> registry = Registry[str, int]()
            >>> with registry.register("web", 8080, health="healthy"):
            ...     print(registry.lookup("web").value)
            8080
            >>> "web" in registry
            False
        """
        frozen = freeze_attributes(attributes)
        self._book.check_transaction()
        entry = self._make(key, value, frozen)
        self._add(entry)
        return _Block(self._book, entry)

    @enable_ki_protection
    def bind(
        self, key: KeyT, value: ValueT, owner: Child[Any], **attributes: object
    ) -> Entry[KeyT, ValueT]:
        """Register a value, until the running incarnation of a child ends.

        However that ends, by an exit, a crash or a stop, the entry is gone before the supervisor
        does anything about it. The next incarnation has to register anew.

        Args:
            key: What it is registered as.
            value: What is registered.
            owner: The child; `current_child` for whoever registers itself. One that is about to be
                started for the first time will do. No attribute can be called that here.
            **attributes: What it is found by. Mappings, lists, tuples and sets are copied.

        Returns:
            The entry.

        Raises:
            NameTaken: If the key is registered, and keys are unique.
            OwnerNotRunning: If no incarnation of *owner* is running.
            TypeError: If *owner* is no child.
            ValueError: If there is a dot in the name of an attribute.

        Emits:
            Registered: At once.
            Unregistered: When the incarnation has ended.

        Example:
            >>> import trio
            >>> from trio_foundation.supervision import open_supervisor
            >>> async def main():
            ...     registry = Registry[str, int]()
            ...     async with open_supervisor() as sup:
            ...         sleeper = sup.start_soon(trio.sleep_forever)
            ...         entry = registry.bind("sleeper", 1, sleeper)
            ...         print(entry.owner is sleeper)
            ...         await sup.stop_child(sleeper.name)
            ...         print("sleeper" in registry)
            >>> trio.run(main)
            True
            False
        """
        if not isinstance(owner, Child):
            raise TypeError(
                "bind takes the child that the entry is to end with, such as current_child() or "
                f"what start_soon returned, but got {owner!r}"
            )
        frozen = freeze_attributes(attributes)
        self._book.check_transaction()
        incarnation = ending_of(owner)
        if incarnation is None:
            raise OwnerNotRunning(self.name, key, owner.name)
        entry = self._make(key, value, frozen, owner, incarnation)
        self._add(entry)
        return entry

    @enable_ki_protection
    def unregister(self, key: KeyT | Entry[KeyT, ValueT]) -> None:
        """Remove what is registered; if nothing is, do nothing.

        Args:
            key: A key, for all of its entries; or an entry, for this one and no other of its key.

        Raises:
            ValueError: If it is an entry of another registry.

        Emits:
            Unregistered: For each entry.

        Example:
            >>> registry = Registry[str, int]()
            >>> block = registry.register("web", 8080)
            >>> registry.unregister("web")
            >>> registry.unregister("web")
            >>> "web" in registry
            False
        """
        self._book.check_transaction()
        if isinstance(key, Entry):
            entry = self._present(cast("Entry[KeyT, ValueT]", key))
            entries = [] if entry is None else [entry]
        else:
            entries = [*self._book.store.all_of(key)]
        self._book.remove(entries, "unregister")

    @enable_ki_protection
    def update(
        self, key: KeyT | Entry[KeyT, ValueT], value: ValueT = _UNCHANGED, /, **attributes: object
    ) -> Entry[KeyT, ValueT]:
        """Change some attributes of an entry, or its value; the others stay.

        Place and owner stay as well.

        Args:
            key: A key, if keys are unique; or an entry, for this one, and not another that has its
                key by now.
            value: The new value.
            **attributes: The attributes that change. None for one that was there keeps its name.

        Returns:
            The entry as it is now.

        Raises:
            NotRegistered: If it is not there, or not any more.
            ValueError: If a key is given, and keys are not unique; if it is an entry of another
                registry; or if there is a dot in the name of an attribute.

        Emits:
            Updated: At once.

        Example:
            >>> registry = Registry[str, int]()
            >>> with registry.register("web", 8080, health="healthy", node="a"):
            ...     registry.update("web", health="degraded")
            Entry('web', 8080, health='degraded', node='a')
        """
        frozen = freeze_attributes(attributes)
        before = self._changing("update", key)
        return self._change(before, value, FrozenDict({**before.attributes, **frozen}))

    @enable_ki_protection
    def replace(
        self, key: KeyT | Entry[KeyT, ValueT], value: ValueT = _UNCHANGED, /, **attributes: object
    ) -> Entry[KeyT, ValueT]:
        """Give an entry other attributes, instead of all that it has.

        Value, place and owner stay, unless another value is given.

        Args:
            key: A key, if keys are unique; or an entry, for this one, and not another that has its
                key by now.
            value: The new value.
            **attributes: All attributes that it has from now on.

        Returns:
            The entry as it is now.

        Raises:
            NotRegistered: If it is not there, or not any more.
            ValueError: If a key is given, and keys are not unique; if it is an entry of another
                registry; or if there is a dot in the name of an attribute.

        Emits:
            Updated: At once.

        Example:
            >>> registry = Registry[str, int]()
            >>> with registry.register("web", 8080, health="healthy", node="a"):
            ...     registry.replace("web", health="degraded")
            Entry('web', 8080, health='degraded')
        """
        frozen = freeze_attributes(attributes)
        return self._change(self._changing("replace", key), value, frozen)

    # Looking

    def lookup(self, key: KeyT) -> Entry[KeyT, ValueT]:
        """Return the entry of a key; if it has several, the oldest.

        Args:
            key: What it is registered as.

        Raises:
            NotRegistered: If there is none.

        Example:
            >>> registry = Registry[str, int]()
            >>> with registry.register("web", 8080):
            ...     registry.lookup("web").value
            8080
        """
        try:
            return self._first[key]
        except KeyError:
            raise NotRegistered(self.name, key) from None

    def lookup_all(self, key: KeyT) -> list[Entry[KeyT, ValueT]]:
        """Return all entries of a key, in order of registration.

        Args:
            key: What they are registered as.

        Example:
            >>> registry = Registry[str, str](keys="duplicate")
            >>> with registry.register("news", "ann"), registry.register("news", "bob"):
            ...     [entry.value for entry in registry.lookup_all("news")]
            ['ann', 'bob']
        """
        return [*self._book.store.all_of(key)]

    def get(self, key: KeyT) -> Entry[KeyT, ValueT] | None:
        """Return the entry of a key; if it has several, the oldest; None if it has none.

        Args:
            key: What it is registered as.

        Example:
            >>> print(Registry[str, int]().get("web"))
            None
        """
        return self._first.get(key)

    def find(self, /, **equal: object) -> list[Entry[KeyT, ValueT]]:
        """Return the entries with these attributes, in order of registration.

        It is a `query` of equalities; `where` tells what is equal.

        Args:
            **equal: The attributes. One within others is written as
                ``**{"resources.memory": 0.5}``. Without any, all entries are returned.

        Raises:
            ValueError: If a path is none.

        Example:
            >>> registry = Registry[str, int](indexes=["skills"])
            >>> with registry.register("web", 8080, skills=["count", "sort"]):
            ...     [entry.key for entry in registry.find(skills="sort")]
            ['web']
        """
        return self._book.store.query(
            [Criterion(path, "==", value) for path, value in equal.items()]
        )

    def query(self, *criteria: Criterion) -> list[Entry[KeyT, ValueT]]:
        """Return the entries that match all criteria, in order of registration.

        Of the criteria that an index knows about, the one with the fewest entries is looked up
        there; these entries are held against the others, one by one.

        Args:
            *criteria: What they have to be like, made by `where`. Without any, all entries are
                returned.

        Raises:
            TypeError: If one of them is no criterion.

        Example:
            >>> registry = Registry[str, int]()
            >>> with registry.register("web", 8080, resources={"memory": 0.75}):
            ...     [entry.key for entry in registry.query(where("resources.memory") >= 0.5)]
            ['web']
        """
        for criterion in criteria:
            if not isinstance(criterion, Criterion):
                raise TypeError(
                    f"query takes criteria, such as where('load') < 0.5, but got {criterion!r}"
                )
        return self._book.store.query(criteria)

    def __len__(self) -> int:
        return len(self._book.store.by_serial)

    def __contains__(self, key: object) -> bool:
        return key in self._first

    def __iter__(self) -> Iterator[KeyT]:
        # Of those that there are now, whatever happens meanwhile.
        return iter([entry.key for entry in self._book.store.by_serial.values()])

    # Changing much at once

    def transaction(self) -> AbstractContextManager[None]:
        """Make all changes in the block, or none: if an error comes out of it, all are undone.

        Who watches or waits is told at its end. A transaction within another one can fail on its
        own, and is told of with the other.

        There is no awaiting in it, for others would see what may yet be undone. If other tasks
        could run, it is undone as soon as one of them changes anything, or at its end.

        Returns:
            The block, for ``with``.

        Raises:
            RuntimeError: If other tasks could run within.

        Example:
            >>> registry = Registry[str, int]()
            >>> try:
            ...     with registry.transaction():
            ...         for key in ["web", "api", "web"]:
            ...             block = registry.register(key, 8080)
            ... except NameTaken as error:
            ...     print(error.key, len(registry))
            web 0
        """
        return Transaction(self._book)

    # Waiting and watching

    @enable_ki_protection
    async def wait_for(self, key: KeyT) -> Entry[KeyT, ValueT]:
        """Wait until a key is registered.

        Args:
            key: What is to be registered.

        Returns:
            Its entry; if it has several, the oldest. It is there when this returns: one that was
            gone again before this task could run is not returned, and the wait goes on.

        Cancellation:
            Leaves nothing behind.

        Example:
            >>> import trio
            >>> async def serve(registry):
            ...     with registry.register("web", 8080):
            ...         await trio.sleep_forever()
            >>> async def main():
            ...     registry = Registry[str, int]()
            ...     async with trio.open_nursery() as nursery:
            ...         nursery.start_soon(serve, registry)
            ...         print((await registry.wait_for("web")).value)
            ...         nursery.cancel_scope.cancel()
            >>> trio.run(main)
            8080
        """
        await trio.lowlevel.checkpoint()
        while (entry := self._first.get(key)) is None:
            # It may be gone again by the time that we run.
            await self._book.arrivals.wait(key)
        return entry

    def watch(
        self, capacity: int = 256
    ) -> AbstractContextManager[
        trio.MemoryReceiveChannel[Registered | Updated | Unregistered | Lagged]
    ]:
        """Receive what happens to entries, from now on, until the block ends.

        Nobody ever waits for a watcher. If one does not receive in time, what it has not received
        is lost, and it gets a `Lagged` that tells how much; it may look up what is registered
        then. To share the channel among tasks, clone it; to tell all to each, watch several times.

        Args:
            capacity: How many events may wait to be received, at least 1.

        Returns:
            The block, for ``with``; it gives the channel. The end of the block ends the channel.

        Raises:
            TypeError: If *capacity* is no whole number.
            ValueError: If it is below 1.

        Emits:
            Lagged: When events are lost.

        Example:
            >>> import trio
            >>> async def main():
            ...     registry = Registry[str, int]()
            ...     with registry.watch() as changes, registry.register("web", 8080):
            ...         print((await changes.receive()).entry)
            >>> trio.run(main)
            Entry('web', 8080)
        """
        check_count("capacity", capacity, least=1)
        return Watcher(self.name, capacity, self._book.watchers)

    @enable_ki_protection
    def on_change(
        self, callback: Callable[[Registered | Updated | Unregistered], object]
    ) -> Callable[[], None]:
        """Have a function called with every change of an entry, from now on, at once.

        It is for books that are kept beside the registry, and must never be behind. It is called
        synchronously, in the order of registration, when all of the change is done; with what a
        transaction has changed at its end, and never with what was undone. Whoever subscribed to
        events is told after that. What it raises is logged and ignored.

        It may change the registry itself. That is told when all were told of the present change.

        Args:
            callback: A plain function of the event.

        Returns:
            A function that removes the callback, and may be called again.

        Raises:
            TypeError: If *callback* is async or not callable.

        Example:
            >>> registry = Registry[str, int]()
            >>> remove = registry.on_change(lambda change: print(change.name, change.key))
            >>> with registry.register("web", 8080):
            ...     pass
            foundation.registry.registered web
            foundation.registry.unregistered web
        """
        if not is_plain_function(callback):
            raise TypeError(
                f"on_change takes a plain function, which is called at once, but got {callback!r}: "
                "to do more, let a task receive from Registry.watch()"
            )
        return self._book.listeners.add(callback)

    # Helpers, in order of use. Attributes are frozen before anything is looked at, for that may run
    # code of users.

    def _make(
        self,
        key: KeyT,
        value: ValueT,
        frozen: FrozenDict,
        owner: Owner | None = None,
        incarnation: int | None = None,
    ) -> Entry[KeyT, ValueT]:
        if self._keeping == "unique" and (taken := self._first.get(key)) is not None:
            raise NameTaken(self.name, key, None if taken.owner is None else taken.owner.name)
        self._serial += 1
        return Entry(key, value, frozen, owner, incarnation, self._serial, self._book)

    def _add(self, entry: Entry[KeyT, ValueT]) -> None:
        try:
            self._book.add(entry)
        except BaseException:
            # A KeyboardInterrupt in an event handler, say: nobody will ever unregister it.
            if (present := self._present(entry)) is not None:
                self._book.remove([present], "unregister")
            raise

    def _present(self, entry: Entry[KeyT, ValueT]) -> Entry[KeyT, ValueT] | None:
        """Return what an entry is now; None if it is gone."""
        if not entry.is_from(self._book):
            raise ValueError(f"{entry!r} is an entry of another registry")
        return self._book.store.by_serial.get(entry.serial)

    def _changing(self, verb: str, key: KeyT | Entry[KeyT, ValueT]) -> Entry[KeyT, ValueT]:
        self._book.check_transaction()
        if isinstance(key, Entry):
            given = cast("Entry[KeyT, ValueT]", key)
            present = self._present(given)
            if present is None:
                raise NotRegistered(self.name, given.key)
            return present
        if self._keeping == "duplicate":
            raise ValueError(
                f"a key may have several entries here, so {verb} takes one of them: write "
                f"{verb}(entry, ...), with an entry of lookup_all({key!r})"
            )
        return self.lookup(key)

    def _change(
        self, before: Entry[KeyT, ValueT], value: ValueT, frozen: FrozenDict
    ) -> Entry[KeyT, ValueT]:
        if value is _UNCHANGED:
            value = before.value
        key, owner, incarnation = before.key, before.owner, before.incarnation
        after = Entry(key, value, frozen, owner, incarnation, before.serial, self._book)
        self._book.replace(before, after)
        return after

    def _check(self) -> None:
        """Assert that all is in order, for tests."""
        complaints = [*self._book.check()]
        assert not complaints, "\n".join(complaints)


@final
class _Block(Generic[KeyT, ValueT]):
    """For as long as it is open, an entry is registered."""

    __slots__ = ("_book", "_entry", "_was_entered")

    def __init__(self, book: Book[KeyT, ValueT], entry: Entry[KeyT, ValueT]) -> None:
        self._book = book
        self._entry = entry
        self._was_entered = False

    @enable_ki_protection
    def __enter__(self) -> Entry[KeyT, ValueT]:
        if self._was_entered:
            raise RuntimeError("this block was entered before: call register again")
        self._was_entered = True
        return self._entry

    @enable_ki_protection
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        book = self._book
        book.settle()
        present = book.store.by_serial.get(self._entry.serial)
        if present is not None:
            book.remove((present,), "block")
