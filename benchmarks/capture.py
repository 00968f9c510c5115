"""What reading a capture costs, side by side with the other ways of reading one, in one run.

    python benchmarks/capture.py [--packets 10000000] [--folder DIR] [--write]

A darknet capture is generated and packed; every way of reading it is run in a process of its own, the best of
some runs counts, and CPU seconds (user and system) are compared. Tools that are not installed are left out and
said to be. ``--write`` puts the table into ``benchmarks/results/``.
"""

# ruff: noqa: E501 - a table is read by its rows
from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

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
    """Write packets such as a telescope of a /16 sees: Mirai, ZMap, masscan and nmap SYNs, UDP, ICMP, backscatter."""
    import numpy as np

    rng = np.random.default_rng(20230101)
    with path.open("wb") as sink:
        sink.write(np.array([0xA1B2C3D4, 0x00040002, 0, 0, 65535, 1], "<u4").tobytes())
        done = 0
        while done < packets:
            count = min(1 << 19, packets - done)
            sink.write(some_records(rng, np, done, count, packets))
            done += count


def some_records(rng, np, first, count, packets):  # type: ignore[no-untyped-def]
    """Return ``count`` records as bytes: 24 hours from 2023-01-01 on, 54 to 110 bytes each."""
    ports = np.array([23, 6379, 37215, 22, 80, 443, 445, 2323, 8080, 3389, 5555, 81], np.uint32)
    source = rng.zipf(1.2, count).astype(np.uint64) * 2654435761 % (1 << 32)
    kind = rng.choice(6, count, p=[0.45, 0.15, 0.15, 0.1, 0.1, 0.05])
    port = np.where(
        rng.random(count) < 0.6, ports[rng.zipf(1.5, count) % len(ports)], rng.integers(1, 65536, count)
    ).astype(np.uint64)
    destination = 0xCB007100 + rng.integers(0, 65536, count).astype(np.uint64)
    sequence = np.where(kind == 0, destination, rng.integers(0, 1 << 32, count, np.uint64))
    ident = rng.integers(0, 65536, count).astype(np.uint64)
    ident = np.where(kind == 1, 54321, np.where(kind == 2, (destination ^ port ^ sequence) & 0xFFFF, ident))
    rows = np.zeros((count, 16 + 74), np.uint8)

    def put(place, width, values):  # type: ignore[no-untyped-def]
        for byte in range(width):
            rows[:, place + byte] = (np.asarray(values, np.uint64) >> np.uint64(8 * (width - 1 - byte))) & np.uint64(
                255
            )

    moments = (first + np.arange(count)) * (86_400_000_000 // packets)
    put_le = rows[:, :16].view("<u4")
    put_le[:, 0], put_le[:, 1] = 1_672_531_200 + moments // 1_000_000, moments % 1_000_000
    put_le[:, 2] = put_le[:, 3] = np.where(kind == 3, 74, 60)
    rows[:, 16:28] = np.frombuffer(b"\x02\0\0\0\0\1\x02\0\0\0\0\2", np.uint8)
    put(28, 2, np.full(count, 0x0800))
    rows[:, 30] = 0x45
    put(32, 2, np.where(kind == 3, 60, 40))
    put(34, 2, ident)
    rows[:, 38] = rng.integers(30, 120, count)
    rows[:, 39] = np.where(kind == 3, 17, 6)
    put(42, 4, source)
    put(46, 4, destination)
    put(50, 2, rng.integers(1024, 65536, count))
    put(52, 2, port)
    put(54, 4, sequence)
    rows[:, 62] = 0x50
    rows[:, 63] = np.where(kind == 4, 0x12, 2)
    put(64, 2, np.where(kind == 2, 1024, rng.integers(0, 65536, count)))
    keep = np.ones(rows.shape, bool)
    keep[:, 76:] = (kind == 3)[:, None]
    return rows[keep].tobytes()


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


def run(folder: Path, packets: int) -> str:
    """Measure everything and return the table."""
    make_captures(folder, packets)
    before = os.getloadavg()[0]
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
    for _ in range(RUNS):
        for label, name, path in works:
            result = measure(name, path)
            seconds[label] = min(seconds.get(label) or 1e9, result["cpu"])
            peak[label] = max(peak.get(label, 0), result["peak"])
            print(f"{label:28} {result['cpu']:8.3f} s {result['peak'] / 1e6:8.0f} MB", flush=True)
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
    return table(seconds, peak, start, packets, plain.stat().st_size, before)


def table(
    seconds: dict[str, float | None],
    peak: dict[str, float],
    start: float | None,
    packets: int,
    size: int,
    before: float,
) -> str:
    """Write what was measured, and the ratios that matter, as Markdown."""
    gunzip = min(seconds[f"inflate gz: {name}"] or 1e9 for name in ("zlib", "isal", "zlib-ng"))

    def ratio(above: float | None, below: float | None) -> str:
        return f"{above / below:.2f}" if above and below else "not measured"

    rows = [
        ("plain → columns, against cat", ratio(seconds["plain → columns"], seconds["cat"]), "≤ 3.5"),
        ("tshark -T fields, against plain → columns", ratio(seconds.get("tshark -T fields"), seconds["plain → columns"]), "≥ 800"),
        ("tracestats, against plain → columns", ratio(seconds["tracestats plain"], seconds["plain → columns"]), "≥ 3"),
        ("gz → columns, against inflating alone", ratio(seconds["gz → columns"], gunzip), "≤ 1.3"),
        ("gz → flows written, against inflating alone", ratio(seconds["gz → flows written"], gunzip), "≤ 2.0"),
        ("tshark, against gz → flows written", ratio(seconds.get("tshark -T fields"), seconds["gz → flows written"]), "≥ 100"),
        ("zst → flows written, against inflating alone", ratio(seconds["zst → flows written"], seconds["inflate zst"]), "≤ 3.0"),
        ("peak memory, MB, all packets / a tenth",
         f"{peak['plain → flows written'] / 1e6:.0f} / {peak['million → flows written'] / 1e6:.0f}", "≤ 450, the same"),
        ("start-up of `tsubame decode`, CPU s", f"{start:.2f}" if start else "not measured", "≤ 1.0"),
    ]  # fmt: skip
    cpu = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        "",
    )
    versions = ", ".join(
        f"{name} {version(name)}" for name in ("numba", "numpy", "pyarrow", "zlib-ng", "isal", "zstandard")
    )
    lines = [
        f"# Reading a capture, {datetime.date.today()}",
        "",
        f"{packets:,} packets, {size / 1e6:.0f} MB; {cpu}, {os.cpu_count()} CPUs, Python {platform.python_version()}, {versions}.",
        f"CPU seconds, user and system, the best of {RUNS} rounds; tshark measured on {TSHARK_PACKETS:,} packets and scaled.",
        f"The load of the machine was {before:.1f} before and {os.getloadavg()[0]:.1f} after; other programs that use its caches cost time.",
        "", "| what | measured | reach |", "|---|---|---|",
        *(f"| {what} | {measured} | {reach} |" for what, measured, reach in rows),
        "", "| | CPU s | peak MB |", "|---|---|---|",
        *(f"| {what} | {value:.3f} | {peak[what] / 1e6:.0f} |" if what in peak else f"| {what} | {value:.3f} | |"
          for what, value in seconds.items() if value is not None),
        "", *(f"Not installed: {what}." for what, value in seconds.items() if value is None),
    ]  # fmt: skip
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=10_000_000)
    parser.add_argument("--folder", type=Path, help="keep the captures here, for the next run")
    parser.add_argument("--write", action="store_true", help="write the table to benchmarks/results/")
    parser.add_argument("--measure", nargs=2, metavar=("WORK", "FILE"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure_here(arguments.measure[0], Path(arguments.measure[1]))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        report = run(folder, arguments.packets)
    print(report)
    if arguments.write:
        results = HERE.parent / "results"
        results.mkdir(exist_ok=True)
        (results / f"capture-{datetime.date.today()}.md").write_text(report, encoding="utf-8")


if __name__ == "__main__":
    main()
