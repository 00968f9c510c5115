"""The Dask cluster that does the heavy work. The only Dask import.

``DASK_SCHEDULER_ADDRESS`` or Dask's own configuration (``scheduler-address``) names a cluster that runs. Without
either, Dask's configuration may name a class to start one with, whatever it is (KubeCluster, SLURMCluster, Gateway)::

    tsubame:
      cluster:
        class: dask_jobqueue.SLURMCluster      # or DASK_TSUBAME__CLUSTER__CLASS
        arguments: {cores: 8, memory: 32GB}    # or DASK_TSUBAME__CLUSTER__ARGUMENTS
        workers: 20                            # scale to so many, or
        adapt: {minimum: 2, maximum: 40}       # let the cluster follow the work
        wait: 300s                             # for the first worker

Without that, a local one of one process a core is started. A cluster that is started for a call is stopped after it.
"""

from __future__ import annotations

import importlib
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from tsubame.errors import TsubameError, Unavailable, UsageError
from tsubame.provenance import build_name

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]
"""Called with the stage's name, how many of its parts are done, and how many there are."""

_IN_FLIGHT_PER_THREAD = 8
_CONNECT_SECONDS = 20
_RETRIES = 3
_SILENT_SECONDS = 60
"""A local worker that says nothing for so long, being stopped or hung, is ended and its work done by another; a run
whose clock was set back ends.

Dask's own 5 minutes are for hosts that are far; less would end workers that a busy machine only keeps waiting.
"""
_ENVIRON, _DASK_TRIMS_AT = "distributed.nanny.pre-spawn-environ", 65536
_ALLOCATION = {"MALLOC_TRIM_THRESHOLD_": 128 << 20, "MALLOC_MMAP_THRESHOLD_": 32 << 20}
"""Bytes that workers may keep for the next array, and from which one is given back at once.

With Dask's own 64 KiB every array is taken anew from the system, page by page: counting a day took twice the CPU.
"""
_LOOK_SECONDS = 0.1
_LOOK_AGAIN_EVERY = 64
"""Items until the number of threads is asked for again: an adaptive cluster grows with its work."""


def silent(stage: str, done: int, total: int) -> None:
    """A Progress that says nothing."""


_open: list[Any] = []
"""The client of the enclosing ``connect``, if there is one."""


@contextmanager
def connect() -> Iterator[Any]:
    """Yield a ``distributed.Client`` of the configured cluster, or of a local one.

    Inside another ``connect`` it is the same client: a caller of several steps starts its workers once.

    Raises:
        Unavailable: the configured scheduler does not answer.
    """
    if _open:
        yield _open[-1]
        return
    with _new_client() as client:
        _open.append(client)
        try:
            yield client
        finally:
            _open.pop()


