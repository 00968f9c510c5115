"""The data path through stores and Dask: exact, idempotent, incremental, and clear about what is wrong."""

import json
import os
import signal
from datetime import UTC, date, datetime
from pathlib import Path

import dask
import duckdb
import pyarrow.dataset as ds
import pytest

from tests.integration.miscounted import drop_a_row
from tsubame.cli.main import main
from tsubame.errors import NotReady, Rejected, Unavailable
from tsubame.periods import Quarter
from tsubame.pipeline import counts as counts_module
from tsubame.pipeline import ingest as ingest_module
from tsubame.pipeline.approval import APPROVED, decide, read_refusal
from tsubame.pipeline.checked import read_suite
from tsubame.pipeline.cluster import connect
from tsubame.pipeline.counts import count_days, recount_days
from tsubame.pipeline.ingest import ingest_capture, ingest_days
from tsubame.pipeline.ledger import DamagedDays, read_day, read_records
from tsubame.pipeline.report import publish_quarter, validate_quarter

pytestmark = pytest.mark.integration

FIRST, LAST = date(2023, 1, 14), date(2023, 1, 28)
Q1 = Quarter(2023, 1)
NOW = datetime(2023, 6, 1, tzinfo=UTC)


def objects(folder):
    """Every object below a folder with its content."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def mtimes(folder):
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in sorted(Path(folder).rglob("*")) if p.is_file()}


def prepare(settings):
    ingest = ingest_days(settings, FIRST, LAST)
    return ingest, count_days(settings, FIRST, LAST)


def a_capture(settings, sensor="jp-a", day="2023/01/20"):
    return next(p for p in sorted((Path(settings.captures_url) / sensor / day).iterdir()))


def test_counts_equal_the_truth_by_an_outside_engine(settings):
    ingest, counts = prepare(settings)
    assert ingest.decoded > 30
    assert counts.packets == counts.accounting.packets_kept
    truth = json.loads(Path(settings.captures_url, "truth.json").read_text())["counts"]
    expected = {}
    for row in zip(*(truth[name] for name in ("day", "domestic", "protocol", "region", "packets")), strict=True):
        if FIRST.isoformat() <= row[0] <= LAST.isoformat():
            expected[row[:4]] = expected.get(row[:4], 0) + row[4]
    found = duckdb.sql(
        f"""select day::varchar, sensor_id like 'jp-%', protocol, region, sum(packets)::bigint
        from read_parquet('{settings.lake_url}/counts/*/*.parquet', hive_partitioning=true)
        where day between '{FIRST}' and '{LAST}' group by all"""
    ).fetchall()
    assert {(day, bool(jp), protocol, region): packets for day, jp, protocol, region, packets in found} == expected


def test_days_add_up_to_captures_and_to_counts(settings):
    prepare(settings)
    for day, record in read_records(settings, FIRST, LAST).items():
        account = record.accounting.check()
        assert account.packets_kept == sum(record.packets.values())
        assert account.records_read == sum(part["accounting"]["records_read"] for part in record.captures)
        table = ds.dataset(f"{settings.lake_url}/counts", partitioning="hive").to_table(
            filter=ds.field("day") == str(day)
        )
        assert sum(table.column("packets").to_pylist()) == account.packets_kept


def test_a_second_run_writes_nothing(settings):
    prepare(settings)
    before = mtimes(settings.lake_url)
    ingest, counts = prepare(settings)
    assert (ingest.decoded, ingest.withdrawn, counts.counted) == (0, 0, ())
    assert mtimes(settings.lake_url) == before


def test_the_same_packets_uploaded_at_another_time_give_the_same_bytes(settings):
    """A file system's ETag is the time of writing: what is published names none."""
    prepare(settings)
    before = objects(f"{settings.lake_url}/counts") | objects(f"{settings.lake_url}/sources")
    captures = sorted(Path(settings.captures_url).glob("jp-b/2023/01/2[0-2]/*"))
    for age, path in enumerate(captures):
        os.utime(path, (10**9 + age, 10**9 - age))
    ingest, counts = prepare(settings)
    assert ingest.decoded == ingest.withdrawn == len(captures)
    assert set(counts.counted) == {date(2023, 1, d) for d in (20, 21, 22, 23)}
    assert objects(f"{settings.lake_url}/counts") | objects(f"{settings.lake_url}/sources") == before


