"""Which quarters are published as the data stand, after late and withdrawn data; and the page's data."""

import json
import os
import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tsubame.cli.main import main
from tsubame.errors import DamagedObject
from tsubame.periods import Quarter
from tsubame.pipeline.counts import count_days
from tsubame.pipeline.freshness import basis_of, keep_basis, ledger_states, quarter_states, span_of, stale_quarters
from tsubame.pipeline.ingest import ingest_days
from tsubame.pipeline.observation import (
    current_ranks,
    newest_day,
    newest_observed_day,
    quarters,
    sensor_days,
)
from tsubame.pipeline.quarter import complete_quarter
from tsubame.pipeline.watching import watch_day
from tsubame.stores import Store

pytestmark = pytest.mark.integration
Q1 = Quarter(2023, 1)
NOW = datetime(2023, 5, 1, tzinfo=UTC)
LATE = Path("jp-b/2023/01/24")


def publish(settings, edition=1) -> None:
    """What publication leaves for these listings; the edition itself is not looked at."""
    basis = basis_of(settings, Q1)
    site = Store(settings.site_url)
    site.put("2023Q1/latest.json", json.dumps({"edition": edition}).encode())
    claims = [
        {"kind": "shift", "onset": "2023-01-21", "text_en": "It moved.", "text_ja": "移動した。"},
        {"kind": "rank", "onset": None, "text_en": "First.", "text_ja": "一位。"},
    ]
    report = {"created_at": "2023-04-06T00:00:00Z", "claims": claims}
    site.put(f"2023Q1/editions/{edition}/report.json", json.dumps(report).encode())
    keep_basis(settings, Q1, edition, basis)


def state(settings) -> tuple[str, tuple[str, ...]]:
    (found,) = quarter_states(settings, [Q1], now=NOW)
    return found.state, found.reasons


