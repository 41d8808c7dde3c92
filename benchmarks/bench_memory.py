"""What it costs to remember: caches, registries, serial operations and sagas."""

from __future__ import annotations

from . import _memory_cache, _memory_registry, _memory_workflows

__all__ = ["BENCHMARKS"]

BENCHMARKS = (
    *_memory_cache.BENCHMARKS,
    *_memory_registry.BENCHMARKS,
    *_memory_workflows.BENCHMARKS,
)
