"""A search, and how it runs."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    closing,
    nullcontext,
)
from typing import Any, TypeAlias, cast, final

import trio
from trio.lowlevel import enable_ki_protection

from .._base import check_async_fn, fits, name_of
from ..tasks import Failed, open_map
from ._book import Book
from ._errors import TooManyFailures
from ._journal import Journal, Record, read_record, same_file
from ._options import Options
from ._result import SearchResult
from ._rules import (
    Draws,
    Line,
    SearchSpace,
    Units,
    header_of,
    latin_hypercube_units,
    random_units,
)
from ._sobol import sobol_units
from ._trials import Runner

__all__ = ["Search"]

Block: TypeAlias = AbstractAsyncContextManager[trio.abc.ReceiveChannel[Any]]


@final
class Search:
    """A search that is about to run, checked."""

    def __init__(
        self, space: SearchSpace, evaluate: Callable[[dict[str, Any]], Any], options: Options
    ) -> None:
        _check(space, evaluate, options)
        self._options = options
        self._record = _record_of(options)
        seed = _seed_of(options.seed, self._record)
        self._seed = seed
        self._space = space
        if self._record is not None:
            self._record.check_header(self._header())
        self._draws = Draws(
            space, _units_of(options, len(space.dimensions), seed), options.iterations
        )
        self._book = Book(
            name=name_of(evaluate),
            space=space,
            seed=seed,
            maximize=options.maximize,
            iterations=options.iterations,
            draws=self._draws,
            on_trial=options.on_trial,
        )
        self._runner = Runner(
            self._book,
            timeout=options.trial_timeout,
            max_failures=options.max_failures,
            pruner=options.pruner,
            is_deaf=options.run_in == "thread",
        )
        self._block = self._open(evaluate)

    # Else an interrupt could come between the block of the map and the call that leaves it.
    @enable_ki_protection
    async def run(self) -> SearchResult:
        options, book = self._options, self._book
        if self._record is not None:
            for drawn in self._draws.catch_up(self._record.pages.lines):
                trial = self._record.find(drawn.index, drawn.params)
                book.note(trial)
                self._runner.remember(trial)
        with self._open_journal() as book.journal:
            await self._run_trials()
        result = book.result(is_over=self._runner.is_over)
        book.tell_end(result)
        if self._runner.error is not None:
            raise self._runner.error
        if self._runner.has_too_many_failures:
            assert options.max_failures is not None
            raise TooManyFailures(options.max_failures, result)
        return result

    async def _run_trials(self) -> None:
        try:
            async with self._block as results:
                async for result in results:
                    if isinstance(result, Failed):
                        raise result.error
                    if self._runner.is_over:
                        break
        except trio.Cancelled:
            # By the caller, who gets what there is, and is cancelled at his next checkpoint.
            pass

    def _open(self, evaluate: Callable[[dict[str, Any]], Any]) -> Block:
        options = self._options
        maps: Any = open_map  # whose overloads go by the value of run_in
        block: Block = maps(
            evaluate,
            self._draws,
            limit=options.parallelism,
            ordered=False,
            run_in=options.run_in,
            retry=self._runner,
            tasks=options.tasks,
        )
        return block

    def _open_journal(self) -> AbstractContextManager[Journal | None]:
        path = self._options.journal
        if path is None:
            return nullcontext()
        return closing(Journal(path, self._header(), self._record))

    def _header(self) -> Line:
        # Made only where there is a journal: to have words for a value may take its time.
        options = self._options
        return header_of(
            self._space,
            seed=self._seed,
            sampler=options.sampler,
            iterations=options.iterations,
            maximize=options.maximize,
        )


# Helpers, in order of use


def _check(space: object, evaluate: object, options: Options) -> None:
    if not isinstance(space, SearchSpace):
        raise TypeError(
            f"random_search takes a space first, such as SearchSpace(x=Uniform(0, 1)), not {space!r}"
        )
    check_async_fn("random_search", evaluate, before=(space,))
    if not fits(cast(Callable[..., object], evaluate), {}):
        is_async = "async " if options.run_in == "task" else ""
        raise TypeError(
            f"{name_of(evaluate)} must take one argument, a dictionary of settings: write "
            f"{is_async}def evaluate(params): ..."
        )


def _record_of(options: Options) -> Record | None:
    path = options.resume_from
    if path is None:
        return None
    goes_on = options.journal is not None and same_file(path, options.journal)
    return read_record(path, must_exist=not goes_on)


def _seed_of(seed: int | None, record: Record | None) -> int:
    if seed is None and record is not None:
        seed = record.seed
    return random.SystemRandom().getrandbits(48) if seed is None else seed


def _units_of(options: Options, size: int, seed: int) -> Units:
    if options.sampler == "sobol":
        return sobol_units(seed, size)
    if options.sampler == "latin_hypercube":
        return latin_hypercube_units(seed, size, int(options.iterations))
    return random_units(seed, size)
