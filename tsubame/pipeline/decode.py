"""Capture file -> packet columns and an account, anywhere that fsspec can read."""

from __future__ import annotations

import contextlib
import io
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tsubame.capture.accounting import Accounting
from tsubame.capture.arrow import labels, to_arrow
from tsubame.capture.blocks import NO_TIME, Block
from tsubame.capture.reader import MOST_RECORDS, CaptureReader, open_capture
from tsubame.classify.apply import Confirmation, classify_block, new_memory, settle_tools
from tsubame.classify.rules import KINDS, TOOLS
from tsubame.errors import Unavailable
from tsubame.schemas import PACKETS
from tsubame.stores import Store, scratch_file, split_object_url

#: Called with what is being done, bytes read so far, and bytes in all (0 when that is not known).
Progress = Callable[[str, int, int], None]

_ROW_GROUP = 1 << 20
_DICTIONARIES = ["protocol", "icmp_type", "icmp_code", "tcp_flags", "ttl", "kind", "tool"]


@dataclass(slots=True)
class Decoded:
    """What one capture held.

    Attributes:
        file: the name it was asked for by.
        first_timestamp, last_timestamp: earliest and latest of all records, nanoseconds since 1970; None when
            no record has one.
        protocols: packets kept, by protocol number.
        ports: packets kept, by protocol number and destination port.
    """

    file: str
    format: str = ""
    compression: tuple[str, ...] = ()
    link_types: dict[str, int] = field(default_factory=dict)
    first_timestamp: int | None = None
    last_timestamp: int | None = None
    accounting: Accounting = field(default_factory=Accounting)
    protocols: Counter[int] = field(default_factory=Counter)
    ports: Counter[tuple[int, int]] = field(default_factory=Counter)

    def observe(self, block: Block) -> None:
        """Take a block into the summary."""
        for times in (block.column("timestamp"), block.rejects.timestamp[: block.rejected]):
            known = times[times != NO_TIME]
            if len(known):
                low, high = int(known.min()), int(known.max())
                self.first_timestamp = low if self.first_timestamp is None else min(low, self.first_timestamp)
                self.last_timestamp = high if self.last_timestamp is None else max(high, self.last_timestamp)
        columns, rows = block.columns, block.rows
        both = columns.protocol[:rows].astype(np.uint32) << 16 | columns.dst_port[:rows]
        for value, count in zip(*(part.tolist() for part in np.unique(both, return_counts=True)), strict=True):
            self.protocols[value >> 16] += count
            self.ports[value >> 16, value & 0xFFFF] += count


def decode_file(
    url: str,
    *,
    out: str | None = None,
    sensor: tuple[int, int] | None = None,
    most_records: int = MOST_RECORDS,
    progress: Progress | None = None,
) -> Decoded:
    """Decode one capture, and write its packets as Parquet when ``out`` is given.

    The capture is read twice then (a pipe into a temporary file first): which sources are tagged by a rule that
    awaits confirmation is known only at its end.

    Args:
        url: a path or any fsspec URL.
        out: a path or any fsspec URL; written whole or not at all.
        sensor: first and last address of the sensor; None keeps every destination.
        most_records: reading stops with the block that has as many, and the account says so.
        progress: told how far the file has been read.

    Raises:
        UnsupportedCapture: the file is no capture.
        BadInput: there is no such file.
        Unavailable: it cannot be read now, or ``out`` cannot be written.
    """
    if out is not None and _is_pipe(url):
        with _spooled(url) as copy:
            return _decode(url, copy, out, sensor, most_records, progress)
    return _decode(url, None, out, sensor, most_records, progress)


def _decode(
    url: str,
    copy: io.RawIOBase | None,
    out: str | None,
    sensor: tuple[int, int] | None,
    most_records: int,
    progress: Progress | None,
) -> Decoded:
    """Decode a capture, from a copy of its content where there is one."""
    decoded = Decoded(url)
    confirmation = Confirmation() if out is not None else None
    with _opened(url, "reading", progress, copy) as stream:
        capture = open_capture(stream, key=url, sensor=sensor, most_records=most_records)
        memory = new_memory()
        for block in capture.blocks():
            if confirmation is not None:
                classify_block(block, confirmation, memory)
            decoded.observe(block)
    decoded.format, decoded.compression = capture.format, capture.compression
    decoded.link_types = capture.link_types
    decoded.accounting = capture.accounting.check()
    if out is not None and confirmation is not None:
        with _opened(url, "writing", progress, copy) as stream, _replacing(out) as sink:
            capture = open_capture(stream, key=url, sensor=sensor, most_records=most_records)
            _write_packets(capture, sink, confirmation.sources, decoded)
    return decoded


