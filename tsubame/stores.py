"""Object stores: list, read, put whole objects atomically. The only place that knows fsspec.

A put leaves the old object or the new one, never a part: on S3 a PUT (or completed multipart upload) is
atomic by itself; on a file system the bytes go to a hidden file beside and are renamed.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeGuard, cast

import fsspec

from tsubame import s3
from tsubame.errors import BadInput, Unavailable

_READ_BLOCK = 8 * 2**20
_PART = 16 * 2**20
_TEMPORARY = ".~put-"


@dataclass(frozen=True, slots=True, order=True)
class ObjectInfo:
    """One object of a store.

    Attributes:
        key: relative to the store's URL.
        size: bytes.
        etag: changes when the content is replaced; on a file system, modification time and size.
        modified: when it was written, in seconds since 1970; None where the store does not tell.
    """

    key: str
    size: int
    etag: str
    modified: float | None = field(default=None, compare=False)


class Store:
    """A bucket, or a folder used as one.

    Args:
        url: any fsspec URL (``s3://bucket/prefix``, ``memory://x``, ``file:///data``) or a path.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        with _translated(url, "cannot be opened"):
            remote = "://" in url and not url.startswith(("file:", "memory:"))
            options = s3.options() if url.startswith("s3:") else {"use_listings_cache": False} if remote else {}
            self._fs, self._root = fsspec.core.url_to_fs(url, **options)
            if self._is_s3:
                self._fs.retries = s3.RETRIES
        self._root = self._root.rstrip("/")
        self._local = "file" in ([self._fs.protocol] if isinstance(self._fs.protocol, str) else self._fs.protocol)

    def __repr__(self) -> str:
        return f"Store({self.url!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Store, (self.url,)

    def locate(self, key: str) -> str:
        """Return the URL or path of an object, for messages."""
        if key and self.url == ".":
            return key
        return f"{self.url.rstrip('/')}/{key}" if key else self.url

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root

    def list(self, prefix: str = "") -> Iterator[ObjectInfo]:
        """Yield the objects whose keys begin with ``prefix``, in the order of their keys.

        A store that does not exist yet lists as empty.

        Raises:
            Unavailable: the store does not answer or refuses.
        """
        folder, _, rest = prefix.rpartition("/")
        with _translated(self.locate(prefix), "cannot be listed"):
            try:
                found = self._fs.find(
                    self._path(folder),
                    detail=True,
                    **({} if self._local else {"prefix": rest} if self._is_s3 and rest else {}),
                )
            except FileNotFoundError as error:
                s3.require_bucket(error, self.locate(prefix))
                found = {}
        start = len(self._root) + 1
        for path in sorted(found):
            key = (
                path[start:]
                if path.startswith(self._root + "/")
                else path.lstrip("/")[len(self._root.lstrip("/")) + 1 :]
            )
            if key.startswith(prefix) and _TEMPORARY not in key:
                yield self._describe(key, found[path])

    def folders(self, prefix: str = "") -> Sequence[str]:
        """Return the names of the folders directly below a folder, sorted; one cheap listing.

        Raises:
            Unavailable: the store does not answer or refuses.
        """
        return [name for name, is_folder in self.entries(prefix) if is_folder]

    def entries(self, prefix: str = "") -> Sequence[tuple[str, bool]]:
        """Return the names directly below a folder, sorted, and whether each is a folder; one cheap listing.

        Raises:
            Unavailable: the store does not answer or refuses.
        """
        path = self._path(prefix.rstrip("/"))
        with _translated(self.locate(prefix), "cannot be listed"):
            try:
                found = self._fs.ls(path, detail=True)
            except (FileNotFoundError, NotADirectoryError) as error:
                s3.require_bucket(error, self.locate(prefix))
                return []
        # A set: an object and a folder may bear one name on S3. A console's empty "folder/" lists as its own content.
        named = {
            (str(entry["name"]).rstrip("/").rpartition("/")[2], entry["type"] == "directory")
            for entry in found
            if str(entry["name"]).strip("/") != path.strip("/")
        }
        return sorted((name, is_folder) for name, is_folder in named if _TEMPORARY not in name)

    @property
    def _is_s3(self) -> bool:
        protocol = self._fs.protocol
        return "s3" in ((protocol,) if isinstance(protocol, str) else protocol)

    @property
    def _limits(self) -> dict[str, int]:
        """How files go and come: s3fs would hold ten parts of 50 MB; two of 16 MB keep a connection busy as well."""
        return {"chunksize": _PART, "max_concurrency": 2} if self._is_s3 else {}

    def _describe(self, key: str, info: dict[str, Any]) -> ObjectInfo:
        size = int(info.get("size") or 0)
        tag = info.get("ETag") or info.get("etag")
        if tag is None:
            moment = info.get("mtime") or info.get("created") or ""
            if isinstance(moment, datetime):
                moment = moment.timestamp()
            tag = f"{moment:.6f}-{size}" if isinstance(moment, float) else f"{moment}-{size}"
        written = info.get("LastModified") or info.get("mtime") or info.get("created")
        if isinstance(written, datetime):
            written = written.timestamp()
        modified = float(written) if isinstance(written, int | float) else None
        return ObjectInfo(key, size, str(tag).strip('"'), modified)

    def info(self, key: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when there is none."""
        with _translated(self.locate(key), "cannot be looked up"):
            try:
                found = self._fs.info(self._path(key))
            except FileNotFoundError as error:
                s3.require_bucket(error, self.locate(key))
                return None
        return None if found.get("type") == "directory" else self._describe(key, found)

    def exists(self, key: str) -> bool:
        """Say whether there is an object of that key."""
        return self.info(key) is not None

    def open(self, key: str) -> io.RawIOBase:
        """Open an object for reading from start to end; reads ahead, never holds the whole object.

        Raises:
            BadInput: there is no such object.
            Unavailable: the store does not answer or refuses.
        """
        with _translated(self.locate(key), "cannot be read"):
            if self._local:
                return _ObjectReader(Path(self._path(key)).open("rb", buffering=0), self.locate(key))
            return _ObjectReader(self._fs.open(self._path(key), "rb", block_size=_READ_BLOCK), self.locate(key))

    def read(self, key: str) -> bytes:
        """Return an object's content; for objects known to be small.

        Raises:
            BadInput: there is no such object.
            Unavailable: the store does not answer or refuses.
        """
        with _translated(self.locate(key), "cannot be read"):
            return cast(bytes, self._fs.cat_file(self._path(key)))

    @contextlib.contextmanager
    def local(self, key: str) -> Iterator[io.RawIOBase]:
        """Give an object as a file on disk, which can seek; one of a service is fetched by one request.

        Raises:
            BadInput: there is no such object.
            Unavailable: the store does not answer or refuses, or the temporary directory is full.
        """
        if self._local:
            with _translated(self.locate(key), "cannot be read"):
                stream = Path(self._path(key)).open("rb", buffering=0)  # noqa: SIM115 - closed below
            with stream:
                yield _DiskFile(stream, self.locate(key), "cannot be read")
            return
        with _translated(tempfile.gettempdir(), _NO_SCRATCH):
            copy = tempfile.NamedTemporaryFile(prefix="tsubame-", buffering=0)  # noqa: SIM115 - closed below
        with copy:
            with _translated(self.locate(key), "cannot be read"):
                try:
                    self._fs.get_file(self._path(key), copy.name, **self._limits)
                except OSError as error:
                    # What is full is not the store.
                    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                        raise
                    with _translated(tempfile.gettempdir(), _NO_SCRATCH):
                        raise
            yield _DiskFile(copy)

    def put(self, key: str, content: bytes) -> None:
        """Write an object whole, or not at all.

        Raises:
            Unavailable: the store does not answer, refuses, or is full.
        """
        if self._local:
            with self.writing(key) as sink:
                sink.write(content)
            return
        with _translated(self.locate(key), "cannot be written"):
            self._fs.pipe_file(self._path(key), content)

    def put_file(self, key: str, path: Path) -> None:
        """Write the content of a local file as an object, whole or not at all; a piece at a time.

        Raises:
            Unavailable: the store does not answer, refuses, or is full.
        """
        if self._local:
            with self.writing(key) as sink, path.open("rb") as source:
                shutil.copyfileobj(source, sink, _READ_BLOCK)
            return
        with _translated(self.locate(key), "cannot be written"):
            self._fs.put_file(str(path), self._path(key), **self._limits)

    @contextlib.contextmanager
    def writing(self, key: str) -> Iterator[Any]:
        """Give a file whose content becomes the object when the block ends, and nothing when it fails.

        Whatever the store, the content lies on disk meanwhile and not in memory: beside the object in a folder,
        in the temporary directory otherwise.

        Raises:
            Unavailable: the store does not answer, refuses, or is full.
        """
        if not self._local:
            with _translated(tempfile.gettempdir(), _NO_SCRATCH):
                stream = tempfile.NamedTemporaryFile(prefix="tsubame-", buffering=0)  # noqa: SIM115 - closed below
            with stream:
                yield _DiskFile(stream)
                self.put_file(key, Path(stream.name))
            return
        with _translated(self.locate(key), "cannot be written"):
            path = Path(self._path(key))
            path.parent.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex}")
            try:
                with beside.open("wb") as sink:
                    yield sink
                beside.replace(path)
            except BaseException:
                with contextlib.suppress(OSError):
                    beside.unlink()
                raise

    def delete(self, key: str) -> None:
        """Remove an object; one that is not there is no error."""
        with _translated(self.locate(key), "cannot be deleted"), contextlib.suppress(FileNotFoundError):
            self._fs.rm_file(self._path(key))


_NO_SCRATCH = "cannot hold a temporary file"


class _DiskFile(io.RawIOBase):
    """A file on disk that says in every error what it is, and writes all that it is given.

    Args:
        where, what: of its errors; those of a temporary file name its directory.
    """

    def __init__(self, stream: Any, where: str = "", what: str = _NO_SCRATCH) -> None:
        super().__init__()
        self._stream = stream
        self._said = where or tempfile.gettempdir(), what

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _translated(*self._said):
            return int(self._stream.readinto(buffer))

    def write(self, content: Any) -> int:
        with _translated(*self._said):
            rest = memoryview(content).cast("B")
            size = len(rest)
            while rest:
                rest = rest[self._stream.write(rest) :]
            return size

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._stream.seek(offset, whence))


@contextlib.contextmanager
def scratch_file() -> Iterator[io.RawIOBase]:
    """Give an empty file in the temporary directory (``TMPDIR``) for reading and writing; it has no name.

    Raises:
        Unavailable: the directory is full or cannot be written.
    """
    with _translated(tempfile.gettempdir(), _NO_SCRATCH):
        stream = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed below
    with stream:
        yield _DiskFile(stream)


class _ObjectReader(io.RawIOBase):
    """Reads an object and names it in every error."""

    def __init__(self, stream: Any, where: str) -> None:
        super().__init__()
        self._stream = stream
        self._where = where

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        with _translated(self._where, "cannot be read"):
            return int(self._stream.readinto(buffer))

    def close(self) -> None:
        if not self.closed:
            self._stream.close()
        super().close()


@contextlib.contextmanager
def _translated(where: str, what: str) -> Iterator[None]:
    """Name the object in the store's own errors, as what the caller should do about them."""
    try:
        with s3.refusals(where, what):
            yield
    except (BadInput, Unavailable):
        raise
    except FileNotFoundError as error:
        # fsspec says so, too, when a web server cannot be reached.
        if _of_service(error.__cause__):
            raise Unavailable(what, key=where, actual=_first_line(error.__cause__), hint="Try again later.") from error
        raise BadInput("does not exist", key=where) from error
    except (IsADirectoryError, NotADirectoryError) as error:
        raise BadInput(
            "is a directory where a file was expected" if isinstance(error, IsADirectoryError) else "lies below a file",
            key=where,
        ) from error
    except PermissionError as error:
        raise Unavailable(
            what, key=where, actual="permission denied", hint="Check the store's access rights."
        ) from error
    except OSError as error:
        hint = "Free some space." if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Try again later."
        if error.errno == errno.EROFS:
            hint = "Make the store writable."
        raise Unavailable(what, key=where, actual=_first_line(error), hint=hint) from error
    except (ImportError, ValueError) as error:
        raise BadInput("is no URL of a store that can be used here", key=where, actual=_first_line(error)) from error
    except Exception as error:
        # botocore's and aiohttp's errors share no base with each other; each means that the service said no.
        if _of_service(error):
            raise Unavailable(
                what, key=where, actual=_first_line(error), hint="Check the endpoint and its keys."
            ) from error
        raise


def _of_service(error: BaseException | None) -> TypeGuard[BaseException]:
    return type(error).__module__.split(".")[0] in {"botocore", "aiobotocore", "aiohttp", "s3fs", "fsspec"}


def _first_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno and error.strerror:
        return os.strerror(error.errno).lower() if isinstance(error.errno, int) else error.strerror
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def open_store(url: str) -> Store:
    """Open the store at ``url``.

    Raises:
        BadInput: the URL cannot be meant.
    """
    return Store(url)


def split_object_url(url: str) -> tuple[Store, str]:
    """Open the store that holds a single object, and return it with the object's key."""
    scheme, _, rest = url.partition("://")
    if rest and "/" not in rest:
        if scheme in ("file", "memory"):
            return Store("." if scheme == "file" else "memory://"), rest
        raise BadInput("names no object", key=url, expected=f"{scheme}://<bucket>/<key>")
    folder, _, name = url.rpartition("/")
    return Store(folder or ("/" if url.startswith("/") else ".")), name
