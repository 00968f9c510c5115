"""Throw mutated captures at the capture engine for as long as told, guided by what code they reach.

    python tests/fuzz/fuzz_capture.py --seconds 600 [--seed N] [--corpus DIR] [--write]

Two ways take turns. Compiled: the machine code that users run, thousands of files a second, checking that every
record is accounted for, that rows do not depend on block size, and that nothing hangs. Interpreted: the same
kernels as Python, in which a read outside the window is an error and not silent, and in which lines newly reached put
a file into the pool that is mutated next. A file that fails is written to ``tests/fuzz/findings/``; mend the fault
and keep the file, small, as a regression under ``tests/fuzz/regressions/``. ``--write`` adds what
was done and found to ``benchmarks/results/fuzz-<date>.md``.
"""

from __future__ import annotations

import argparse
import datetime
import gzip
import hashlib
import io
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tsubame.capture.accounting import Accounting

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parent / "properties")]
MOST_BYTES = 4096
MOST_SECONDS_A_FILE = 5.0
INTERESTING = [0, 1, 4, 20, 0x7F, 0x80, 0xFF, 0xFFFF, 0x10000, 0x40000, 0x40001, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]


def seeds(corpus: Path | None) -> list[bytes]:
    """Return small captures of every container and link layer, and the beginnings of a corpus."""
    from captures import LINKS, ipv4_packet, link_number, pcap, pcapng

    row = dict.fromkeys(
        ("src_address", "dst_address", "src_port", "dst_port", "icmp_type", "icmp_code", "tcp_flags", "tcp_seq",
         "tcp_window", "ip_id", "ttl", "fragment_offset"), 1,
    )  # fmt: skip
    packet = [ipv4_packet(row | {"protocol": protocol, "fragment_offset": 0}) for protocol in (6, 17, 1, 47)]
    made = [
        pcap([(10**18, before + content) for content in packet], link_number(name)) for name, before in LINKS.items()
    ]
    made += [
        pcap([(10**18, LINKS["1"] + packet[0])], order=o, form=f) for o in "<>" for f in ("usec", "nsec", "kuznetzov")
    ]
    made += [pcapng([(10**18, LINKS["1"] + packet[0])] * 3, order=o, packet_block=k) for o in "<>" for k in (2, 3, 6)]
    made += [gzip.compress(made[0]), *(path.read_bytes() for path in sorted((HERE / "regressions").glob("*")))]
    if corpus is not None:
        made += [path.read_bytes()[:MOST_BYTES] for path in sorted(corpus.rglob("*")) if path.is_file()]
    return made


def mutate(content: bytes, pool: list[bytes], rng: random.Random) -> bytes:
    """Return a changed copy: bytes, lengths, pieces doubled, cut out, moved in from another capture."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        place = rng.randrange(len(out) + 1) if out else 0
        way = rng.randrange(7)
        if way == 0 and out:
            out[place % len(out)] = rng.randrange(256)
        elif way == 1 and out:
            out[place % len(out)] ^= 1 << rng.randrange(8)
        elif way == 2:
            value = rng.choice(INTERESTING)
            out[place : place + 4] = (value & 0xFFFFFFFF).to_bytes(4, rng.choice(("little", "big")))
        elif way == 3:
            del out[place : place + rng.choice((1, 2, 4, 16, 64))]
        elif way == 4:
            out[place:place] = out[place : place + rng.choice((4, 16, 60))]
        elif way == 5:
            del out[place:]
        else:
            other = rng.choice(pool)
            begin = rng.randrange(len(other) + 1)
            out[place:place] = other[begin : begin + rng.choice((4, 24, 80))]
    return bytes(out[:MOST_BYTES])


def one_line(error: BaseException) -> None:
    """Hold an error to being one line."""
    assert "\n" not in str(error)


def check(content: bytes) -> None:
    """Decode a file and hold it to what must be true of any."""
    from tsubame.capture.reader import open_capture
    from tsubame.classify.apply import classify_block, new_memory
    from tsubame.errors import UnsupportedCapture

    results = []
    for rows in (3, 64):
        try:
            capture = open_capture(io.BytesIO(content), key="fuzz", block_rows=rows)
        except UnsupportedCapture as error:
            one_line(error)
            return
        digest, kept, rejected = hashlib.blake2b(), 0, 0
        columns: list[list[bytes]] = [[] for _ in range(17)]
        memory = new_memory()
        for block in capture.blocks():
            classify_block(block, memory=memory)
            kept, rejected = kept + block.rows, rejected + block.rejected
            for held, array in zip(columns, block.columns[:17], strict=True):
                held.append(array[: block.rows].tobytes())
        for held in columns:
            digest.update(b"".join(held))
        account = capture.accounting.check()
        assert kept == account.packets_kept
        assert kept + rejected == account.records_read
        assert account.unread_bytes <= max(len(content), 1) * 2000
        assert account.error is None or "\n" not in account.error
        results.append((digest.hexdigest(), account))
    assert results[0] == results[1]
    # One file in eight, told by its content: grouping costs ten times as much as reading.
    if "NUMBA_DISABLE_JIT" not in os.environ and int(results[0][0][:2], 16) < 32:
        check_flows(content, results[0][1])


def check_flows(content: bytes, account: Accounting) -> None:
    """Group a capture's packets and hold the flows to its account."""
    from zoneinfo import ZoneInfo

    from tsubame.aggregate.flows import build_flows

    result = build_flows(
        io.BytesIO(content), capture_key="fuzz", sensor_id="s", network=None, zone=ZoneInfo("Asia/Tokyo")
    )
    assert result.accounting == account
    table = result.table
    assert sum(table["packets"].to_pylist()) == account.packets_kept
    keys = list(zip(*(table[name].to_pylist() for name in FLOW_KEY), strict=True))
    assert len(set(keys)) == len(keys)
    days = sum(day.records_read for day in result.accounting_by_day.values())
    assert days == account.records_read


