"""What a day and a quarter of three telescopes cost, reckoned from the rows of the other benchmarks: ``scale.md``.

Every figure is a product of measured ones and of the assumptions below; the page shows both. Costs grow in a straight
line with packets, flows, rows and objects, as ``growth.py`` and ``many_objects.py`` measure; where that is a bound
rather than an estimate, the page says so.
"""

# ruff: noqa: E501 - a table is read by its rows
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

DAYS = 91
PRICES = {
    "a core for an hour": 0.0446,
    "1,000 requests priced as PUT or LIST": 0.005,
    "1,000 requests priced as GET": 0.0004,
    "a GB stored for a month": 0.023,
}
PRICES_SOURCE = (
    "US dollars, list prices of a large provider (compute-optimised on demand, standard object storage) as known on "
    "2026-11-25, rounded, not fetched by this program: change `PRICES` in `benchmarks/scale.py` and run `make bench ONLY=scale`"
)


@dataclass(frozen=True, slots=True)
class Telescope:
    """A telescope, as assumed.

    Attributes:
        packets: a day.
        captures: objects a day.
        why: where the assumption comes from.
    """

    name: str
    packets: float
    sensors: int
    captures: int
    why: str


TELESCOPES = (
    Telescope("TSUBAME", 60 * 6_550, 60, 60 * 24, "60 sensors of one address, 6,550 packets an address as NICTER; a capture an hour"),
    Telescope("a /16", 65_536 * 6_550, 1, 24 * 60, "65,536 addresses, 6,550 packets each; a capture a minute"),
    Telescope("NICTER-size", 1.9e9, 20, 20 * 24 * 12, "1.9 billion packets a day, some 290,000 addresses; 20 blocks, a capture in 5 minutes"),
)  # fmt: skip
NEEDED = (
    "packet.ingest_cpu", "packet.flows", "flow.bytes", "flow.count_cpu", "count.peak", "object.ingest_cpu",
    "object.count_cpu", "counts.rows", "counts.row_bytes", "sources.rows", "sources.row_bytes", "s3.capture.PUT",
    "s3.capture.GET", "s3.day.PUT", "s3.day.GET", "s3.again.lists_a_sensor", "s3.read_mib", "quarter.cpu",
    "quarter.counts", "quarter.sources", "quarter.cube", "simulation.packets", "simulation.objects",
    "simulation.captured", "simulation.ingest_cpu", "simulation.count_cpu", "simulation.flows_rows", "simulation.days", "simulation.count_peak",
)  # fmt: skip
FLOW_ASIDE, COUNT_ASIDE = 24, 32
"""Bytes of a flow and of a row of counts as they lie in a worker's temporary directory (``tsubame/aggregate/spans.py``)."""
Values = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Cost:
    """What a day costs; seconds of CPU, bytes, numbers of requests."""

    ingest: float
    count: float
    flows: float
    scratch: float
    captured: float
    lake: float
    dear: float
    cheap: float
    count_rows: float
    source_rows: float

    @property
    def cpu(self) -> float:
        """CPU seconds of all steps."""
        return self.ingest + self.count


def ingest_cpu(values: Values, packets: float, captures: float) -> float:
    """Return the CPU seconds from captures to flows."""
    return packets * values["packet.ingest_cpu"] / 1e9 + captures * values["object.ingest_cpu"] / 1e3


def count_cpu(values: Values, packets: float, captures: float) -> float:
    """Return the CPU seconds from flows to counts."""
    flows = packets * values["packet.flows"]
    return flows * values["flow.count_cpu"] / 1e9 + captures * values["object.count_cpu"] / 1e3


def day_of(telescope: Telescope, values: Values) -> Cost:
    """Reckon a day of a telescope."""
    packets, captures = telescope.packets, telescope.captures
    flows = packets * values["packet.flows"]
    captured = packets * values["simulation.captured"] * 1e9 / values["simulation.packets"]
    rows = {name: packets * values[f"{name}.rows"] for name in ("counts", "sources")}
    reads = math.ceil(captured / captures / (values["s3.read_mib"] * 2**20))
    cheap = captures * (values["s3.capture.GET"] - 1 + reads) + captures + values["s3.day.GET"]
    dear = (
        captures * values["s3.capture.PUT"]
        + values["s3.day.PUT"]
        + telescope.sensors * values["s3.again.lists_a_sensor"]
    )
    return Cost(
        ingest=ingest_cpu(values, packets, captures),
        count=count_cpu(values, packets, captures),
        flows=flows,
        scratch=flows * FLOW_ASIDE + rows["counts"] * COUNT_ASIDE,
        captured=captured,
        lake=flows * values["flow.bytes"] + sum(rows[name] * values[f"{name}.row_bytes"] for name in rows),
        dear=dear,
        cheap=cheap,
        count_rows=rows["counts"],
        source_rows=rows["sources"],
    )


