"""Whether a delegation file may be used: its MD5, its end, its registry, its date."""

from __future__ import annotations

import hashlib
import re
from datetime import date

from tsubame.errors import MalformedDelegation
from tsubame.regions.delegated import DelegatedFile

_MD5 = re.compile(rb"(?<![0-9A-Fa-f])[0-9A-Fa-f]{32}(?![0-9A-Fa-f])")


def stated_md5(checksum: bytes) -> frozenset[str]:
    """Return the MD5 sums that a checksum file names, in whichever tool's form; none when it is no such file."""
    return frozenset(match.decode().lower() for match in _MD5.findall(checksum))


def md5_of(content: bytes) -> str:
    """Return the MD5 of some bytes, in hex; it tells damage from content, not friend from foe."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def check_md5(forms: list[bytes], checksum: bytes, *, key: str) -> bool:
    """Hold a file against the MD5 beside it.

    Args:
        forms: the file as it lies there and, where that is compressed, its content: registries' MD5 files
            speak of one or the other.
        checksum: content of the MD5 file.
        key: the file's name, for messages.

    Returns:
        False when the checksum file names no MD5 and so proves nothing.

    Raises:
        MalformedDelegation: the file has another MD5.
    """
    stated = stated_md5(checksum)
    if not stated:
        return False
    if not any(md5_of(form) in stated for form in forms):
        raise MalformedDelegation(
            "wrong MD5",
            key=key,
            expected=" or ".join(sorted(stated)),
            actual=md5_of(forms[0]),
            hint="Fetch it again.",
        )
    return True


def check_whole(file: DelegatedFile) -> None:
    """Refuse a file whose end is missing.

    Raises:
        MalformedDelegation: it has fewer lines than it states.
    """
    if file.is_cut:
        raise MalformedDelegation(
            "its end is missing",
            key=file.key,
            expected=f"{max(file.header.stated_records, sum(file.summaries.values()))} records",
            actual=sum(file.record_lines.values()),
            hint="Fetch it again.",
        )


def check_registry(file: DelegatedFile, registry: str) -> None:
    """Refuse a file of another registry than its name says.

    Raises:
        MalformedDelegation: names both.
    """
    if file.registry != registry:
        raise MalformedDelegation("a file of another registry", key=file.key, expected=registry, actual=file.registry)


def check_not_stale(file: DelegatedFile, day: date) -> None:
    """Refuse a file that is older than the date it is offered for.

    Of a file's own dates the latest counts: LACNIC's last date stands still while nothing changes.

    Raises:
        MalformedDelegation: names both dates.
    """
    own = file.own_days
    if own and own[-1] < day:
        raise MalformedDelegation("a stale file", key=file.key, expected=day.isoformat(), actual=own[-1].isoformat())