def _write_packets(capture: CaptureReader, sink: Any, confirmed: NDArray[np.uint32], decoded: Decoded) -> None:
    """Write the packets of a capture as Parquet."""
    import json

    schema = PACKETS.arrow(
        {
            "format": decoded.format,
            "link_types": json.dumps(decoded.link_types),
            "accounting": json.dumps(decoded.accounting.as_dict()),
        }
    )
    with pq.ParquetWriter(
        sink, schema, compression="zstd", compression_level=1, use_dictionary=_DICTIONARIES
    ) as writer:
        batches: list[pa.RecordBatch] = []
        rows = 0
        memory = new_memory()
        for block in capture.blocks():
            classify_block(block, memory=memory)
            batches.append(_to_arrow(block, confirmed, schema))
            rows += block.rows
            if rows >= _ROW_GROUP:
                writer.write_table(pa.Table.from_batches(batches, schema), row_group_size=rows)
                batches, rows = [], 0
        if rows:
            writer.write_table(pa.Table.from_batches(batches, schema), row_group_size=rows)


def _to_arrow(block: Block, confirmed: NDArray[np.uint32], schema: pa.Schema) -> pa.RecordBatch:
    """Copy a block into Arrow; the block itself is overwritten next."""
    columns, rows = block.columns, block.rows
    arrays = []
    for column in PACKETS.columns:
        values = getattr(columns, column.name)[:rows]
        if column.name == "kind":
            arrays.append(labels(values, KINDS))
        elif column.name == "tool":
            arrays.append(labels(settle_tools(values, columns.src_address[:rows], confirmed), TOOLS))
        else:
            missing = values == NO_TIME if column.nullable else None
            arrays.append(to_arrow(values.copy(), column.type, missing))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


class _Counting(io.RawIOBase):
    """A stream that tells how far it has been read."""

    def __init__(self, stream: io.RawIOBase, told: Callable[[int], None]) -> None:
        super().__init__()
        self._stream = stream
        self._told = told
        self._done = 0

    def readinto(self, buffer: Any) -> int:
        size = self._stream.readinto(buffer) or 0
        self._done += size
        self._told(self._done)
        return size


def _is_pipe(url: str) -> bool:
    """Say whether what is read of a path is gone afterwards."""
    path = Path(url.removeprefix("file://"))
    with contextlib.suppress(OSError):
        return path.is_fifo() or path.is_char_device() or path.is_socket()
    return False


@contextlib.contextmanager
def _spooled(url: str) -> Iterator[io.RawIOBase]:
    """Copy what comes out of a pipe to a temporary file."""
    store, key = split_object_url(url)
    with scratch_file() as copy, store.open(key) as stream:
        shutil.copyfileobj(stream, copy, 1 << 20)
        yield copy


@contextlib.contextmanager
def _opened(
    url: str, doing: str, progress: Progress | None, copy: io.RawIOBase | None = None
) -> Iterator[io.RawIOBase]:
    if copy is not None:
        copy.seek(0)
        yield copy
        return
    store, key = split_object_url(url)
    stream = store.open(key)
    try:
        if progress is None:
            yield stream
        else:
            info = store.info(key)
            total = info.size if info else 0
            yield _Counting(stream, lambda done: progress(doing, done, total))
    finally:
        stream.close()


@contextlib.contextmanager
def _replacing(out: str) -> Iterator[Any]:
    """Give a sink whose content becomes ``out`` when all of it is written, and never a part of it."""
    if "://" in out and not out.startswith("file://"):
        store, key = split_object_url(out)
        buffer = io.BytesIO()
        yield buffer
        store.put(key, buffer.getvalue())
        return
    path = Path(out.removeprefix("file://"))
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with beside.open("wb") as sink:
            yield sink
        beside.replace(path)
    except OSError as error:
        raise Unavailable("cannot be written", key=out, actual=(error.strerror or str(error)).lower()) from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


__all__ = ["Decoded", "Progress", "Store", "decode_file"]