def money(cpu: float, dear: float, cheap: float) -> float:
    """Return what work and requests cost, without storage."""
    hour, put, get, _ = PRICES.values()
    return cpu / 3600 * hour + dear / 1000 * put + cheap / 1000 * get


def render(values: Values) -> str:
    """Return the page.

    Raises:
        KeyError: a row it needs has not been measured.
    """
    missing = [name for name in NEEDED if name not in values]
    if missing:
        raise KeyError(", ".join(missing))
    days = {telescope: day_of(telescope, values) for telescope in TELESCOPES}
    report = values["quarter.cpu"] / values["quarter.counts"]
    return "\n".join(
        [
            "# What a telescope costs",
            "",
            "Written by `make bench` (`benchmarks/scale.py`) from the figures of [RESULTS.md](RESULTS.md); nothing here is typed.",
            "",
            *_assumptions(values),
            *_days(values, days),
            *_quarters(values, days, report),
            *_arithmetic(values, days),
            *_check(values),
        ]
    )


def _assumptions(values: Values) -> list[str]:
    measured = (
        ("packet.ingest_cpu", "CPU of a packet, gzip → flows", "ns"), ("object.ingest_cpu", "CPU of a capture besides, Dask included", "ms"),
        ("packet.flows", "flows of a packet", ""), ("flow.bytes", "bytes of a flow", ""),
        ("flow.count_cpu", "CPU of a flow, flows → counts and sources", "ns"), ("object.count_cpu", "CPU of a capture's flows besides", "ms"),
        ("count.peak", "memory of a worker that counts a day", "MB"),
        ("counts.rows", "rows of counts of a packet", ""), ("sources.rows", "rows of sources of a packet", ""),
        ("s3.read_mib", "MiB of a capture a request brings", ""), ("s3.capture.PUT", "PUTs of a capture", ""),
        ("s3.again.lists_a_sensor", "listings of a sensor and run", ""),
    )  # fmt: skip
    return [
        "## Assumed", "", "| telescope | packets a day | sensors | captures a day | why |", "|---|---|---|---|---|",
        *(f"| {t.name} | {t.packets:,.0f} | {t.sensors} | {t.captures:,} | {t.why} |" for t in TELESCOPES),
        "", "Traffic is that of `benchmarks/traffic.py`, in which few packets share a flow: real scans of many addresses share more, so flows and what follows from them are bounds.",
        "", "| price | USD |", "|---|---|", *(f"| {name} | {price} |" for name, price in PRICES.items()),
        "", f"{PRICES_SOURCE}.", "", "## Measured", "", "| figure | value |", "|---|---|",
        *(f"| {what} (`{name}`) | {values[name]:.4g} {unit} |" for name, what, unit in measured), "",
    ]  # fmt: skip


