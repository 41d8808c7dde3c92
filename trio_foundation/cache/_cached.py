"""An async function that remembers its results."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Hashable
from types import MethodType
from typing import Any, Concatenate, Final, Generic, ParamSpec, TypeVar, Unpack, final, overload

from trio.lowlevel import enable_ki_protection

from .._base import awaitable_of, check_async_fn, is_plain_function, name_of
from ._cache import Cache
from ._options import CacheOptions

__all__ = ["CachedFunction", "cached"]

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")

KEYWORDS: Final = object()
"""Keeps positional arguments apart from the others."""


@final
class CachedFunction(Generic[P, R]):
    """An async function that remembers its results: what `cached` returns.

    Of a method, the object is part of the key: it must be hashable, and its results keep it alive.
    Forget them through the class: ``Shop.price.forget(shop, "apples")``.

    Cancellation:
        As in `Cache.get_or_load`, with the function as the load.

    Example:
        >>> import trio
        >>> @cached(ttl=60.0)
        ... async def price(product):
        ...     print("asking for", product)
        ...     return 1.5
        >>> async def main():
        ...     print(await price("apples"), await price("apples"))
        ...     price.forget("apples")
        ...     print(await price("apples"), price.cache.statistics().hits)
        >>> trio.run(main)
        asking for apples
        1.5 1.5
        asking for apples
        1.5 1
    """

    cache: Cache[Hashable, R]
    """The results, by the tuple of the arguments or what *key* returns."""

    def __init__(
        self,
        async_fn: Callable[P, Awaitable[R]],
        cache: Cache[Hashable, R],
        key: Callable[..., Hashable],
    ) -> None:
        functools.update_wrapper(self, async_fn)
        self.cache = cache
        self._async_fn = async_fn
        self._key = key
        self._class: type | None = None
        """Whose method it is."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._class = owner

    def __repr__(self) -> str:
        return f"<CachedFunction {self.cache.name!r}: {len(self.cache)} results>"

    @enable_ki_protection
    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Return the result, from the cache or the function."""

        async def load() -> R:
            fn = self._async_fn
            return await awaitable_of("cached", fn, fn(*args, **kwargs))

        return await self.cache.get_or_load(self._key(*args, **kwargs), load)

    def forget(self, *args: P.args, **kwargs: P.kwargs) -> bool:
        """Forget the result for these arguments; one under way is not kept.

        Returns:
            Whether there was one.

        Raises:
            TypeError: The first argument of a method is no object of its class.
        """
        # Python looks up *forget* on a bound method as well, but does not tell of which object.
        if self._class is not None and not (args and isinstance(args[0], self._class)):
            method = f"{self._class.__name__}.{name_of(self._async_fn)}"
            raise TypeError(f"{method} is a method: write {method}.forget(its object, ...)")
        return self.cache.delete(self._key(*args, **kwargs))

    @overload
    def __get__(self, instance: None, owner: type) -> CachedFunction[P, R]: ...
    @overload
    def __get__(
        self: CachedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> Callable[Q, Coroutine[Any, Any, R]]: ...
    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)


@overload
def cached(async_fn: Callable[P, Awaitable[R]], /) -> CachedFunction[P, R]: ...
@overload
def cached(
    *, key: Callable[..., Hashable] | None = None, **options: Unpack[CacheOptions]
) -> Callable[[Callable[P, Awaitable[R]]], CachedFunction[P, R]]: ...
def cached(
    async_fn: Callable[P, Awaitable[R]] | None = None,
    /,
    *,
    key: Callable[..., Hashable] | None = None,
    **options: Unpack[CacheOptions],
) -> Any:
    """Make an async function remember its results, in a `Cache` of its own.

    Calls with the same arguments at the same time call it once: see `Cache.get_or_load`. As with
    `functools.lru_cache`, ``f(1)`` and ``f(x=1)`` are remembered apart, ``f(1)`` and ``f(1.0)`` are
    not.

    Args:
        async_fn: The function; left out with options: ``@cached(ttl=60.0)``.
        key: A plain function of the same arguments that returns what stands for them; by default
            they do, and have to be hashable.
        **options: Those of `Cache`. *name* is by default the function's.

    Returns:
        The function that remembers, or a decorator.

    Raises:
        TypeError: *async_fn* cannot be an async function, or an option is of the wrong kind.
        ValueError: An option that makes no sense.

    Example:
        >>> import trio
        >>> @cached(max_size=1_000, ttl=60.0, key=lambda session, user: user)
        ... async def age(session, user):
        ...     return 30
        >>> async def main():
        ...     print(await age(object(), "alice"), await age(object(), "alice"))
        ...     print(age.cache.statistics().loads)
        >>> trio.run(main)
        30 30
        1
    """
    if key is not None and not is_plain_function(key):
        raise TypeError(f"key must be a plain function of the same arguments, not {key!r}")

    def decorate(async_fn: Callable[P, Awaitable[R]]) -> CachedFunction[P, R]:
        check_async_fn("cached", async_fn)
        own: CacheOptions = {"name": name_of(async_fn), **options}
        return CachedFunction(async_fn, Cache[Hashable, R](**own), key or key_of)

    return decorate if async_fn is None else decorate(async_fn)


def key_of(*args: Hashable, **kwargs: Hashable) -> Hashable:
    """Return what stands for the arguments."""
    return (*args, KEYWORDS, *sorted(kwargs.items())) if kwargs else args