def test_a_replaced_capture_touches_only_its_days(settings):
    prepare(settings)
    before = objects(settings.lake_url)
    replaced = a_capture(settings)
    other = a_capture(settings, day="2023/01/18")
    replaced.write_bytes(other.read_bytes())
    ingest, counts = prepare(settings)
    assert ingest.decoded == ingest.withdrawn == 1
    # It held 20 January and the morning of the 21st (the report's zone); now it holds the 18th and 19th.
    assert set(counts.counted) == {date(2023, 1, d) for d in (18, 19, 20, 21)}
    after = objects(settings.lake_url)
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert all(any(f"2023-01-{d}" in key for d in (18, 19, 20, 21)) or replaced.name in key for key in changed)


def test_names_that_flows_cannot_bear_stop_no_other(settings, capsys):
    folder = a_capture(settings).parent
    content = a_capture(settings).read_bytes()
    for name in (b"\xff.pcap.gz", b"a" * 220 + b".pcap.gz", b"new\nline.pcap.gz"):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_bytes(content)
    assert main(["ingest", "--from", "2023-01-20", "--to", "2023-01-20"]) == 3
    said = capsys.readouterr().err.splitlines()
    assert len([line for line in said if "Rename it." in line]) == 2
    assert ingest_days(settings, date(2023, 1, 20), date(2023, 1, 20)).decoded == 0


def test_a_withdrawn_capture_leaves_no_counts_behind(settings):
    prepare(settings)
    with_it = read_records(settings, FIRST, LAST)[date(2023, 1, 20)]
    a_capture(settings).unlink()
    ingest, counts = prepare(settings)
    assert (ingest.decoded, ingest.withdrawn) == (0, 1)
    assert set(counts.counted) == {date(2023, 1, 20), date(2023, 1, 21)}
    without = read_records(settings, FIRST, LAST)[date(2023, 1, 20)]
    assert without.accounting.records_read < with_it.accounting.records_read
    assert not [key for key in objects(settings.lake_url) if "jp-a/2023/01/20" in key]


def test_a_run_that_was_killed_is_completed_to_the_same_bytes(settings, monkeypatch):
    prepare(settings)
    undisturbed = objects(settings.lake_url)
    for key in list(undisturbed):
        # As if the run had stopped between the counts of a day and its ledger, and before some flows.
        of_the_day = "2023-01-17" in key and key.startswith(("ledger/", "sources/"))
        if of_the_day or "jp-b/2023/01/22" in key:
            os.unlink(Path(settings.lake_url) / key)
    prepare(settings)
    assert objects(settings.lake_url) == undisturbed


