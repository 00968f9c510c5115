"""Parsed delegation files and region tables on the disk, each by a digest of all that it was made from.

A quarter's days share most of their files, and every run of the pipeline asks for the same tables again; parsing and
joining the five registries' files of a day costs most of a second, reading what came of it some hundredths. Files
are written beside and moved into place, so that two processes do not disturb each other; one that cannot be read,
for whatever reason, is made again.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

import tsubame.regions
from tsubame.regions.delegated import DelegatedFile, Fault, VersionLine
from tsubame.regions.overlaps import Overlaps
from tsubame.regions.table import RegionTable

LARGEST_BYTES = 2 << 30
"""What the folder may hold before the files used longest ago are removed: four quarters of daily files."""

_SUFFIX = ".arrow"
_CODECS = pa.ipc.IpcWriteOptions(compression="zstd")


class RegionCache:
    """A folder of parsed files and tables.

    Args:
        folder: made when it is needed; where it cannot be written nothing is kept, and nothing fails.
        largest_bytes: see ``LARGEST_BYTES``.
    """

    def __init__(self, folder: Path, *, largest_bytes: int = LARGEST_BYTES) -> None:
        self._folder = folder
        self._largest = largest_bytes

    def file(
        self, key: str, parts: list[bytes], make: Callable[[], tuple[DelegatedFile, bool]]
    ) -> tuple[DelegatedFile, bool]:
        """Return a parsed file and whether its MD5 was verified, as kept or as made and kept now.

        Args:
            key: name of the object, for messages only.
            parts: the bytes that it was made from: the file's, and its checksum's.
            make: reads and checks it; what it raises is passed on and not kept.
        """
        name = _name("file", *parts)
        kept = self._read(name)
        if kept is not None:
            with contextlib.suppress(KeyError, ValueError, TypeError):
                return _as_file(key, kept)
        made = make()
        self._write(name, _from_file(*made))
        return made

    def table(self, identity: object, make: Callable[[], RegionTable]) -> RegionTable:
        """Return a region table, as kept or as made and kept now.

        Args:
            identity: names all that it is made from; its ``repr`` is what counts.
            make: builds it.
        """
        name = _name("table", repr(identity).encode())
        kept = self._read(name)
        if kept is not None:
            with contextlib.suppress(KeyError, ValueError, TypeError, IndexError):
                return _as_table(kept)
        made = make()
        self._write(name, _from_table(made))
        return made

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_SUFFIX}"

    def _read(self, name: str) -> pa.Table | None:
        path = self._path(name)
        try:
            content = path.read_bytes()
            with contextlib.suppress(OSError):
                os.utime(path)
            # The last 16 bytes vouch for the rest: a file cut short by a full disk is no table.
            body, seal = content[:-16], content[-16:]
            if hashlib.blake2b(body, digest_size=16).digest() != seal:
                return None
            return pa.ipc.open_file(pa.BufferReader(body)).read_all()
        except (OSError, pa.ArrowException):
            return None

    def _write(self, name: str, table: pa.Table) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_file(sink, table.schema, options=_CODECS) as writer:
            writer.write_table(table)
        body = sink.getvalue().to_pybytes()
        with contextlib.suppress(OSError):
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=self._folder, suffix=".part")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(body + hashlib.blake2b(body, digest_size=16).digest())
                Path(temporary).replace(self._path(name))
            except OSError:
                Path(temporary).unlink(missing_ok=True)
                raise
            self._prune()

    def _prune(self) -> None:
        found = []
        for path in self._folder.glob(f"*{_SUFFIX}"):
            with contextlib.suppress(OSError):
                about = path.stat()
                found.append((about.st_mtime_ns, about.st_size, path))
        excess = sum(size for _, size, _ in found) - self._largest
        for _, size, path in sorted(found):
            if excess <= 0:
                break
            with contextlib.suppress(OSError):
                path.unlink()
            excess -= size


def open_cache() -> RegionCache:
    """Return the cache of this machine: below ``TSUBAME_CACHE_DIR``, else the user's cache folder."""
    chosen = os.environ.get("TSUBAME_CACHE_DIR")
    if chosen:
        return RegionCache(Path(chosen) / "regions")
    try:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:
        home = Path(tempfile.gettempdir())
    return RegionCache(home / "tsubame" / "regions")