FLOW_KEY = ("hour", "src_address", "protocol", "dst_port", "kind", "tool")


def fuzz(seconds: float, seed: int, corpus: Path | None, interpreted: bool) -> dict[str, int]:
    """Fuzz for some time; return how many files were tried, are in the pool and failed, and lines that were reached."""
    rng = random.Random(seed)
    pool = seeds(corpus)
    seen: set[tuple[str, int]] = set()
    tried = failed = 0
    # What is compiled and imported first is not the fault of the first file.
    check(pool[0])
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        content = mutate(rng.choice(pool), pool, rng)
        before = len(seen)
        begun = time.monotonic()
        try:
            if interpreted:
                with_coverage(content, seen)
            else:
                check(content)
            assert time.monotonic() - begun < MOST_SECONDS_A_FILE, "took too long"
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            failed += 1
            (HERE / "findings").mkdir(exist_ok=True)
            name = HERE / "findings" / f"{hashlib.sha256(content).hexdigest()[:16]}.bin"
            name.write_bytes(content)
            print(f"{name.name}: {type(error).__name__}: {error}", flush=True)
        tried += 1
        if len(seen) > before and tried > 1:
            pool.append(content)
    return {"files": tried, "pool": len(pool), "lines": len(seen), "findings": failed}


def with_coverage(content: bytes, seen: set[tuple[str, int]]) -> None:
    """Check a file while noting the lines of the package that are reached."""
    package = str(HERE.parents[1] / "tsubame" / "capture")

    def note(frame, event, _):  # type: ignore[no-untyped-def]
        if not frame.f_code.co_filename.startswith(package):
            return None
        if event == "line":
            seen.add((frame.f_code.co_filename, frame.f_lineno))
        return note

    sys.settrace(note)
    try:
        check(content)
    finally:
        sys.settrace(None)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--corpus", type=Path, help="captures to begin with, besides those that are made")
    parser.add_argument("--write", action="store_true", help="add what was found to benchmarks/results/")
    parser.add_argument("--interpreted", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.interpreted:
        print(f"seed {arguments.seed}", flush=True)
        command = [
            sys.executable,
            __file__,
            "--interpreted",
            f"--seconds={arguments.seconds / 2}",
            f"--seed={arguments.seed}",
        ]
        command += [f"--corpus={arguments.corpus}"] if arguments.corpus else []
        command += ["--write"] if arguments.write else []
        other = subprocess.run(command, env=os.environ | {"NUMBA_DISABLE_JIT": "1"}, check=False).returncode
    else:
        other = 0
    half = arguments.seconds if arguments.interpreted else arguments.seconds / 2
    figures = fuzz(half, arguments.seed, arguments.corpus, arguments.interpreted)
    way = "interpreted" if arguments.interpreted else "compiled"
    print(f"{way}: {half:.0f} s, {', '.join(f'{name} {number}' for name, number in figures.items())}", flush=True)
    if arguments.write:
        write(way, arguments.seed, half, figures)
    return 1 if figures["findings"] or other else 0


def write(way: str, seed: int, seconds: float, figures: dict[str, int]) -> None:
    """Add a line to the day's table of results."""
    now = datetime.datetime.now(datetime.UTC)
    path = HERE.parents[1] / "benchmarks" / "results" / f"fuzz-{now.date()}.md"
    path.parent.mkdir(exist_ok=True)
    if not path.exists():
        path.write_text(
            f"# Mutated captures, {now.date()}\n\n"
            "`make fuzz`, by `tests/fuzz/fuzz_capture.py`. Compiled: the machine code, packets and flows held to the "
            "account.\nInterpreted: the same kernels as Python, where a read out of bounds is an error; lines of "
            "`tsubame/capture` that were\nreached lead the way, files that reach new ones join the pool.\n\n"
            "| until (UTC) | way | seed | seconds | files | pool | lines reached | findings |\n"
            "|---|---|---|---|---|---|---|---|\n",
            encoding="utf-8",
        )
    with path.open("a", encoding="utf-8") as table:
        lines = figures["lines"] or "not counted"
        table.write(
            f"| {now:%H:%M} | {way} | {seed} | {seconds:.0f} | {figures['files']:,} | {figures['pool']:,} | {lines} | "
            f"{figures['findings']} |\n"
        )


if __name__ == "__main__":
    sys.exit(main())
