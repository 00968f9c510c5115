"""Where delegation files come from: the registries' servers, or files on a disk.

Each is checked and stored once; what is stored is never changed. A registry's day that cannot be had is
left out, and said so: the archive then carries the file before it forward.
"""

from __future__ import annotations

import bz2
import gzip
import http.client
import os
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tsubame import __version__
from tsubame.errors import BadInput, MalformedDelegation, Unavailable, UsageError
from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.regions.checks import check_md5, check_not_stale, check_registry, check_whole, md5_of, stated_md5
from tsubame.regions.delegated import DelegatedFile, decompress, parse_delegated
from tsubame.settings import Settings
from tsubame.stores import Store, open_store

Progress = Callable[[str, int, int], None]

BASE_URLS = {
    "afrinic": "https://ftp.afrinic.net/pub/stats/afrinic",
    "apnic": "https://ftp.apnic.net/stats/apnic",
    "arin": "https://ftp.arin.net/pub/stats/arin",
    "lacnic": "https://ftp.lacnic.net/pub/stats/lacnic",
    "ripencc": "https://ftp.ripe.net/pub/stats/ripencc",
}
# Below the base URL a dated file lies beside the latest (ARIN and LACNIC), in a folder of its year (AFRINIC,
# APNIC, RIPE NCC), in an archive of years (ARIN and LACNIC, former years), or as in this project's bucket.
_FOLDERS = ("", "{day:%Y}/", "archive/{day:%Y}/", "{day:%Y%m%d}/")
_ENDINGS = ("", ".gz", ".bz2")
_GZIP, _BZIP2 = b"\x1f\x8b", b"BZh"
_TIMEOUT_SECONDS = 60
_NAME = re.compile(r"delegated-(?P<registry>[a-z]+)(?P<extended>-extended)?(?:[-.].*)?", re.ASCII)
_NAMED_DAY = re.compile(r"(?<!\d)(\d{4})-?(\d\d)-?(\d\d)(?!\d)", re.ASCII)

STORED, PRESENT, REFUSED, MISSING, UNAVAILABLE = "stored", "present", "refused", "missing", "unavailable"


@dataclass(frozen=True, slots=True)
class Arrival:
    """What became of one registry's file.

    Attributes:
        registry: whose file.
        outcome: ``stored``, ``present`` (it was there already), ``refused`` (it fails a check), ``missing``
            (the registry has none of that day) or ``unavailable`` (the server does not answer).
        key: the object, where there is one.
        detail: one line; empty when there is nothing to say.
        verified: whether an MD5 was there and agreed.
    """

    registry: str
    outcome: str
    key: str | None = None
    detail: str = ""
    verified: bool = False


@dataclass(frozen=True, slots=True)
class _Offer:
    """A file that has been received and not yet checked.

    Attributes:
        content: the bytes to store, plain or gzip.
        forms: what an MD5 may speak of: the bytes as received, and the plain text.
        checksum: content of the MD5 file beside it, None where there is none.
    """

    where: str
    content: bytes
    forms: list[bytes]
    checksum: bytes | None


