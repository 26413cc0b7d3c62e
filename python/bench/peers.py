"""The caches that are compared, each as one way to decorate a function."""

from __future__ import annotations

import functools
import logging
import os
import threading
from collections.abc import Callable
from typing import Any

os.environ.setdefault("STREAMLIT_LOGGER_LEVEL", "critical")
os.environ.setdefault("STREAMLIT_BROWSER_GATHER_USAGE_STATS", "false")

import aiocache
import async_lru
import asyncstdlib
import cachebox
import cachetools
import cashews
import streamlit as st

import tenure

# Streamlit warns at every call outside an app, and sets its own levels again when a script runs.
logging.disable(logging.CRITICAL)

Function = Callable[..., Any]
HOUR = 3600.0
UNBOUNDED = 2**40


def with_tenure(function: Function, max_entries: int | None = None) -> Function:
    """Tenure as anyone uses it, without a spinner."""
    return tenure.cache_resource(function, max_entries=max_entries, show_spinner=False)


def with_streamlit(function: Function, max_entries: int | None = None) -> Function:
    """Streamlit's own decorator, without a spinner."""
    return st.cache_resource(function, max_entries=max_entries, show_spinner=False)


def with_lru_cache(function: Function, max_entries: int | None = None) -> Function:
    """The standard library's cache; it has neither a time to live nor one build per key."""
    return functools.lru_cache(maxsize=max_entries)(function)


def with_cachetools(function: Function, max_entries: int | None = None) -> Function:
    """cachetools with a time to live and a lock."""
    cache: Any = cachetools.TTLCache(maxsize=max_entries or UNBOUNDED, ttl=HOUR)
    cached = cachetools.cached(cache, lock=threading.RLock())(function)
    cached.clear = cache.clear
    return cached


def with_cachebox(function: Function, max_entries: int | None = None) -> Function:
    """cachebox with a time to live."""
    cache: Any = cachebox.TTLCache(max_entries or 0, HOUR)
    cached = cachebox.cached(cache, postprocess=None)(function)
    cached.clear = cache.clear
    return cached


def with_async_lru(function: Function) -> Function:
    """async-lru: one build per key, which is a task."""
    return async_lru.alru_cache(maxsize=None)(function)


def with_asyncstdlib(function: Function) -> Function:
    """asyncstdlib's lru_cache: callers at one time build each for itself."""
    return asyncstdlib.lru_cache(maxsize=None)(function)


def with_aiocache(function: Function) -> Function:
    """aiocache in memory, with a time to live."""
    return aiocache.cached(ttl=HOUR, cache=aiocache.Cache.MEMORY)(function)


def with_cashews(function: Function) -> Function:
    """cashews in memory; it has no cache without a time to live."""
    cache = cashews.Cache()
    cache.setup("mem://")
    return cache(ttl=HOUR)(function)


PEERS: dict[str, Callable[..., Function]] = {
    "tenure": with_tenure,
    "streamlit": with_streamlit,
    "lru_cache": with_lru_cache,
    "cachetools": with_cachetools,
    "cachebox": with_cachebox,
}

ASYNC_PEERS: dict[str, Callable[[Function], Function]] = {
    "tenure": with_tenure,
    "streamlit": with_streamlit,
    "async-lru": with_async_lru,
    "asyncstdlib": with_asyncstdlib,
    "aiocache": with_aiocache,
    "cashews": with_cashews,
}


def clear(peer: str, cached: Any) -> None:
    """Empties the cache of a decorated function."""
    (cached.cache_clear if peer in ("lru_cache", "async-lru") else cached.clear)()