def _days(values: Values, days: Mapping[Telescope, Cost]) -> list[str]:
    lines = [
        "## A day", "", "| | CPU | cores all day | cores to be done in an hour | temporary disk of the worker that counts it | captures | lake | PUT, LIST | GET | work and requests |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for telescope, day in days.items():
        lines.append(
            f"| {telescope.name} | {day.cpu:,.0f} s | {day.cpu / 86_400:.3f} | {day.cpu / 3600:.2f} | {day.scratch / 1e9:,.2f} GB"
            f" | {day.captured / 1e9:,.2f} GB | {day.lake / 1e9:,.3f} GB | {day.dear:,.0f} | {day.cheap:,.0f}"
            f" | {money(day.cpu, day.dear, day.cheap):,.3f} USD |"
        )
    return [
        *lines,
        "",
        "Memory grows neither with a capture nor, but for what allocators keep, with a day: in the simulation below no worker held more than"
        f" {values['simulation.count_peak']:,.0f} MB. A day is counted by one worker, which puts its flows and counts aside in `TMPDIR`.",
        "",
    ]


def _quarters(values: Values, days: Mapping[Telescope, Cost], report: float) -> list[str]:
    lines = [
        f"## A quarter of {DAYS} days", "", "| | CPU of the days | CPU of the report | memory of the report | captures | lake | requests | work and requests | a month's storage, captures and lake |",
        "|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    each = values["quarter.cube"] * 1e6 / values["quarter.sources"]
    storage = PRICES["a GB stored for a month"]
    for telescope, day in days.items():
        making = day.count_rows * DAYS * report
        stored = (day.captured + day.lake) * DAYS / 1e9
        lines.append(
            f"| {telescope.name} | {day.cpu * DAYS / 3600:,.2f} h | {making / 3600:,.2f} h"
            f" | {day.source_rows * DAYS * each / 1e9:,.1f} GB | {day.captured * DAYS / 1e9:,.0f} GB"
            f" | {day.lake * DAYS / 1e9:,.1f} GB | {(day.dear + day.cheap) * DAYS:,.0f}"
            f" | {money(day.cpu * DAYS + making, day.dear * DAYS, day.cheap * DAYS):,.2f} USD | {stored * storage:,.2f} USD |"
        )
    return [
        *lines,
        "",
        "The report's CPU goes by rows of counts, which a real telescope repeats more than this traffic does: a bound. So does its memory by rows"
        " of sources: the report holds each port and source of the quarter once, and is not made in pieces yet.",
        "",
    ]


def _arithmetic(values: Values, days: Mapping[Telescope, Cost]) -> list[str]:
    telescope, day = list(days.items())[-1]
    v = values
    return [
        f"## The arithmetic, for {telescope.name}", "",
        f"- captures → flows: {telescope.packets:,.0f} packets × {v['packet.ingest_cpu']:.1f} ns + {telescope.captures:,} captures × {v['object.ingest_cpu']:.2f} ms = {day.ingest:,.0f} s",
        f"- flows: {telescope.packets:,.0f} packets × {v['packet.flows']:.3f} = {day.flows:,.0f}",
        f"- flows → counts: {day.flows:,.0f} flows × {v['flow.count_cpu']:.0f} ns + {telescope.captures:,} captures × {v['object.count_cpu']:.2f} ms = {day.count:,.0f} s",
        f"- temporary disk: {day.flows:,.0f} flows × {FLOW_ASIDE} bytes + {day.count_rows:,.0f} rows of counts × {COUNT_ASIDE} bytes = {day.scratch / 1e9:,.1f} GB",
        f"- requests priced as PUT: {telescope.captures:,} captures × {v['s3.capture.PUT']:g} + {v['s3.day.PUT']:g} of the day + {telescope.sensors} sensors × {v['s3.again.lists_a_sensor']:.1f} listings = {day.dear:,.0f}",
        f"- requests priced as GET: reads of {v['s3.read_mib']:.1f} MiB of {day.captured / telescope.captures / 2**20:,.1f} MiB a capture, what is asked besides, and its flows read once = {day.cheap:,.0f}",
        f"- money: {day.cpu:,.0f} s / 3600 × {PRICES['a core for an hour']} + {day.dear:,.0f} / 1000 × {PRICES['1,000 requests priced as PUT or LIST']} + {day.cheap:,.0f} / 1000 × {PRICES['1,000 requests priced as GET']} = {money(day.cpu, day.dear, day.cheap):,.3f} USD",
        "",
    ]  # fmt: skip


def _check(values: Values) -> list[str]:
    packets, captures = values["simulation.packets"], values["simulation.objects"]
    flows = packets * values["packet.flows"]
    rows = (
        ("captures → flows, s CPU", ingest_cpu(values, packets, captures), values["simulation.ingest_cpu"]),
        ("flows → counts, s CPU", count_cpu(values, packets, captures), values["simulation.count_cpu"]),
        ("flows", flows, values["simulation.flows_rows"]),
        ("memory of a worker, MB", values["count.peak"], values["simulation.count_peak"]),
    )
    return [
        "## Checked", "", f"`benchmarks/simulation.py` put {packets:,.0f} packets of {captures:,.0f} captures through all steps, made while they were read:", "",
        "| | foretold | measured | measured / foretold |", "|---|---|---|---|",
        *(f"| {what} | {foretold:,.0f} | {found:,.0f} | {found / foretold:.2f} |" for what, foretold, found in rows), "",
    ]  # fmt: skip
