"""What reading a capture costs, side by side with the other ways of reading one, in one run.

    python benchmarks/capture.py [--packets 10000000]

A darknet capture is generated and packed; every way of reading it is run in a process of its own, the best of
some runs counts, and CPU seconds (user and system) are compared. Tools that are not installed are left out and
said to be. tshark reads 200,000 packets, and the figure is scaled.
"""

# ruff: noqa: E501 - a table is read by its rows
from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import harness
from harness import Row, say
from traffic import records

HERE = Path(__file__).resolve()
RUNS = 3
TSHARK_PACKETS = 200_000
WINDOW = 1 << 20


# The capture


def make_captures(folder: Path, packets: int) -> None:
    """Write ``plain.pcap`` and its packed forms, unless they are there."""
    import zstandard
    from zlib_ng import zlib_ng

    plain = folder / "plain.pcap"
    if not plain.exists():
        write_capture(plain, packets)
        write_capture(folder / "small.pcap", TSHARK_PACKETS)
        write_capture(folder / "tiny.pcap", 100)
        write_capture(folder / "million.pcap", packets // 10)
    for suffix, pack in (("gz", zlib_ng.compressobj(6, wbits=31)), ("zst", zstandard.ZstdCompressor(3).compressobj())):
        packed = folder / f"plain.pcap.{suffix}"
        if packed.exists():
            continue
        with plain.open("rb") as source, packed.open("wb") as sink:
            while piece := source.read(WINDOW):
                sink.write(pack.compress(piece))
            sink.write(pack.flush())


def write_capture(path: Path, packets: int) -> None:
    """Write a day's packets, however many."""
    with path.open("wb") as sink:
        sink.writelines(records(packets, rate=packets))


# What is measured, each in a process of its own


def columns(path: Path) -> None:
    from tsubame.capture.reader import open_capture
    from tsubame.classify.apply import classify_block

    with path.open("rb", buffering=0) as stream:
        for block in open_capture(stream, key=path.name).blocks():
            classify_block(block)


def flows(path: Path) -> None:
    from zoneinfo import ZoneInfo

    from tsubame.aggregate.flows import build_flows, write_flows
    from tsubame.stores import Store, scratch_file

    with path.open("rb", buffering=0) as stream, scratch_file() as scratch:
        result = build_flows(
            stream,
            capture_key=path.name,
            sensor_id="bench",
            network=None,
            zone=ZoneInfo("Asia/Tokyo"),
            scratch=scratch,
        )
        with Store(str(path.parent)).writing("flows.parquet") as sink:
            write_flows(result, sink)


def inflate_with(module: str, path: Path) -> None:
    import importlib

    stream = importlib.import_module(module).decompressobj(wbits=31)
    with path.open("rb", buffering=0) as source:
        data = source.read(1 << 16)
        while data:
            stream.decompress(data, 1 << 18)
            data = stream.unconsumed_tail or source.read(1 << 16)


def zlib(path: Path) -> None:
    inflate_with("zlib", path)


def isal(path: Path) -> None:
    inflate_with("isal.isal_zlib", path)


def zlib_ng(path: Path) -> None:
    inflate_with("zlib_ng.zlib_ng", path)


def zstd(path: Path) -> None:
    import zstandard

    buffer = bytearray(WINDOW)
    with path.open("rb", buffering=0) as source:
        reader = zstandard.ZstdDecompressor().stream_reader(source)
        while reader.readinto(buffer):
            pass


WORK = {work.__name__: work for work in (columns, flows, zlib, isal, zlib_ng, zstd)}


def measure_here(name: str, path: Path) -> None:
    """Do one piece of work and print what it cost; a small file first, so that nothing is compiled or imported in it."""
    if name in ("columns", "flows"):
        WORK[name](path.with_name("small.pcap"))
    begin = time.process_time()
    WORK[name](path)
    cpu = time.process_time() - begin
    # getrusage's figure is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    print(json.dumps({"cpu": cpu, "peak": peak * 1024}))


def measure(name: str, path: Path) -> dict[str, float]:
    """Return CPU seconds and peak bytes of a piece of work."""
    said = subprocess.run([sys.executable, str(HERE), "--measure", name, str(path)], capture_output=True, text=True)
    if said.returncode:
        raise SystemExit(said.stderr)
    result: dict[str, float] = json.loads(said.stdout)
    return result


def measure_command(command: list[str], runs: int = RUNS) -> float | None:
    """Return the CPU seconds of a command, the best of some runs; None when it is not installed."""
    if shutil.which(command[0]) is None:
        return None
    best = float("inf")
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def tshark_command(path: Path) -> list[str]:
    fields = [
        "frame.time_epoch",
        "ip.src",
        "ip.dst",
        "ip.proto",
        "ip.id",
        "ip.ttl",
        "ip.len",
        "tcp.srcport",
        "tcp.dstport",
        "udp.srcport",
    ]
    fields += [
        "udp.dstport",
        "tcp.flags",
        "tcp.seq_raw",
        "tcp.window_size_value",
        "icmp.type",
        "icmp.code",
        "ip.frag_offset",
    ]
    return ["tshark", "-n", "-r", str(path), "-T", "fields", *(part for field in fields for part in ("-e", field))]


def measure_all(folder: Path, packets: int) -> Iterator[Row]:
    """Measure everything and yield the figures."""
    say(f"writing {packets:,} packets")
    make_captures(folder, packets)
    plain, gz, zst = (folder / name for name in ("plain.pcap", "plain.pcap.gz", "plain.pcap.zst"))
    seconds: dict[str, float | None] = {"cat": None}
    peak: dict[str, float] = {}
    works = (
        ("plain → columns", "columns", plain), ("gz → columns", "columns", gz), ("zst → columns", "columns", zst),
        ("plain → flows written", "flows", plain), ("gz → flows written", "flows", gz),
        ("zst → flows written", "flows", zst), ("million → flows written", "flows", folder / "million.pcap"),
        ("inflate gz: zlib", "zlib", gz), ("inflate gz: isal", "isal", gz), ("inflate gz: zlib-ng", "zlib_ng", gz),
        ("inflate zst", "zstd", zst),
    )  # fmt: skip
    commands = {
        "cat": ["cat", str(plain)],
        "tracestats plain": ["tracestats", f"pcapfile:{plain}"],
        "tracestats gz": ["tracestats", f"pcapfile:{gz}"],
    }
    # Round after round, so that a machine that is busier for a while is so for all.
    for number in range(RUNS):
        say(f"round {number + 1} of {RUNS}")
        for label, name, path in works:
            result = measure(name, path)
            seconds[label] = min(seconds.get(label) or 1e9, result["cpu"])
            peak[label] = max(peak.get(label, 0), result["peak"])
        for label, command in commands.items():
            cpu = measure_command(command, 1)
            seconds[label] = cpu and min(seconds.get(label) or 1e9, cpu)
    sample = measure_command(tshark_command(folder / "small.pcap"), 1)
    nothing = measure_command(tshark_command(folder / "tiny.pcap"), 1)
    if sample is not None and nothing is not None:
        seconds["tshark -T fields"] = (sample - nothing) * packets / TSHARK_PACKETS
    # Bytecode is a cache too, even where the environment says not to write it.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")
    program = "import sys; from tsubame.cli.main import main; sys.exit(main(sys.argv[1:]))"
    start = measure_command([sys.executable, "-c", program, "decode", "--json", str(folder / "tiny.pcap")])
    yield from rows_of(seconds, peak, start)


def rows_of(seconds: dict[str, float | None], peak: dict[str, float], start: float | None) -> Iterator[Row]:
    """Yield the ratios that matter, then what they are made from; what is not installed is not there."""
    gunzip = min(seconds[f"inflate gz: {name}"] or 1e9 for name in ("zlib", "isal", "zlib-ng"))
    tshark = seconds.get("tshark -T fields")
    for name, what, above, below, at_most, at_least in (
        ("cat", "plain → columns, against cat", seconds["plain → columns"], seconds["cat"], 3.5, None),
        ("tshark", "tshark -T fields, against plain → columns", tshark, seconds["plain → columns"], None, 800),
        ("tracestats", "tracestats, against plain → columns", seconds["tracestats plain"], seconds["plain → columns"], None, 3),
        ("inflate", "gz → columns, against inflating alone", seconds["gz → columns"], gunzip, 1.3, None),
        ("flows", "gz → flows written, against inflating alone", seconds["gz → flows written"], gunzip, 2.0, None),
        ("tshark_flows", "tshark, against gz → flows written", tshark, seconds["gz → flows written"], None, 100),
        ("zst", "zst → flows written, against inflating alone", seconds["zst → flows written"], seconds["inflate zst"], 3.0, None),
    ):  # fmt: skip
        if above and below:
            yield Row(f"capture.{name}", what, above / below, "", at_most, at_least)
    large, small = (peak[f"{size} → flows written"] for size in ("plain", "million"))
    yield Row("capture.peak", "peak memory, plain → flows written", large / 1e6, "MB", at_most=450)
    yield Row("capture.peak_growth", "  against a tenth of the packets", large / small, at_most=1.1)
    if start:
        yield Row("capture.start", "start-up of `tsubame decode`", start, "s CPU", at_most=1.0)
    for what, value in seconds.items():
        if value is not None:
            note = f"peak {peak[what] / 1e6:.0f} MB" if what in peak else ""
            yield Row(f"capture.cpu.{what}", what, value, "s CPU", note=note)


def measure_rows(options: argparse.Namespace) -> Iterator[Row]:
    """Yield the figures."""
    with tempfile.TemporaryDirectory() as folder:
        yield from measure_all(Path(folder), options.packets)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure_here(sys.argv[2], Path(sys.argv[3]))
    else:
        harness.main("capture", __doc__, measure_rows, {"packets": 10_000_000})
