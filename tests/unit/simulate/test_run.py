"""Captures and truth agree, as read by another reader; running again changes nothing."""

from __future__ import annotations

import dataclasses
import gzip
import ipaddress
import json
import shutil
import subprocess
from collections import Counter
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
import zstandard

from tsubame.errors import UsageError
from tsubame.keys import CaptureKey, DelegationKey
from tsubame.sensors import parse_sensors
from tsubame.simulate.reading import load_scenario
from tsubame.simulate.run import simulate
from tsubame.simulate.scenario import DamageSpec, OutageSpec
from tsubame.simulate.traffic import Plan
from tsubame.simulate.truth import TRUTH
from tsubame.simulate.world import World
from tsubame.stores import Store

TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.fixture(scope="module")
def tiny(scenarios):
    return load_scenario(scenarios / "tiny.toml")


@pytest.fixture(scope="module")
def done(tiny, tmp_path_factory):
    """The tiny scenario with one of everything that can be wrong."""
    folder = tmp_path_factory.mktemp("simulated")
    scenario = dataclasses.replace(
        tiny,
        outages=(
            OutageSpec("jp-a", date(2023, 1, 17), date(2023, 1, 18)),
            OutageSpec("jp-b", date(2023, 1, 24), date(2023, 1, 24), "late", 3),
        ),
        damage=(
            DamageSpec("de-a", date(2023, 1, 16), "truncated", 0.5),
            DamageSpec("jp-b", date(2023, 1, 20), "foreign"),
        ),
    )
    captures, delegations = Store(str(folder / "captures")), Store(str(folder / "delegations"))
    return scenario, captures, delegations, simulate(scenario, captures, delegations)


