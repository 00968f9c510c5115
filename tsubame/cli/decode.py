"""``tsubame decode``: packet columns and accounting of any capture file."""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tsubame.pipeline.decode import Decoded

_TOP_PORTS = 10


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Describe the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "decode",
        help="packet columns and accounting of any capture file",
        description=(
            "Read capture files of any container (pcap, pcapng; plain or in gz, zst, bz2, xz, lz4; told by "
            "content, never by name), account for every record, and write the IPv4 packets as Parquet."
        ),
    )
    parser.add_argument("files", metavar="FILE", nargs="+", help="a path or any fsspec URL")
    parser.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        help="write the packets: one FILE to the Parquet file OUT, several to OUT/<file name>.parquet",
    )
    parser.add_argument("--sensor", metavar="ADDRESS", help="keep only packets to this IPv4 address or CIDR block")
    parser.add_argument(
        "--max-records",
        metavar="N",
        type=_whole_number,
        help="stop reading a file at about N records (8,192 at a time); 2,000,000,000 unless told",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line and file")
    return parser


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None


def run(arguments: argparse.Namespace) -> int:
    """Decode every file; a bad one does not stop the others. Return the exit status."""
    from tsubame.errors import TsubameError

    sensor = _parse_sensor(arguments.sensor)
    most = _most_records(arguments.max_records)
    outs = _outputs(arguments.files, arguments.out)
    status = 0
    with _progress() as progress:
        for file, out in zip(arguments.files, outs, strict=True):
            from tsubame.pipeline.decode import Decoded, decode_file

            try:
                decoded = decode_file(file, out=out, sensor=sensor, progress=progress, **most)
                error = decoded.accounting.error
                if damage := decoded.accounting.damage():
                    print(f"tsubame: warning: {file}: {damage}", file=sys.stderr)
            except TsubameError as failure:
                decoded, error = Decoded(file), str(failure)
                status = max(status, failure.exit_status)
                print(f"tsubame: {failure}", file=sys.stderr)
                if not arguments.json:
                    continue
            print(json.dumps(_as_json(decoded, error)) if arguments.json else _as_text(decoded), flush=True)
    return status


def _parse_sensor(text: str | None) -> tuple[int, int] | None:
    from tsubame.errors import UsageError
    from tsubame.sensors import parse_network

    if text is None:
        return None
    try:
        return parse_network(text)
    except ValueError as error:
        raise UsageError(
            "--sensor is no address", expected="an IPv4 address or CIDR block", actual=repr(text)
        ) from error


def _most_records(number: int | None) -> dict[str, int]:
    from tsubame.errors import UsageError

    if number is None:
        return {}
    if number < 1:
        raise UsageError("--max-records is no number of records", expected="1 or more", actual=number)
    return {"most_records": number}


def _outputs(files: list[str], out: str | None) -> list[str | None]:
    """Return where each file's packets go.

    Raises:
        UsageError: two files would be written to one place, or over what is read.
    """
    from tsubame.errors import UsageError

    if out is None:
        return [None] * len(files)
    if len(files) == 1:
        # What may not be looked at is for the writing to refuse.
        with contextlib.suppress(OSError):
            if Path(out).is_dir():
                raise UsageError("is a directory", key=out, hint="Give a file when there is one FILE.")
        _keep_input(files[0], out)
        return [out]
    names = [PurePosixPath(file).name for file in files]
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise UsageError(
            f"{count} files are named {name}", key=out, hint="Decode them one by one, each with its own -o."
        )
    if "://" not in out:
        _make_directory(out)
    return [f"{out.rstrip('/')}/{name}.parquet" for name in names]


def _keep_input(file: str, out: str) -> None:
    """Refuse to write the packets over the capture that they are read from."""
    from tsubame.errors import UsageError

    with contextlib.suppress(OSError):
        if file == out or Path(file).samefile(out):
            raise UsageError("is the FILE itself", key=out, hint="Give another place; the capture would be lost.")


def _make_directory(out: str) -> None:
    from tsubame.errors import Unavailable, UsageError

    try:
        Path(out).mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise UsageError("is a file", key=out, hint="Give a directory when there are several files.") from error
    except OSError as error:
        raise Unavailable("cannot be made", key=out, actual=(error.strerror or str(error)).lower()) from error


@contextlib.contextmanager
def _progress() -> Iterator[Any]:
    """Show a bar on a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    with Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("reading")
        yield lambda doing, done, total: bar.update(task, description=doing, completed=done, total=total or None)


def _iso(nanoseconds: int | None) -> str | None:
    """Write an instant in ISO 8601 with nanoseconds; the calendar of numpy reaches any of them."""
    import numpy as np

    return None if nanoseconds is None else f"{np.datetime64(nanoseconds, 'ns')}Z"


def _as_json(decoded: Decoded, error: str | None) -> dict[str, Any]:
    return {
        "file": decoded.file,
        "format": decoded.format or None,
        "link_types": decoded.link_types,
        "first_timestamp": _iso(decoded.first_timestamp),
        "last_timestamp": _iso(decoded.last_timestamp),
        "accounting": decoded.accounting.as_dict(),
        "error": error,
    }


def _as_text(decoded: Decoded) -> str:
    """Return the summary of one file."""
    account = decoded.accounting
    packed = "".join(f" in {name}" for name in reversed(decoded.compression))
    links = ", ".join(f"{name} {count}" for name, count in decoded.link_types.items())
    protocols = ", ".join(f"{_protocol(number)} {count}" for number, count in decoded.protocols.most_common(6))
    ports = ", ".join(
        f"{port}/{_protocol(number)} {count}" for (number, port), count in decoded.ports.most_common(_TOP_PORTS) if port
    )
    fates = ", ".join(
        f"{name.replace('_', ' ')} {count}"
        for name, count in account.as_dict().items()
        if isinstance(count, int) and count and name != "records_read"
    )
    lines = [
        decoded.file,
        f"  format      {decoded.format}{packed}",
        f"  link types  {links or 'none'}",
        f"  time        {_iso(decoded.first_timestamp) or 'none'} to {_iso(decoded.last_timestamp) or 'none'}",
        f"  records     {account.records_read}: {fates or 'none'}",
        f"  protocols   {protocols or 'none'}",
        f"  top ports   {ports or 'none'}",
    ]
    if account.error:
        lines.append(f"  error       {account.error}")
    return "\n".join(lines)


def _protocol(number: int) -> str:
    return {1: "ICMP", 6: "TCP", 17: "UDP", 33: "DCCP", 47: "GRE", 132: "SCTP", 136: "UDP-Lite"}.get(
        number, f"protocol {number}"
    )