def test_what_was_damaged_in_the_lake_is_found_and_made_again(settings, capsys):
    prepare(settings)
    undisturbed = objects(settings.lake_url)
    flows = next(Path(settings.lake_url).glob("flows/jp-a/2023/01/20/*.parquet"))
    content = bytearray(flows.read_bytes())
    content[len(content) // 2] ^= 1
    flows.write_bytes(content)
    counts = Path(settings.lake_url, "counts/day=2023-01-17/counts.parquet")
    counts.write_bytes(counts.read_bytes()[:-1])
    for record in Path(settings.lake_url, "ledger").glob("2023-01-20~*.json"):
        record.unlink()
    assert main(["count", "--from", str(FIRST), "--to", str(LAST)]) == 0
    said = capsys.readouterr().err
    assert f"{flows.relative_to(settings.lake_url)}: was damaged, and made again from its capture" in said
    with pytest.raises(DamagedDays, match="1 days are not what was counted") as damaged:
        read_day(settings, read_records(settings, FIRST, LAST)[date(2023, 1, 17)])
    recount_days(settings, damaged.value.days)
    assert objects(settings.lake_url) == undisturbed


def poison_jp_a(task):
    if task.capture.key.key.startswith("jp-a/2023/01/20/"):
        os.kill(os.getpid(), signal.SIGKILL)
    return ingest_capture(task)


def test_a_capture_that_kills_its_workers_leaves_its_days_incomplete(settings, capsys, monkeypatch):
    days = ["--from", "2023-01-19", "--to", "2023-01-21"]
    monkeypatch.delenv("DASK_SCHEDULER_ADDRESS")
    with dask.config.set({"distributed.scheduler.allowed-failures": 0}), connect():
        monkeypatch.setattr(ingest_module, "ingest_capture", poison_jp_a)
        assert main(["ingest", *days]) == 4
        monkeypatch.setattr(ingest_module, "ingest_capture", ingest_capture)
        (name,) = [p.name for p in Path(settings.captures_url, "jp-a/2023/01/20").iterdir()]
        said = capsys.readouterr().err.strip().splitlines()[-1]
        assert said.startswith(f"tsubame: warning: jp-a/2023/01/20/{name}: killed every worker it was given to")
        assert main(["count", *days]) == 4
        assert "2023-01-20: is incomplete without jp-a/2023/01/20/" in capsys.readouterr().err
        records = read_records(settings, date(2023, 1, 19), date(2023, 1, 21))
        assert [len(records[day].incomplete) for day in sorted(records)] == [0, 1, 1]
        assert records[date(2023, 1, 20)].packets["jp-b"] > 0
        assert main(["status", *days, "--json"]) == 0
        states = json.loads(capsys.readouterr().out)["sensors"]["jp-a"]
        assert states["2023-01-20"] == states["2023-01-21"] == "incomplete"
        assert main(["ingest", *days]) == main(["count", *days]) == 0
    mended = read_records(settings, date(2023, 1, 19), date(2023, 1, 21))
    assert not any(record.incomplete for record in mended.values())
    assert len(list(Path(settings.lake_url).glob("flows/jp-a/2023/01/20/*"))) == 1


def test_foreign_and_cut_captures_are_named_and_stop_nothing(settings, capsys):
    a_capture(settings).write_bytes(b"PK\x03\x04 this is a zip, not a capture")
    cut = a_capture(settings, sensor="de-a")
    cut.write_bytes(cut.read_bytes()[:-7])
    stranger = Path(settings.captures_url, "xx-9/2023/01/20/a.pcap")
    stranger.parent.mkdir(parents=True)
    stranger.write_bytes(b"")
    span = ["--from", str(FIRST), "--to", str(LAST)]
    assert main(["ingest", *span]) == 3
    said = capsys.readouterr().err
    assert any(a_capture(settings).name in line and "capture" in line for line in said.splitlines())
    assert any(cut.name in line and "ends inside a record" in line for line in said.splitlines())
    assert any(line.startswith("tsubame: warning: xx-9") for line in said.splitlines())
    assert main(["count", *span]) == 0
    assert main(["ingest", *span]) == 3, "what is rejected stays rejected, without being read again"
    capsys.readouterr()
    assert main(["status", *span, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert status["unknown_sensors"] == ["xx-9"]
    assert len(status["rejected"]) == 1
    # What the counts rest on is what the ledger adds up to.
    records = read_records(settings, FIRST, LAST).values()
    counted = status["counted"]
    assert counted["days"] == len(records)
    assert counted["records_read"] == sum(record.accounting.records_read for record in records)
    assert counted["packets_kept"] == sum(sum(record.packets.values()) for record in records)
    assert counted["damaged"] == 2, "the one that is cut, and the one that is no capture"
    assert len(counted["code_versions"]) == 1


def test_what_is_not_read_is_named(settings, capsys):
    """tcpdump's numbered files, captures without their day's folders, months and days that are not two digits."""
    whole = a_capture(settings)
    sensor = Path(settings.captures_url, "jp-a")
    loose = Path(settings.captures_url, "loose.pcap")
    names = ("x.pcap", "2023/x.pcap", "2023/01/x.pcap", "2023/01/5/x.pcap", "2023/1/20/x.pcap", "2023-01-20/x.pcap")
    for place in (whole.with_name("x.pcap1"), loose, *(sensor / name for name in names)):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(whole.read_bytes())
    span = ["--from", str(FIRST), "--to", str(LAST)]
    assert main(["ingest", *span]) == 0
    said = capsys.readouterr().err.splitlines()
    misnamed = f"{whole.parent.relative_to(settings.captures_url)}/x.pcap1"
    told = ["loose.pcap", *(f"jp-a/{name}" for name in (*names[:4], "2023/1/", "2023-01-20/"))]
    for key, why in ((misnamed, "named"), *((key, "lies where") for key in told)):
        assert any(line.startswith(f"tsubame: warning: {key}: not read, ") and why in line for line in said), key
    assert main(["status", *span, "--json"]) == 0
    status = json.loads(capsys.readouterr().out)
    assert sorted(status["passed_over"]) == sorted([misnamed, *told])


def test_a_quarter_is_validated_published_and_the_same_again(settings):
    from tsubame.pipeline.quarter import complete_quarter

    complete_quarter(settings, Q1)
    with pytest.raises(NotReady, match="not been validated"):
        publish_quarter(settings, Q1, now=NOW)
    with pytest.raises(NotReady, match="not been validated"):
        read_suite(settings, Q1, "regions")
    verdict = validate_quarter(settings, Q1, now=NOW)
    assert not verdict["refused"]
    for told in verdict["suites"]:
        found = read_suite(settings, Q1, told["suite"])
        assert (len(found.checks), len(found.failed)) == (told["passed"] + told["failed"], told["failed"])
        worst = f"failed, {told['severity']}" if told["failed"] else f"{told['passed']} of {told['passed']} hold"
        assert found.summary.startswith(f"{told['suite']}: ")
        assert found.summary.endswith(worst)
    first = publish_quarter(settings, Q1, now=NOW)
    again = publish_quarter(settings, Q1, now=NOW.replace(day=2))
    assert (first.edition, first.created, again.edition, again.created) == (1, True, 1, False)
    report = json.loads(Path(settings.site_url, "2023Q1/editions/1/report.json").read_text())
    account = report["accounting"]
    parts = ("packets_kept", "not_ip", "ipv6", "truncated_header", "bad_header", "outside_sensor", "damaged_record")
    assert account["records_read"] == sum(account[name] for name in parts)
    move = report["reassignments"][0]
    assert (move["from"], move["to"], move["date"]) == ("GB", "NL", "2023-01-21")
    # A late capture changes a day: the page is refused until validated, then comes as the next edition.
    a_capture(settings, day="2023/01/16").unlink()
    complete_quarter(settings, Q1)
    with pytest.raises(NotReady, match="not been validated"):
        publish_quarter(settings, Q1, now=NOW)
    validate_quarter(settings, Q1, now=NOW)
    assert publish_quarter(settings, Q1, now=NOW).edition == 2
    latest = json.loads(Path(settings.site_url, "2023Q1/latest.json").read_text())
    assert latest["edition"] == 2
    assert json.loads(Path(settings.site_url, "2023Q1/editions/1/report.json").read_text()) == report


def test_counts_that_do_not_add_up_are_refused_and_nothing_is_published(settings, capsys):
    from tsubame.pipeline.quarter import complete_quarter

    complete_quarter(settings, Q1)
    drop_a_row(settings.lake_url, date(2023, 1, 20))
    with pytest.raises(Rejected, match="validation refuses publication") as refused:
        validate_quarter(settings, Q1, now=NOW)
    assert "\n" not in str(refused.value)
    assert main(["report", "2023Q1"]) == 5
    assert "refuses publication" in capsys.readouterr().err
    assert not Path(settings.site_url).exists()
    # A person's decision about that very verdict counts here as it does in Airflow.
    refusal = read_refusal(settings, Q1)
    decide(settings, Q1, APPROVED, inputs=refusal.inputs, author="hanako", at=NOW, comment="known outage")
    capsys.readouterr()
    assert main(["report", "2023Q1"]) == 0
    said = capsys.readouterr()
    assert "2023Q1: refused by validation, approved by hanako on 2023-06-01" in said.err
    assert "published edition 1" in said.out
    lineage = json.loads(Path(settings.site_url, "2023Q1/editions/1/lineage.json").read_text())
    assert lineage["approval"]["author"] == "hanako"


@pytest.mark.parametrize(
    ("break_it", "arguments", "status", "message"),
    [
        (lambda s: Path(s.sensors_url).unlink(), ["run", "2023Q1"], 3, "the sensor registry does not exist"),
        (lambda s: Path(s.sensors_url).write_text("a,b\n"), ["run", "2023Q1"], 3, "wrong header at line 1"),
        (lambda s: None, ["run", "2022Q2"], 4, "no capture has a packet of this quarter"),
        (lambda s: None, ["run", "2093Q1"], 4, "the quarter is not over"),
        (lambda s: None, ["run", "2023Q7"], 2, "not a quarter"),
        (lambda s: None, ["report", "2023Q1"], 4, "no capture has a packet of this quarter"),
        (lambda s: None, ["ingest", "--from", "2023-02-30", "--to", "2023-03-01"], 2, "not a day"),
        (lambda s: None, ["ingest", "--from", "2023-03-02", "--to", "2023-03-01"], 2, "--to lies before --from"),
        (lambda s: None, ["simulate", "no-such-scenario"], 3, "no-such-scenario"),
    ],
)
def test_bad_input_is_one_line_and_the_contracts_status(settings, capsys, break_it, arguments, status, message):
    break_it(settings)
    assert main(arguments) == status
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert said[0].startswith("tsubame: ")
    assert message in said[0]
    assert not Path(settings.site_url).exists()


def test_an_empty_bucket_and_a_missing_delegation_are_said(settings, capsys, monkeypatch, tmp_path):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("TSUBAME_SENSORS_URL", settings.sensors_url)
    monkeypatch.setenv("TSUBAME_CAPTURES_URL", str(tmp_path / "empty"))
    assert main(["run", "2023Q1"]) == 4
    assert "the sensor bucket is empty" in capsys.readouterr().err
    monkeypatch.setenv("TSUBAME_CAPTURES_URL", settings.captures_url)
    monkeypatch.setenv("TSUBAME_DELEGATIONS_URL", str(tmp_path / "empty"))
    assert main(["run", "2023Q1"]) == 4
    assert "no delegation file" in capsys.readouterr().err


def test_a_store_that_cannot_be_written_is_named(settings, capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TSUBAME_LAKE_URL", str(tmp_path / "file" / "lake"))
    assert main(["ingest", "--from", str(FIRST), "--to", str(FIRST)]) in (3, 4)
    assert str(tmp_path / "file") in capsys.readouterr().err


def test_a_dask_scheduler_that_is_not_there_is_unavailable(settings, monkeypatch):
    from tsubame.pipeline import cluster

    monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", "tcp://127.0.0.1:9")
    monkeypatch.setattr(cluster, "_CONNECT_SECONDS", 1)
    with pytest.raises(Unavailable, match="Dask scheduler does not answer"):
        ingest_days(settings, FIRST, FIRST)


def test_the_pinned_day_is_the_quarters_first_or_the_archives(settings):
    from tsubame.pipeline.delegations import open_archive

    archive = open_archive(settings)
    earliest = archive.keys()[0].day
    assert counts_module.pinned_day(archive, date(2023, 1, 20)) == earliest
    assert counts_module.pinned_day(archive, date(2023, 5, 20)) == date(2023, 4, 1)


def test_a_capture_that_bears_on_days_outside_the_span_is_counted_there_too(settings):
    """A daily run looks at some days; what it finds replaced or gone may have been counted on others."""
    prepare(settings)
    a_capture(settings, day="2023/01/16").write_bytes(a_capture(settings, day="2023/01/18").read_bytes())
    a_capture(settings, day="2023/01/26").unlink()
    first, last = date(2023, 1, 18), date(2023, 1, 20)
    ingest_days(settings, first, last)
    # It held the 16th and 17th; another one held the 26th and 27th.
    assert set(count_days(settings, first, last).counted) == {date(2023, 1, d) for d in (16, 17, 18, 19, 26, 27)}
    after = objects(settings.lake_url)
    prepare(settings)
    assert objects(settings.lake_url) == after