def base_urls_from_environment(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the registries' base URLs: ``TSUBAME_RIR_BASE_URL_<REGISTRY>``, else the registry's own server.

    Raises:
        UsageError: a value is no HTTP or HTTPS URL.
    """
    environment = os.environ if environment is None else environment
    result = {}
    for registry in REGISTRIES:
        name = f"TSUBAME_RIR_BASE_URL_{registry.upper()}"
        url = environment.get(name, "").strip() or BASE_URLS[registry]
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"{name} is no URL", expected="http:// or https://", actual=repr(url))
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise UsageError(f"{name} holds a user or password", hint="Registries' files are public: leave it out.")
        result[registry] = url.rstrip("/")
    return result


@dataclass(frozen=True, slots=True)
class FetchSummary:
    """What became of the five registries' files of a day.

    Attributes:
        day: the registries' date; None for their latest.
        arrivals: one for each registry.
    """

    day: date | None
    arrivals: tuple[Arrival, ...]

    def as_dict(self) -> dict[str, object]:
        """Return JSON-ready values: day, and outcome and object by registry."""
        return {
            "day": self.day.isoformat() if self.day else None,
            "outcomes": {arrival.registry: arrival.outcome for arrival in self.arrivals},
            "objects": {arrival.registry: arrival.key for arrival in self.arrivals if arrival.key},
        }

    def demand_all(self) -> None:
        """Complain when a registry's file could not be had.

        Raises:
            Unavailable: a server does not answer, or has no file of that day yet; try again.
            BadInput: a file fails its checks.
        """
        for outcome, error in ((UNAVAILABLE, Unavailable), (MISSING, Unavailable), (REFUSED, BadInput)):
            found = [arrival for arrival in self.arrivals if arrival.outcome == outcome]
            if found:
                names = ", ".join(arrival.registry for arrival in found)
                details = "; ".join(arrival.detail for arrival in found)
                raise error(f"delegation files {outcome} of {names}", actual=details)


def fetch_delegations(
    settings: Settings,
    day: date | None = None,
    *,
    base_urls: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    attempts: int = 4,
    pause_seconds: float = 2.0,
) -> FetchSummary:
    """Bring the registries' extended files of a day into the archive.

    A registry whose file cannot be had stops no other; ``FetchSummary.demand_all`` makes an error of it.

    Args:
        settings: says where the archive is.
        day: the registries' date; None for each registry's latest, stored under the file's own date.
        base_urls: where each registry's files lie; the environment's, else the registries' own.
        progress: told after each registry.
        attempts: how often a request is tried; a file that fails its checks is asked for again, too.
        pause_seconds: wait before the second try; twice as long before each further one.

    Returns:
        What became of each registry's file.

    Raises:
        Unavailable: the archive cannot be listed or written.
    """
    store = open_store(settings.delegations_url)
    urls = base_urls or base_urls_from_environment()
    present = {key for info in store.list() if (key := DelegationKey.parse(info.key))}
    arrivals = []
    for done, registry in enumerate(REGISTRIES, start=1):
        held = next((key for key in present if (key.day, key.registry) == (day, registry)), None)
        arrivals.append(
            Arrival(registry, PRESENT, held.key)
            if held
            else _fetch_one(store, registry, urls[registry], day, attempts, pause_seconds)
        )
        if progress:
            progress("fetch delegations", done, len(REGISTRIES))
    return FetchSummary(day, tuple(arrivals))


def _fetch_one(
    store: Store, registry: str, base: str, day: date | None, attempts: int, pause_seconds: float
) -> Arrival:
    """Fetch, check and store one file; a check that fails may be a broken transfer, so it is tried again."""
    refusal: BadInput | None = None
    for attempt in range(attempts):
        if refusal is not None:
            time.sleep(pause_seconds * 2 ** (attempt - 1))
        try:
            offer = _download(registry, base, day, attempts, pause_seconds)
            if offer is None:
                when = day.isoformat() if day else "the latest"
                return Arrival(registry, MISSING, detail=f"no extended file of {when} below {base}")
            file, verified = _check(offer, registry, day)
        except Unavailable as error:
            return Arrival(registry, UNAVAILABLE, detail=str(error))
        except BadInput as error:
            refusal = error
            continue
        try:
            return _store(store, file, day or _own_day(file), offer, verified)
        except BadInput as error:
            return Arrival(registry, REFUSED, detail=str(error))
    return Arrival(registry, REFUSED, detail=str(refusal))


def _check(offer: _Offer, registry: str | None, day: date | None) -> tuple[DelegatedFile, bool]:
    verified = offer.checksum is not None and check_md5(offer.forms, offer.checksum, key=offer.where)
    file = parse_delegated(offer.content, key=offer.where)
    check_whole(file)
    if registry is not None:
        check_registry(file, registry)
    if day is not None:
        check_not_stale(file, day)
    return file, verified


def _own_day(file: DelegatedFile) -> date:
    if file.day is None:
        raise MalformedDelegation("no date in its version line", key=file.key)
    return file.day


def _store(store: Store, file: DelegatedFile, day: date, offer: _Offer, verified: bool) -> Arrival:
    """Put a file and its MD5 into the archive unless one of that registry and day is there.

    Raises:
        MalformedDelegation: another content is there: what has been stored is not changed.
    """
    key = DelegationKey(day, file.registry, file.extended, offer.content[:2] == _GZIP)
    for info in store.list(f"{day:%Y%m%d}/"):
        other = DelegationKey.parse(info.key)
        if other and (other.registry, other.extended) == (key.registry, key.extended):
            held = decompress(store.read(other.key), key=other.key)
            if held != decompress(offer.content, key=offer.where):
                raise MalformedDelegation(
                    f"differs from {store.locate(other.key)}",
                    key=offer.where,
                    hint="What is in the archive is not changed; remove it by hand if it is the wrong one.",
                )
            return Arrival(key.registry, PRESENT, other.key, verified=verified)
    if verified and offer.checksum is not None:
        # Before the file, so that no reader sees the file without it.
        kept = any(md5_of(form) in stated_md5(offer.checksum) for form in _forms(offer.content, offer.where))
        own = f"{md5_of(offer.content)}  {key.key.rpartition('/')[2]}\n".encode()
        store.put(f"{key.key}.md5", offer.checksum if kept else own)
    store.put(key.key, offer.content)
    notes = [f"{file.dropped} malformed lines"] if file.dropped else []
    if offer.checksum is not None and not verified:
        notes.append("not verified: the MD5 file beside it names no MD5")
    return Arrival(key.registry, STORED, key.key, "; ".join(notes), verified)


def _forms(content: bytes, where: str) -> list[bytes]:
    """Return the bytes, and their decompressed content where they are gzip."""
    return [content, decompress(content, key=where)] if content[:2] == _GZIP else [content]


def _offer(where: str, raw: bytes, checksum: bytes | None) -> _Offer:
    """Take a file as received; bzip2 is stored as gzip, which the archive's names allow.

    Raises:
        MalformedDelegation: broken compression.
    """
    if raw[:3] != _BZIP2:
        return _Offer(where, raw, _forms(raw, where), checksum)
    try:
        plain = bz2.decompress(raw)
    except (OSError, ValueError, EOFError) as error:
        raise MalformedDelegation("broken bzip2 data", key=where, actual=error) from error
    return _Offer(where, gzip.compress(plain, mtime=0), [raw, plain], checksum)


def _candidates(registry: str, base: str, day: date | None) -> Iterator[str]:
    """Yield the URLs below which a file may lie, the likeliest first."""
    if day is None:
        yield f"{base}/delegated-{registry}-extended-latest"
        return
    for folder in _FOLDERS:
        for ending in _ENDINGS:
            yield f"{base}/{folder.format(day=day)}delegated-{registry}-extended-{day:%Y%m%d}{ending}"


def _download(registry: str, base: str, day: date | None, attempts: int, pause_seconds: float) -> _Offer | None:
    """Return the first of the candidates that the server has, with its MD5."""
    for url in _candidates(registry, base, day):
        raw = _get(url, attempts, pause_seconds)
        if raw is None:
            continue
        bare = url.removesuffix(".gz").removesuffix(".bz2")
        for name in dict.fromkeys((f"{url}.md5", f"{bare}.md5", f"{bare}.md5.gz")):
            checksum = _get(name, attempts, pause_seconds)
            if checksum is not None:
                return _offer(url, raw, decompress(checksum, key=name))
        return _offer(url, raw, None)
    return None


def _get(url: str, attempts: int, pause_seconds: float) -> bytes | None:
    """Return what lies at a URL, None when the server says that there is nothing.

    Raises:
        Unavailable: no whole answer after all attempts.
    """
    request = urllib.request.Request(  # noqa: S310 - base_urls_from_environment lets http and https through only
        url, headers={"User-Agent": f"tsubame/{__version__}"}
    )
    reason = ""
    for attempt in range(attempts):
        if attempt:
            time.sleep(pause_seconds * 2 ** (attempt - 1))
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310 - see above
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (404, 410):
                return None
            reason = f"HTTP {error.code} {error.reason}"
            if error.code < 500 and error.code not in (408, 429):
                break
        except http.client.IncompleteRead as error:
            reason = f"only {len(error.partial)} bytes came"
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", "") or error or type(error).__name__)
    raise Unavailable("cannot be fetched", key=url, actual=reason, hint="Try again later.")


def import_delegation(settings: Settings, path: str | Path, *, day: date | None = None) -> Arrival:
    """Bring a file from a disk into the archive; a ``.md5`` beside it is checked and brought along.

    Args:
        settings: says where the archive is.
        path: a delegation file, plain, gzip or bzip2.
        day: the date to store it under; None takes the one in its name, else the file's own.

    Raises:
        BadInput: no such file, no delegation file, name and content contradict each other, or the archive
            holds another file of that registry and date.
        Unavailable: the archive cannot be written.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
        beside = [path.with_name(f"{name}.md5") for name in (path.name, path.name.removesuffix(".gz"))]
        checksum = next((name.read_bytes() for name in beside if name.is_file()), None)
    except OSError as error:
        raise BadInput("cannot be read", key=str(path), actual=(error.strerror or str(error)).lower()) from error
    offer = _offer(str(path), raw, checksum)
    named = _NAME.fullmatch(path.name)
    registry = named["registry"] if named and named["registry"] in REGISTRIES else None
    file, verified = _check(offer, registry, None)
    return _store(open_store(settings.delegations_url), file, day or _day_of_import(path, file), offer, verified)


def _day_of_import(path: Path, file: DelegatedFile) -> date:
    """Return the date in a file's name, if the content bears it out, else the content's own.

    A mirror may name a file by the day it took it, up to a day from the registry's own date.
    """
    found = _NAMED_DAY.findall(path.name)
    try:
        named = date(*map(int, found[-1])) if found else None
    except ValueError:
        named = None
    if named is None:
        return _own_day(file)
    if file.own_days and all(abs((own - named).days) > 1 for own in file.own_days):
        raise MalformedDelegation(
            "date in the name contradicts the content",
            key=str(path),
            expected=named.isoformat(),
            actual=" and ".join(own.isoformat() for own in file.own_days),
            hint="Give the date to store it under with --date.",
        )
    return named
