"""Properties of the simulator: records partition, framing is reversible, shapes are sane."""

from __future__ import annotations

import itertools
import struct
from datetime import date, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tsubame.simulate.containers import frame
from tsubame.simulate.packets import ETHERTYPE_IPV4, Packets
from tsubame.simulate.scenario import SensorSpec, ShapeSpec
from tsubame.simulate.traffic import shape_multiplier
from tsubame.simulate.world import Record, pieces, place

spans = st.tuples(st.integers(0, 500), st.integers(1, 80)).map(lambda pair: (pair[0], pair[0] + pair[1] - 1))
DAYS = tuple(date(2023, 1, 1) + timedelta(days=n) for n in range(120))


def record(span: tuple[int, int], region: str) -> Record:
    return Record(*span, "ripencc", region, "allocated", "h", date(2010, 1, 1))


@given(st.lists(st.tuples(spans, st.sampled_from(["AA", "BB", "CC"])), max_size=12))
def test_laying_records_over_each_other_leaves_the_last_word_on_every_address(laid):
    records: tuple[Record, ...] = ()
    said: dict[int, str] = {}
    for span, region in laid:
        records = place(records, [record(span, region)])
        said.update(dict.fromkeys(range(span[0], span[1] + 1), region))
    assert all(a.last < b.first for a, b in itertools.pairwise(records))
    assert {n: r.region for r in records for n in range(r.first, r.last + 1)} == said


@given(st.lists(spans, max_size=8), spans)
def test_pieces_are_what_lies_inside(laid, span):
    records: tuple[Record, ...] = ()
    for one in laid:
        records = place(records, [record(one, "AA")])
    inside = {n for r in records for n in range(r.first, r.last + 1) if span[0] <= n <= span[1]}
    assert {n for r in pieces(records, span) for n in range(r.first, r.last + 1)} == inside


@given(
    st.lists(st.tuples(st.integers(0, 2**32 * 10**9 - 1), st.binary(min_size=20, max_size=90)), min_size=1, max_size=9),
    st.sampled_from(["pcap", "pcap-ns", "pcap-be", "pcap-ns-be", "pcapng"]),
    st.sampled_from(["ethernet", "vlan", "raw", "sll"]),
    st.integers(96, 120),
)
def test_framing_is_reversible(rows, container, link, snaplen):
    number = len(rows)
    content = np.zeros((number, 92), np.uint8)
    for index, (_, data) in enumerate(rows):
        content[index, : len(data)] = np.frombuffer(data, np.uint8)
    nothing = np.zeros(number, np.int64)
    packets = Packets(
        np.array([time for time, _ in rows], np.int64), nothing, nothing, nothing.astype(np.uint32),
        nothing.astype(np.uint16), np.full(number, ETHERTYPE_IPV4, np.uint16),
        np.array([len(data) for _, data in rows], np.int64), content,
    )  # fmt: skip
    sensor = SensorSpec("s", "192.0.2.1", "JP", container=container, link=link, snaplen=snaplen)
    made, ends = frame(packets, sensor)
    header = {"ethernet": 14, "vlan": 18, "raw": 0, "sll": 16}[link]
    assert ends[-1] == len(made)
    starts = [60 if container == "pcapng" else 24, *ends[:-1]]
    for (time, data), start, end in zip(rows, starts, ends, strict=True):
        if container == "pcapng":
            _, length, _, high, low, captured, original = struct.unpack_from("<7I", made, start)
            assert length == end - start
            assert (high << 32) + low == time
            body = made[start + 28 : start + 28 + captured]
        else:
            order = ">" if container.endswith("-be") else "<"
            seconds, part, captured, original = struct.unpack_from(f"{order}4I", made, start)
            unit = 1 if "-ns" in container else 1000
            assert seconds * 10**9 + part * unit == time // unit * unit
            body = made[start + 16 : end]
        assert captured == len(body) == min(original, snaplen)
        assert original == max(header + len(data), 60 if link in ("ethernet", "vlan") else 0)
        kept = body[header : header + len(data)]
        assert data.startswith(kept)
        assert len(kept) == min(len(data), snaplen - header)


@given(
    st.sampled_from(["burst", "spike", "shift", "ramp"]),
    st.lists(st.integers(0, 100), min_size=3, max_size=3).map(sorted),
    st.floats(0, 50),
)
def test_a_shape_lies_between_1_and_its_factor_and_begins_with_its_onset(kind, at, factor):
    onset, peak, end = (DAYS[n] for n in at)
    shape = ShapeSpec(kind, onset, factor, peak if kind == "spike" else None, None if kind == "shift" else end)
    values = shape_multiplier(shape, DAYS)
    assert np.all(values >= min(1, factor) - 1e-9)
    assert np.all(values <= max(1, factor) + 1e-9)
    assert np.all(values[: at[0]] == 1)
    if kind == "spike":
        assert values[at[1]] == factor or abs(values[at[1]] - factor) < 1e-9
        assert np.all(values[at[2] + 1 :] == 1)
    if kind == "burst":
        assert np.all(values[at[2] + 1 :] == 1)