def test_a_quarter_through_its_life(settings, capsys, tmp_path):
    captures = Path(settings.captures_url)
    late = sorted((captures / LATE).iterdir())[-1]
    shutil.move(late, tmp_path / late.name)
    states = quarter_states(settings, span_of(Quarter(2022, 3), Quarter(2023, 2)), now=NOW)
    # A quarter that has no capture of its own, one that begins with a spill from the next is not told from it.
    assert [each.state for each in states] == ["empty", "empty", "missing", "open"]
    assert main(["status", "--quarters", "2023Q1..2022Q1"]) == 2
    capsys.readouterr()

    # Captures of the quarter's first weeks may bear on the one before: what was decoded for it is told, too.
    done = complete_quarter(settings, Q1, previous=True)
    assert done.previous is None
    told = [done.ingest.as_dict(), done.as_dict()["ingest_before"]]
    assert sum(each["decoded"] for each in told) == len(list(captures.rglob("*.pcap*")))
    publish(settings)
    assert state(settings) == ("current", ())
    assert stale_quarters(settings, date(2023, 1, 1), date(2023, 1, 31), now=NOW) == ()

    shutil.copy(tmp_path / late.name, captures / LATE / late.name)
    assert state(settings) == ("stale", (f"1 captures new, changed or not decoded, the first {LATE}/{late.name}",))
    # The ledger alone does not know it yet.
    assert ledger_states(settings, [Q1], now=NOW)[0].state == "current"
    ingest_days(settings, date(2023, 1, 24), date(2023, 1, 24))
    count_days(settings, date(2023, 1, 24), date(2023, 1, 24))
    # The capture runs past midnight of the report's zone.
    assert state(settings) == ("stale", ("counted anew since: day 2023-01-24, 2023-01-25",))
    assert ledger_states(settings, [Q1], now=NOW)[0].reasons == ("counted anew since: day 2023-01-24, 2023-01-25",)
    (stale,) = stale_quarters(settings, date(2023, 1, 20), date(2023, 1, 25), now=NOW)
    assert (stale.quarter, stale.edition) == (Q1, 1)
    # The next quarter's first daily runs still find captures of this one.
    assert stale_quarters(settings, date(2023, 4, 2), date(2023, 4, 9), now=NOW) == (stale,)
    assert main(["status", "--quarters", "2022Q4..2023Q1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == stale.as_dict()

    publish(settings, 2)
    assert state(settings) == ("current", ())
    (captures / LATE / late.name).unlink()
    assert state(settings) == ("stale", ("captures replaced or withdrawn, the first of 2023-01-24",))
    ingest_days(settings, date(2023, 1, 24), date(2023, 1, 24))
    count_days(settings, date(2023, 1, 24), date(2023, 1, 24))
    publish(settings, 3)

    shutil.rmtree(Path(settings.delegations_url, "20230116"))
    assert state(settings)[1] == ("delegation files have come or gone",)
    with Path(settings.sensors_url).open("a") as registry:
        registry.write("jp-c,203.0.113.99,JP,2024-01-01,\n")
    assert "the sensor registry has changed" in state(settings)[1]
    Path(settings.lake_url, "published", "2023Q1.json").unlink()
    assert state(settings)[1] == ("what the edition was made from is not recorded in the lake",)
    assert main(["status", "--quarters", "2023Q1"]) == 0
    assert capsys.readouterr().out.startswith("2023Q1  stale    edition 3")


def test_the_observation_pages_data(settings, capsys):
    captures = Path(settings.captures_url)
    shutil.rmtree(captures / "jp-a/2023/01/20")
    (cut,) = list((captures / "de-a/2023/01/22").iterdir())
    os.truncate(cut, cut.stat().st_size - 10)
    late = captures / "jp-b/2023/02/03"
    late.mkdir(parents=True)
    for path in (captures / "jp-b/2023/01/26").iterdir():
        shutil.move(path, late / path.name)
    complete_quarter(settings, Q1)
    publish(settings)
    assert newest_day(settings) == date(2023, 3, 31)
    assert newest_observed_day(settings, date(2023, 3, 31)) in (date(2023, 1, 28), date(2023, 1, 29))

    told = sensor_days(settings, date(2023, 1, 12), date(2023, 1, 31))
    states = {sensor["id"]: dict(zip(range(12, 32), sensor["states"], strict=True)) for sensor in told["sensors"]}
    assert {sensor["country"] for sensor in told["sensors"]} == {"JP", "DE"}
    # The capture of a UTC day is missing; both report days that it touches have some hours of its neighbours.
    assert (states["jp-a"][20], states["jp-a"][21]) == ("r", "r")
    assert states["jp-a"][12] in "m-"
    assert "d" in {states["de-a"][22], states["de-a"][23]}
    assert states["jp-b"][27] == "r"
    assert told["packets"][0] == 0
    assert told["packets"][8] > 50

    ranks = current_ranks(settings, date(2023, 1, 28))
    assert (ranks["days"], ranks["ports"][0]["name"], ranks["ports"][0]["before"]) == (7, "23/TCP", 1)
    assert ranks["regions"][0]["packets"] >= ranks["regions"][1]["packets"]
    (newest, before) = quarters(settings, Q1, 2, now=NOW)
    assert (newest["quarter"], newest["state"], before["state"]) == ("2023Q1", "current", "empty")
    assert [event["text_en"] for event in newest["events"]] == ["It moved."]

    quiet = watch_day(settings, date(2023, 1, 25), ratio=5)
    assert not [notice for notice in quiet.notices if notice.kind == "event"]
    loud = watch_day(settings, date(2023, 1, 25), ratio=0.5)
    assert [notice.kind for notice in loud.notices] == ["event"] * len(loud.notices)

    # What rotted is told by name; the command tells the rest all the same.
    for path in Path(settings.lake_url).rglob("*day=2023-01-14*/*.parquet"):
        path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(DamagedObject, match=r"2023-01-14.*tsubame count"):
        current_ranks(settings, date(2023, 1, 27))
    with pytest.raises(DamagedObject, match="2023-01-14"):
        watch_day(settings, date(2023, 1, 20), ratio=5)
    (record,) = Path(settings.lake_url).rglob("2023-01-25*.json")
    record.write_bytes(record.read_bytes().replace(b'"days"', b'"dayz"', 1)[:-9])
    assert main(["status", "--from", "2023-01-20", "--to", "2023-01-31"]) == 0
    said = capsys.readouterr()
    assert "jp-b" in said.out
    assert "are not what was counted" in said.err