@cache
def _code() -> bytes:
    """Return a digest of the code that makes what is kept: another version makes its own."""
    state = hashlib.blake2b(digest_size=16)
    for folder in tsubame.regions.__path__:
        for path in sorted(Path(folder).glob("*.py")):
            state.update(path.read_bytes())
    return state.digest()


def _name(kind: str, *parts: bytes) -> str:
    state = hashlib.blake2b(digest_size=20)
    for part in (kind.encode(), _code(), *parts):
        state.update(len(part).to_bytes(8, "little") + part)
    return f"{kind}-{state.hexdigest()}"


def _from_file(file: DelegatedFile, verified: bool) -> pa.Table:
    header: dict[str, Any] = asdict(file.header)
    for name in ("first_day", "last_day"):
        header[name] = None if header[name] is None else header[name].isoformat()
    header["utc_offset"] = file.header.utc_offset.total_seconds()
    about = {
        "identity": file.identity,
        "header": header,
        "summaries": file.summaries,
        "extended": file.extended,
        "record_lines": file.record_lines,
        "comments": list(file.comments),
        "faults": [asdict(fault) for fault in file.faults],
        "ends_with_newline": file.ends_with_newline,
        "verified": verified,
    }
    empty = {name: getattr(file, name).slice(0, 0) for name in ("asn", "ipv6")}
    forms = {name: table.schema.serialize().to_pybytes().hex() for name, table in empty.items()}
    return file.ipv4.replace_schema_metadata({"file": json.dumps(about), "forms": json.dumps(forms)})


def _as_file(key: str, kept: pa.Table) -> tuple[DelegatedFile, bool]:
    about = json.loads(kept.schema.metadata[b"file"])
    forms = json.loads(kept.schema.metadata[b"forms"])
    empty = {name: pa.ipc.read_schema(pa.py_buffer(bytes.fromhex(form))).empty_table() for name, form in forms.items()}
    header = about["header"]
    for name in ("first_day", "last_day"):
        header[name] = None if header[name] is None else date.fromisoformat(header[name])
    header["utc_offset"] = timedelta(seconds=header["utc_offset"])
    file = DelegatedFile(
        key=key,
        identity=about["identity"],
        header=VersionLine(**header),
        summaries=about["summaries"],
        extended=about["extended"],
        ipv4=kept.replace_schema_metadata(None),
        asn=empty["asn"],
        ipv6=empty["ipv6"],
        record_lines=about["record_lines"],
        comments=tuple(about["comments"]),
        faults=tuple(Fault(**fault) for fault in about["faults"]),
        ends_with_newline=about["ends_with_newline"],
    )
    return file, bool(about["verified"])


def _from_table(table: RegionTable) -> pa.Table:
    """Return a row of lists; the digests stand beside, so that they need not be made again."""
    columns = {
        "starts": pa.array(table.starts),
        "codes": pa.array(table.codes),
        "holder_codes": pa.array(table.holder_codes),
        "regions": pa.array(table.regions, pa.string()),
        "holders": pa.array(table.holders, pa.string()),
    }
    lists = {
        name: pa.ListArray.from_arrays(pa.array([0, len(values)], pa.int32()), values)
        for name, values in columns.items()
    }
    return pa.table(lists).replace_schema_metadata(
        {"overlaps": json.dumps(asdict(table.overlaps)), "digest": table.digest}
    )


def _as_table(kept: pa.Table) -> RegionTable:
    def values(name: str) -> Any:
        return kept.column(name).chunk(0).flatten()

    made = RegionTable(
        values("starts").to_numpy(),
        values("codes").to_numpy(),
        tuple(values("regions").to_pylist()),
        values("holder_codes").to_numpy(),
        # Holders recur in every day's table: interned, the tables of a quarter share their strings.
        tuple(map(sys.intern, values("holders").to_pylist())),
        Overlaps(**json.loads(kept.schema.metadata[b"overlaps"])),
    )
    made.__dict__["digest"] = kept.schema.metadata[b"digest"].decode()
    return made
