"""The Dask cluster that does the heavy work. The only Dask import.

``DASK_SCHEDULER_ADDRESS`` or Dask's own configuration (``scheduler-address``) names the cluster; without either, a
local one of one process a core is started for the call and stopped after it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from tsubame.errors import TsubameError, Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress = Callable[[str, int, int], None]
"""Called with the stage's name, how many of its parts are done, and how many there are."""

_IN_FLIGHT_PER_THREAD = 8
_CONNECT_SECONDS = 20
_RETRIES = 3


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
    from distributed import Client, LocalCluster

    for name in ("distributed.worker", "distributed.nanny", "distributed.scheduler", "distributed.core"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    address = dask.config.get("scheduler-address", None) or os.environ.get("DASK_SCHEDULER_ADDRESS")
    if address:
        try:
            client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise Unavailable(
                "the Dask scheduler does not answer", key=str(address), hint="Check DASK_SCHEDULER_ADDRESS."
            ) from error
        with client:
            yield client
        return
    with (
        LocalCluster(
            n_workers=_cores(),
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return max(1, len(affinity(0)) if affinity else os.cpu_count() or 1)


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
    floods the scheduler nor gathers results in memory. An item whose worker dies is tried again elsewhere.

    Raises:
        Unavailable: the cluster is lost, or an item killed every worker it was tried on (it is named).
        TsubameError: what ``function`` raised, as it is.
    """
    from distributed import as_completed

    if not items:
        progress(stage, 0, 0)
        return
    threads = max(1, sum(client.nthreads().values()))
    waiting = iter(items)
    done = 0
    progress(stage, 0, len(items))
    items_of: dict[str, Item] = {}

    def submit(item: Item) -> Any:
        future = client.submit(function, item, pure=False, retries=_RETRIES)
        items_of[future.key] = item
        return future

    queue = as_completed([submit(item) for item in _take(waiting, _IN_FLIGHT_PER_THREAD * threads)], loop=client.loop)
    try:
        for future in queue:
            item = items_of.pop(future.key)
            result = _result_of(future, item)
            future.release()
            for following in _take(waiting, 1):
                queue.add(submit(following))
            done += 1
            progress(stage, done, len(items))
            yield item, result
    finally:
        client.cancel(list(queue.futures))


def _take(source: Iterator[Item], number: int) -> Iterable[Item]:
    return [item for _, item in zip(range(number), source, strict=False)]


def _result_of(future: Any, item: object) -> Any:
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    try:
        return future.result()
    except TsubameError:
        raise
    except KilledWorker as error:
        raise Unavailable(
            "killed every worker it was given to", key=str(item), hint="Give the workers more memory."
        ) from error
    except (FutureCancelledError, OSError, TimeoutError) as error:
        raise Unavailable(
            "the Dask cluster was lost", actual=str(error).splitlines()[0] or type(error).__name__
        ) from error


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