def day_of(time: int) -> str:
    return datetime.fromtimestamp(time // 10**9, TOKYO).date().isoformat()


def network_of(registry, sensor_id) -> tuple[int, int]:
    return registry.get(sensor_id).network


def own_packets(done, read_frames):
    """Yield (sensor, time, IPv4 packet) of every packet to its sensor, by the independent reader."""
    _, captures, _, truth = done
    registry = parse_sensors(captures.read("sensors.csv"))
    for key, accounting in truth.accounting.items():
        if accounting is None:
            continue
        sensor = CaptureKey.parse(key).sensor_id
        first, last = network_of(registry, sensor)
        for frame in read_frames(captures.read(key)):
            if frame.ethertype == 0x0800 and first <= int.from_bytes(frame.packet[16:20], "big") <= last:
                yield sensor, frame.time, frame.packet


def test_the_accounting_is_what_another_reader_finds(done, read_frames):
    _, captures, _, truth = done
    registry = parse_sensors(captures.read("sensors.csv"))
    for key, said in truth.accounting.items():
        if said is None:
            continue
        found = Counter()
        first, last = network_of(registry, CaptureKey.parse(key).sensor_id)
        for frame in read_frames(captures.read(key)):
            found["records_read"] += 1
            if frame.ethertype == 0x0806:
                found["not_ip"] += 1
            elif frame.ethertype == 0x86DD:
                found["ipv6"] += 1
            elif first <= int.from_bytes(frame.packet[16:20], "big") <= last:
                found["packets_kept"] += 1
            else:
                found["outside_sensor"] += 1
        assert {name: number for name, number in said.items() if number and name != "truncated_tail"} == found


def test_the_counts_are_what_another_reader_finds(done, read_frames):
    *_, truth = done
    found = Counter()
    sensor_days = Counter()
    for sensor, time, packet in own_packets(done, read_frames):
        header = 4 * (packet[0] & 15)
        port = int.from_bytes(packet[header + 2 : header + 4], "big") if packet[9] != 1 else 0
        found[day_of(time), sensor.startswith("jp"), packet[9], port] += 1
        sensor_days[sensor, day_of(time)] += 1
    columns = truth.counts
    said = Counter()
    for day, domestic, protocol, port, packets in zip(
        *(columns[name] for name in ("day", "domestic", "protocol", "port", "packets")), strict=True
    ):
        said[day, domestic, protocol, port] += packets
    named = {(protocol, port) for _, _, protocol, port in said if port != -1}
    for key in said:
        if key[3] == -1:
            others = [k for k in found if k[:3] == key[:3] and k[2:] not in named]
            assert said[key] == sum(found[k] for k in others)
        else:
            assert said[key] == found[key]
    assert sum(found.values()) == truth.packets
    assert sensor_days == {
        (sensor, day): number for sensor, days in truth.sensor_days.items() for day, number in days.items()
    }


def test_the_regions_are_what_the_delegation_files_say(done, read_frames):
    """By the plain text of the file in force, for the day and for the quarter's first day it covers."""
    _, _, delegations, truth = done

    def spans(day: str):
        found = []
        for info in delegations.list(f"{day.replace('-', '')}/"):
            if DelegationKey.parse(info.key) is None:
                continue
            content = delegations.read(info.key)
            if info.key.endswith(".gz"):
                content = gzip.decompress(content)
            for line in content.decode().splitlines():
                parts = line.split("|")
                if len(parts) > 6 and parts[2] == "ipv4" and parts[3] != "*":
                    first = int(ipaddress.IPv4Address(parts[3]))
                    name = parts[1] if parts[6] in ("allocated", "assigned") else parts[6]
                    found.append((first, first + int(parts[4]), name))
        found.sort()
        return np.array([f for f, _, _ in found]), found

    found = Counter()
    cache = {}
    for _, time, packet in own_packets(done, read_frames):
        day = day_of(time)
        if day > truth.last or day < truth.first:
            continue
        if day not in cache:
            cache[day] = spans(day)
        firsts, records = cache[day]
        source = int.from_bytes(packet[12:16], "big")
        at = int(np.searchsorted(firsts, source, side="right")) - 1
        found[day, records[at][2] if at >= 0 and source < records[at][1] else "undelegated"] += 1
    said = Counter()
    for day, region, packets in zip(*(truth.counts[n] for n in ("day", "region", "packets")), strict=True):
        if truth.first <= day <= truth.last:
            said[day, region] += packets
    assert said == found
    moved = [n for (day, region), n in sorted(said.items()) if region == "NL"]
    assert max(moved[:7]) * 3 < min(moved[7:])


def test_tools_leave_their_marks(done, read_frames):
    *_, truth = done
    marks = Counter()
    for _, _, packet in own_packets(done, read_frames):
        if packet[9] != 6 or packet[33] != 2:
            continue
        destination, sequence = packet[16:20], packet[24:28]
        port, identity = int.from_bytes(packet[22:24], "big"), int.from_bytes(packet[4:6], "big")
        if sequence == destination:
            marks["mirai"] += 1
        elif identity == 54321:
            marks["zmap"] += 1
        elif identity == (int.from_bytes(destination, "big") ^ port ^ int.from_bytes(sequence, "big")) & 0xFFFF:
            marks["masscan"] += 1
    said = Counter()
    for tool, packets in zip(truth.counts["tool"], truth.counts["packets"], strict=True):
        said[tool] += packets
    for tool in ("mirai", "zmap", "masscan"):
        assert marks[tool] == said[tool]


def test_checksums_lengths_and_times(done, read_frames):
    def folded(data: bytes) -> int:
        total = sum(int.from_bytes(data[i : i + 2].ljust(2, b"\0"), "big") for i in range(0, len(data), 2))
        while total > 0xFFFF:
            total = (total & 0xFFFF) + (total >> 16)
        return total

    seen = Counter()
    for _, _, packet in own_packets(done, read_frames):
        length = int.from_bytes(packet[2:4], "big")
        body = packet[20:length]
        assert folded(packet[:20]) == 0xFFFF
        pseudo = packet[12:20] + bytes([0, packet[9]]) + len(body).to_bytes(2, "big") if packet[9] != 1 else b""
        assert folded(pseudo + body) == 0xFFFF
        seen[packet[9]] += 1
    assert set(seen) == {1, 6, 17}


def test_a_capture_holds_one_utc_day_in_the_order_of_time(done, read_frames):
    _, captures, _, truth = done
    for key, said in truth.accounting.items():
        if said is None:
            continue
        times = [frame.time for frame in read_frames(captures.read(key))]
        assert times == sorted(times)
        stamp = datetime.strptime(key.rpartition("/")[2].split(".")[0][-14:], "%Y%m%dT%H%MZ")
        span = timedelta(hours=12 if key.startswith("jp-b") else 24)
        begin = (stamp - datetime(1970, 1, 1)) // timedelta(seconds=1) * 10**9
        assert all(begin <= time < begin + span // timedelta(microseconds=1) * 1000 for time in times)


def test_outages_lateness_and_damage(done):
    _, captures, _, truth = done
    days = set(truth.sensor_days["jp-a"])
    assert {"2023-01-17", "2023-01-18"}.isdisjoint(days)
    assert {"2023-01-16", "2023-01-19"} <= days
    late = [key for key in truth.accounting if "jp-b-20230124T" in key]
    assert [CaptureKey.parse(key).hint for key in late] == [date(2023, 1, 27)] * 2
    foreign = [key for key, said in truth.accounting.items() if said is None]
    assert len(foreign) == 1
    assert captures.read(foreign[0]).startswith(b"<!DOCTYPE")
    cut = [key for key, said in truth.accounting.items() if said and said["truncated_tail"]]
    assert cut == ["de-a/2023/01/16/de-a-20230116T0000Z.pcap"]


def test_every_report_day_is_complete(tiny, done):
    *_, truth = done
    days = truth.sensor_days["de-a"]
    means = sum(sum(t.rates.values()) + sum(t.blocks.values()) for t in tiny.traffic)
    whole = [number for day, number in days.items() if tiny.first.isoformat() <= day <= tiny.last.isoformat()]
    assert len(whole) == 15
    assert np.median(whole) == pytest.approx(means, rel=0.05)


def test_sensors_csv_and_keys(done):
    _, captures, _, truth = done
    registry = parse_sensors(captures.read("sensors.csv"))
    assert [sensor.sensor_id for sensor in registry] == ["de-a", "jp-a", "jp-b"]
    keys = {info.key for info in captures.list()}
    assert keys == {*truth.captures, TRUTH}
    assert all(CaptureKey.parse(key) for key in keys - {TRUTH, "sensors.csv"})
    days = {DelegationKey.parse(key).day for key in truth.delegations if DelegationKey.parse(key)}
    assert (min(days), max(days)) == (date(2023, 1, 13), date(2023, 1, 28))


def test_capinfos_counts_the_same_packets(done, tmp_path):
    if shutil.which("capinfos") is None:
        pytest.skip("capinfos is not installed (apt-get install tshark)")
    _, captures, _, truth = done
    for key, said in list(truth.accounting.items())[::5]:
        if said is None or said["truncated_tail"]:
            continue
        path = tmp_path / key.rpartition("/")[2].removesuffix(".zst")
        content = captures.read(key)
        if key.endswith(".zst"):
            content = zstandard.ZstdDecompressor().decompress(content, max_output_size=2**24)
        path.write_bytes(content)
        out = subprocess.run(["capinfos", "-Mc", str(path)], capture_output=True, text=True, check=True).stdout
        assert int(out.split()[-1]) == said["records_read"]


def test_tshark_finds_no_wrong_checksum_and_nothing_malformed(done, tmp_path):
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed (apt-get install tshark)")
    _, captures, _, truth = done
    for sensor in ("jp-a", "de-a"):
        key = next(k for k in truth.accounting if k.startswith(sensor))
        path = tmp_path / key.rpartition("/")[2]
        path.write_bytes(captures.read(key))
        checks = [f"-o{name}.check_checksum:TRUE" for name in ("ip", "tcp", "udp")]
        wrong = "_ws.malformed || " + " || ".join(
            f"{name}.checksum.status != 1" for name in ("ip", "tcp", "udp", "icmp")
        )
        shown = subprocess.run(
            ["tshark", "-r", str(path), *checks, "-Y", wrong], capture_output=True, text=True, check=True
        )
        assert shown.stdout == ""


def test_again_leaves_every_object_untouched(done):
    scenario, captures, delegations, truth = done
    before = {info.key: info.etag for store in (captures, delegations) for info in store.list()}
    told = []
    again = simulate(scenario, captures, delegations, progress=lambda *step: told.append(step))
    assert again == truth
    assert told == [("simulate", 1, 1)]
    # Without its marker everything is made again, and nothing is written but the marker.
    captures.put(TRUTH, dataclasses.replace(truth, digest="other").as_json())
    simulate(scenario, captures, delegations)
    after = {info.key: info.etag for store in (captures, delegations) for info in store.list()}
    assert {key for key in before if before[key] != after[key]} == {TRUTH}
    assert json.loads(captures.read(TRUTH)) == json.loads(truth.as_json())


def test_another_place_gets_the_same_bytes_and_a_lost_object_comes_back(done, tmp_path):
    scenario, captures, delegations, truth = done
    other = Store(str(tmp_path / "c")), Store(str(tmp_path / "d"))
    simulate(scenario, *other)
    for mine, theirs in zip((captures, delegations), other, strict=True):
        keys = [info.key for info in mine.list()]
        assert keys == [info.key for info in theirs.list()]
        assert all(mine.read(key) == theirs.read(key) for key in keys)
    lost = next(iter(truth.accounting))
    other[0].delete(lost)
    simulate(scenario, *other)
    assert other[0].read(lost) == captures.read(lost)


def test_fewer_days_are_the_same_objects(tiny, tmp_path):
    whole = Store(str(tmp_path / "c")), Store(str(tmp_path / "d"))
    part = Store(str(tmp_path / "pc")), Store(str(tmp_path / "pd"))
    simulate(tiny, *whole)
    truth = simulate(tiny, *part, first=date(2023, 1, 18), last=date(2023, 1, 19))
    assert len(truth.accounting) == 4 * 3
    for key in truth.accounting:
        assert part[0].read(key) == whole[0].read(key)
    for key in truth.delegations:
        assert part[1].read(key) == whole[1].read(key)


def test_another_scenario_leaves_nothing_of_the_first(tiny, tmp_path):
    stores = Store(str(tmp_path / "c")), Store(str(tmp_path / "d"))
    simulate(tiny, *stores)
    fewer = dataclasses.replace(tiny, sensors=tiny.sensors[:1], last=date(2023, 1, 20))
    truth = simulate(fewer, *stores)
    assert {info.key for info in stores[0].list()} == {*truth.captures, TRUTH}
    assert {info.key for info in stores[1].list()} == set(truth.delegations)


def test_a_run_cut_short_is_taken_up(tiny, tmp_path):
    stores = Store(str(tmp_path / "c")), Store(str(tmp_path / "d"))

    def stop(stage, done, total):
        if stage == "captures" and done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(tiny, *stores, progress=stop)
    assert json.loads(stores[0].read(TRUTH))["complete"] is False
    one = dataclasses.replace(tiny, sensors=tiny.sensors[2:])
    truth = simulate(one, *stores)
    assert truth.complete
    assert {info.key for info in stores[0].list()} == {*truth.captures, TRUTH}


def test_real_captures_and_real_delegations_are_not_overwritten(tiny, tmp_path):
    captures, delegations = Store(str(tmp_path / "c")), Store(str(tmp_path / "d"))
    captures.put("jp-a/2023/01/15/real.pcap", b"x")
    with pytest.raises(UsageError, match="were not simulated"):
        simulate(tiny, captures, delegations)
    captures.delete("jp-a/2023/01/15/real.pcap")
    delegations.put("20230115/delegated-ripencc-extended-20230115", b"real")
    with pytest.raises(UsageError, match="was not written by this simulation"):
        simulate(tiny, captures, delegations)
    assert delegations.read("20230115/delegated-ripencc-extended-20230115") == b"real"


@pytest.mark.parametrize(
    "wrong",
    [{"scale": 0}, {"scale": float("nan")}, {"seed": -1}, {"first": date(2020, 1, 1)}, {"last": date(2023, 1, 1)}],
)
def test_what_cannot_be_meant_is_refused(tiny, tmp_path, wrong):
    with pytest.raises(UsageError):
        simulate(tiny, Store(str(tmp_path / "c")), Store(str(tmp_path / "d")), **wrong)
    assert not list(tmp_path.rglob("*.pcap*"))


def test_scale_and_seed(tiny, tmp_path):
    truths = [
        simulate(tiny, Store(str(tmp_path / f"c{i}")), Store(str(tmp_path / f"d{i}")), scale=scale, seed=seed)
        for i, (scale, seed) in enumerate([(1, None), (3, None), (1, 8)])
    ]
    assert truths[1].packets == pytest.approx(3 * truths[0].packets, rel=0.02)
    assert truths[2].packets == pytest.approx(truths[0].packets, rel=0.02)
    assert truths[2].counts != truths[0].counts
    assert truths[2].digest != truths[0].digest


def test_zones_west_of_greenwich(tiny, tmp_path, read_frames):
    west = dataclasses.replace(tiny, timezone="America/New_York", last=date(2023, 1, 16))
    captures = Store(str(tmp_path / "c"))
    truth = simulate(west, captures, Store(str(tmp_path / "d")))
    keys = [key for key in truth.accounting if key.startswith("jp-a")]
    assert [CaptureKey.parse(key).hint.day for key in keys] == [14, 15, 16, 17]
    assert set(truth.sensor_days["jp-a"]) == {f"2023-01-{day}" for day in range(13, 18)}


def test_poisson_counts_have_their_variance(tiny, tmp_path):
    long = dataclasses.replace(tiny, sampling="poisson", last=date(2024, 1, 14))
    plan = Plan(long, World(long), scale=1, seed=1)
    counts = plan.counts(long.sensors[0])
    row = next(i for i, stream in enumerate(plan.streams) if stream.name == "telnet/CN")
    assert counts[row].mean() == pytest.approx(12, rel=0.06)
    assert counts[row].var() == pytest.approx(12, rel=0.3)
