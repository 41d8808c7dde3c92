"""The registry."""

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

    An entry lasts as long as a block, with `register`, or an incarnation of a child, with `bind`.
    Its attributes have any names and values.

    All but `wait_for` are plain functions: no other task runs in between. A registry is for one
    Trio run at a time, in that run's thread.

    Args:
        keys: Whether a key has at most one entry, ``unique``, or any number, ``duplicate``.
        indexes: The attributes by which entries are found fast; one within another as a path,
            ``"resources.memory"``. Members of a set, list or tuple are indexed one by one.
        name: For errors and events.

    Raises:
        TypeError: An argument is of the wrong kind.
        ValueError: One makes no sense.

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
        """The registry's name."""
        return self._book.name

    # Coming and going

    @enable_ki_protection
    def register(
        self, key: KeyT, value: ValueT, **attributes: object
    ) -> AbstractContextManager[Entry[KeyT, ValueT]]:
        """Register a value, until the block ends.

        It is there at once, and without ``with`` until `unregister`. The end of the block removes
        this entry only.

        Args:
            key: What it is registered as.
            value: What is registered.
            **attributes: What it is found by. Mappings, lists, tuples and sets are copied. Those
                called ``key`` or ``value`` are given by `update`.

        Returns:
            The block, which gives the entry.

        Raises:
            NameTaken: The key is registered, and keys are unique.
            ValueError: An attribute has a dot in its name.

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

        The entry is gone before the supervisor acts on the exit, crash or stop. The next
        incarnation registers anew.

        Args:
            key: What it is registered as.
            value: What is registered.
            owner: `current_child`, or another that runs or is about to start for the first time.
            **attributes: As for `register`; ``owner`` too is given by `update`.

        Returns:
            The entry.

        Raises:
            NameTaken: The key is registered, and keys are unique.
            OwnerNotRunning: No incarnation of *owner* runs.
            TypeError: *owner* is no child.
            ValueError: An attribute has a dot in its name.

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
        """Remove what is registered, if anything is.

        Args:
            key: A key, for all its entries; or one entry.

        Raises:
            ValueError: The entry is of another registry.

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
        """Change some attributes of an entry, or its value; place and owner stay.

        Args:
            key: A key, if keys are unique; or an entry, never a later one of its key.
            value: The new value.
            **attributes: Those that change; one set to None is kept, as None.

        Returns:
            The entry as it is now.

        Raises:
            NotRegistered: It is not there, or not any more.
            ValueError: A key is given and keys are not unique, the entry is of another registry,
                or an attribute has a dot in its name.

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
        """Replace all attributes of an entry, and its value if given; place and owner stay.

        Args:
            key: As for `update`.
            value: The new value.
            **attributes: All attributes from now on.

        Returns:
            The entry as it is now.

        Raises:
            NotRegistered: It is not there, or not any more.
            ValueError: As for `update`.

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
        """Return the entry of a key, the oldest of several.

        Raises:
            NotRegistered: There is none.

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

        Example:
            >>> registry = Registry[str, str](keys="duplicate")
            >>> with registry.register("news", "ann"), registry.register("news", "bob"):
            ...     [entry.value for entry in registry.lookup_all("news")]
            ['ann', 'bob']
        """
        return [*self._book.store.all_of(key)]

    def get(self, key: KeyT) -> Entry[KeyT, ValueT] | None:
        """Return the entry of a key, the oldest of several; None if it has none.

        Example:
            >>> print(Registry[str, int]().get("web"))
            None
        """
        return self._first.get(key)

    def find(self, /, **equal: object) -> list[Entry[KeyT, ValueT]]:
        """Return the entries with these attributes, in order of registration.

        Args:
            **equal: The attributes, compared as by `where`; one within another is written
                ``**{"resources.memory": 0.5}``. Without any, all entries are returned.

        Raises:
            ValueError: A name is no path.

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

        The index that leaves the fewest entries is asked; those are compared one by one.

        Args:
            *criteria: Made by `where`. Without any, all entries are returned.

        Raises:
            TypeError: One is no criterion.

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
        """Make all changes in the block, or none: an error that leaves it undoes them.

        Whoever watches or waits is told at its end. A transaction within another may fail alone; it
        is told of at the end of the outer one.

        Do not await in the block: if other tasks could run, it is undone, as soon as one of them
        changes anything or at its end.

        Returns:
            The block.

        Raises:
            RuntimeError: Other tasks could run within.

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

        Returns:
            Its entry, the oldest of several, which is there when this returns.

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
        """Receive what happens to entries, until the block ends.

        Nobody waits for a watcher. One that is too slow loses what it has not received, and gets a
        `Lagged` instead; it may look up what is registered then. To share the events among tasks,
        clone the channel; to give each all of them, watch several times.

        Args:
            capacity: How many events may wait to be received, at least 1.

        Returns:
            The block, which gives the channel, and closes it.

        Raises:
            TypeError: *capacity* is no whole number.
            ValueError: It is below 1.

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
        """Have a plain function called with every change of an entry, at once.

        Functions are called in the order in which they were added, when the change is complete, and
        before subscribers to events; with the changes of a transaction at its end, never with what
        was undone. What one raises is logged and ignored. What one changes in the registry is told
        when all know of the present change.

        Args:
            callback: A plain function of the event.

        Returns:
            A function that removes the callback, and may be called again.

        Raises:
            TypeError: *callback* is async or not callable.

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
        """Return an entry as it is now; None if it is gone."""
        if not entry.is_from(self._book):
            raise ValueError(
                f"{entry!r} is an entry of another registry: call the method of that one"
            )
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
        """Assert that all is in order."""
        complaints = [*self._book.check()]
        assert not complaints, "\n".join(complaints)


@final
class _Block(Generic[KeyT, ValueT]):
    """Keeps an entry registered while it is open."""

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
