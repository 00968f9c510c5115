"""Refuse to publish what gives a sensor's address away.

The proof: from everything about to be published it is tried to recover each sensor's address. ``file_contents`` opens
every kind of file, ``written_forms`` knows how an address may be written, ``packet_tables`` what columns give away
together, ``sensor_networks`` what is compared with.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tsubame.errors import Rejected
from tsubame.publish.file_contents import scan_file
from tsubame.publish.sensor_networks import Networks
from tsubame.publish.written_forms import scan_text


@dataclass(frozen=True, slots=True)
class Finding:
    """A place that gives a sensor's address away. The address itself is not repeated.

    Attributes:
        form: how it stands there: ``dotted text``, ``decimal number``, ``hexadecimal number``,
            ``column <name>`` …
        offset: character, row or byte offset there.
    """

    path: str
    form: str
    offset: int


def refuse_addresses(files: Mapping[str, bytes], networks: Iterable[tuple[int, int]]) -> None:
    """Refuse the files when a sensor's address can be read from any of them.

    Args:
        files: path -> content of everything about to be published.
        networks: (first, last) address of each sensor's network, in host order.

    Raises:
        Rejected: names the first file and place; ``verdict`` lists every finding, without the addresses.
    """
    findings = list(find_addresses(files, networks))
    if findings:
        first = findings[0]
        raise Rejected(
            f"gives a sensor's address away as {first.form}"
            + (f" ({len(findings)} places in all)" if len(findings) > 1 else ""),
            key=first.path,
            offset=first.offset,
            unit="place",
            hint="Nothing was published; find where the value comes from.",
            verdict=[{"path": item.path, "form": item.form, "offset": item.offset} for item in findings],
        )


def find_addresses(files: Mapping[str, bytes], networks: Iterable[tuple[int, int]]) -> Iterator[Finding]:
    """Yield every place in the files, and in their names, from which a sensor's address can be read."""
    known = Networks.of(networks)
    if not len(known.first):
        return
    for path, content in sorted(files.items()):
        for form, offset in scan_text(path, known):
            yield Finding(path, f"{form} in the file's name", offset)
        for form, offset in scan_file(content, known):
            yield Finding(path, form, offset)