@contextmanager
def _new_client() -> Iterator[Any]:
    import dask
    from distributed import Client

    for name in ("distributed.worker", "distributed.nanny", "distributed.scheduler", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address = dask.config.get("scheduler-address", None) or os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        with _client_of(address, str(address)) as client:
            _await_workers(client, str(address))
            yield client
        return
    name = dask.config.get("tsubame.cluster.class", None)
    with dask.config.set({_ENVIRON: _environ_of_workers()}):
        if name:
            with _started(str(name)) as cluster, _client_of(cluster, str(name)) as client:
                if not dask.config.get("tsubame.cluster.adapt", None):
                    _await_workers(client, str(name))
                yield client
        else:
            with _local() as cluster, Client(cluster, set_as_default=False) as client:
                yield client


def _environ_of_workers() -> dict[str, Any]:
    """Return what Dask sets for processes of workers; what somebody configured stays."""
    import dask

    environ = dict(dask.config.get(_ENVIRON, None) or {})
    return environ | _ALLOCATION if environ.get("MALLOC_TRIM_THRESHOLD_") == _DASK_TRIMS_AT else environ


def _client_of(cluster: Any, name: str) -> Any:
    from distributed import Client

    try:
        return Client(cluster, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise Unavailable(
            "the Dask scheduler does not answer", key=name,
            hint="Check DASK_SCHEDULER_ADDRESS, and with TLS its certificates.",
        ) from error  # fmt: skip


def _local() -> Any:
    import dask
    from dask.utils import parse_timedelta
    from distributed import LocalCluster

    configured = dask.config.get("distributed.scheduler.worker-ttl")
    silent_seconds = min(parse_timedelta(configured), _SILENT_SECONDS) if configured else None
    return LocalCluster(
        n_workers=_cores(),
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        silence_logs=logging.CRITICAL,
        scheduler_kwargs={"worker_ttl": silent_seconds},
    )


@contextmanager
def _started(name: str) -> Iterator[Any]:
    """Start the cluster whose class Dask's configuration names, and close it at the end."""
    import dask

    arguments = dask.config.get("tsubame.cluster.arguments", None) or {}
    workers, adapt = (dask.config.get(f"tsubame.cluster.{key}", None) for key in ("workers", "adapt"))
    module, _, attribute = name.rpartition(".")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            "no cluster class of this name can be imported", key="tsubame.cluster.class", actual=repr(name),
            hint="Install its package, or correct Dask's configuration.",
        ) from error  # fmt: skip
    try:
        cluster = kind(**arguments)
        if adapt:
            cluster.adapt(**adapt)
        elif workers is not None:
            cluster.scale(int(workers))
    except TsubameError:
        raise
    except Exception as error:
        # Whatever class it is: what it raises is its own, and the caller can only try again or mend the settings.
        raise Unavailable(
            "the cluster does not start", key=name, actual=_said(error), hint="Check tsubame.cluster.arguments."
        ) from error
    with cluster:
        yield cluster


def _await_workers(client: Any, name: str) -> None:
    import dask
    from dask.utils import parse_timedelta

    seconds = parse_timedelta(dask.config.get("tsubame.cluster.wait", "300s"))
    try:
        client.wait_for_workers(1, timeout=seconds)
    except TimeoutError as error:
        raise Unavailable(
            f"the cluster has no worker after {seconds:.0f} s", key=name, hint="Start workers, then run it again."
        ) from error


def _said(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity else os.cpu_count() or 1)


class SetAside(Unavailable):
    """Some items killed every worker that they were given to, each by itself as well; all others are done.

    Args:
        items: their names.
    """

    def __init__(self, what: str, *, items: Sequence[str] = (), **where: Any) -> None:
        super().__init__(what, **where)
        self.items = tuple(items)


def spread(
    client: Any,
    function: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    stage: str,
    progress: Progress = silent,
) -> Iterator[tuple[Item, Result]]:
    """Yield ``(item, function(item))`` for every item as each is done, in no particular order.

    Only some items per worker thread are under way at once, so that a quarter of 10,000 objects neither
    floods the scheduler nor gathers results in memory. An item whose worker dies is tried again elsewhere. Dask
    blames a death on all that the worker held, so what was blamed too often is tried once more with nothing beside it.

    Raises:
        SetAside: after all others are done: items that killed every worker they were tried on, by name.
        Unavailable: the cluster is lost, or its workers run another version of this library.
        TsubameError: what ``function`` raised, as it is.
    """
    if not items:
        progress(stage, 0, 0)
        return
    done = 0
    progress(stage, 0, len(items))
    left: list[Item] = list(items)
    for at_once in (None, 1):
        blamed: list[Item] = []
        for item, result in _rounds(client, function, left, blamed, at_once):
            done += 1
            progress(stage, done, len(items))
            yield item, result
        left = blamed
        if not left:
            return
    names = sorted(map(str, left))
    raise SetAside(
        f"{len(names)} of {len(items)} objects killed every worker they were given to; the others are done",
        key=", ".join(names[:5]) + (" and others" if len(names) > 5 else ""), items=names,
        hint="Give the workers more memory, or take the objects away.",
    )  # fmt: skip


def _rounds(
    client: Any, function: Callable[[Item], Result], items: Sequence[Item], blamed: list[Item], at_once: int | None
) -> Iterator[tuple[Item, Result]]:
    """Yield what is done; what killed its workers is added to ``blamed`` instead."""
    from distributed import KilledWorker, as_completed

    waiting = iter(items)
    items_of: dict[str, Item] = {}

    def submit(number: int) -> list[Any]:
        taken = [item for _, item in zip(range(number), waiting, strict=False)]
        futures = [client.submit(_on_worker, build_name(), function, i, pure=False, retries=_RETRIES) for i in taken]
        items_of.update(zip((future.key for future in futures), taken, strict=True))
        return futures

    limit = at_once or _in_flight(client)
    queue = as_completed(submit(limit), loop=client.loop)
    try:
        for number, future in enumerate(_arriving(queue), 1):
            item = items_of.pop(future.key)
            try:
                result = _result_of(future)
            except KilledWorker:
                blamed.append(item)
            else:
                yield item, result
            future.release()
            if number % _LOOK_AGAIN_EVERY == 0 and at_once is None:
                limit = _in_flight(client)
            for following in submit(max(0, limit - len(items_of))):
                queue.add(following)
    finally:
        client.cancel(list(queue.futures))


def _arriving(queue: Any) -> Iterator[Any]:
    """Yield the futures of an ``as_completed`` as they are done.

    Raises:
        Unavailable: this machine's clock was set back, and nothing was done for a minute since. Dask holds messages
            until an instant of the wall clock, so it can be silent for as long as the clock went back. An object that
            takes longer than a minute is not told from silence then: only a run whose clock was set back ends for it.
    """
    ahead, since = time.time() - time.monotonic(), None
    while not queue.is_empty():
        if queue.has_ready():
            yield next(queue)
            since = None
            continue
        with queue.thread_condition:
            queue.thread_condition.wait(timeout=_LOOK_SECONDS)
        now = time.monotonic()
        ahead = max(ahead, time.time() - now)
        back = ahead - (time.time() - now)
        # Shorter silence ends by itself.
        since = (since or now) if back > _SILENT_SECONDS else None
        if since and now - since > _SILENT_SECONDS:
            raise Unavailable(
                "Dask is silent since this machine's clock was set back", actual=f"{back:,.0f} s",
                hint="Run it again; what is done stays done.",
            )  # fmt: skip


def _in_flight(client: Any) -> int:
    return _IN_FLIGHT_PER_THREAD * max(1, int(sum(client.nthreads().values())))


def _on_worker(version: str, function: Callable[[Item], Result], item: Item) -> Result:
    """Run on a worker what the client asks for, if both are of one version; whenever the worker joined."""
    if version != build_name():
        raise Unavailable(
            "the Dask workers run another version of tsubame", expected=version, actual=build_name(),
            hint="Install the same version everywhere.",
        )  # fmt: skip
    return function(item)


def _result_of(future: Any) -> Any:
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        return future.result()
    except (TsubameError, KilledWorker):
        raise
    except ModuleNotFoundError as error:
        raise Unavailable(
            "the Dask workers lack a library", actual=_said(error), hint="Install the same version everywhere."
        ) from error
    except (FutureCancelledError, OSError, TimeoutError) as error:
        raise Unavailable("the Dask cluster was lost", actual=_said(error)) from error


def merge_tree(parts: Iterable[Result], merge: Callable[[Result, Result], Result]) -> Result | None:
    """Merge parts pairwise as they come, so that each takes part in about log2(n) merges.

    ``merge`` must be associative and commutative. Returns None when there is no part.
    """
    levels: list[Result | None] = []
    for part in parts:
        carry = part
        for level, held in enumerate(levels):
            if held is None:
                levels[level] = carry
                break
            carry, levels[level] = merge(held, carry), None
        else:
            levels.append(carry)
    whole: Result | None = None
    for held in levels:
        if held is not None:
            whole = held if whole is None else merge(held, whole)
    return whole
