"""Runs that are killed with SIGKILL at each step's boundary and in the middle of each kind of write."""

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.conftest import objects, publish, run_days, served, settings_in
from tests.faults.recording import TO_THE_BYTE

pytestmark = pytest.mark.long

CHECKOUT = Path(__file__).resolve().parents[2]
VICTIM = Path(__file__).with_name("victim.py")
DAYS = [
    *(("flows/", 9, moment) for moment in ("before", "middle", "written", "after")),
    *((prefix, 7, moment) for prefix in ("counts/", "sources/", "ledger/") for moment in ("middle", "after")),
]
REPLACED = [("-flows/", 1, "before"), ("-flows/", 1, "after"), ("-ledger/", 1, "after")]

EDITION = [
    ("2023Q1/editions/", 1, "middle"), ("2023Q1/editions/", 20, "written"), ("2023Q1/editions/2/manifest", 1, "before"),
    ("2023Q1/editions/2/manifest", 1, "middle"), ("2023Q1/editions/2/manifest", 1, "after"),
    *(("2023Q1/latest.json", 1, moment) for moment in ("before", "middle", "written", "after")),
    *(("published/", 1, moment) for moment in ("before", "middle", "after")),
]  # fmt: skip


def killed(settings, *arguments):
    """Run the victim, and see that it died where it should."""
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    for name in ("captures", "delegations", "lake", "site", "sensors"):
        environment[f"TSUBAME_{name.upper()}_URL"] = getattr(settings, f"{name}_url")
    environment.pop("DASK_SCHEDULER_ADDRESS", None)
    Path(settings.lake_url).mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [sys.executable, str(VICTIM), *map(str, arguments)], env=environment, cwd=settings.lake_url, timeout=300,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]


@pytest.mark.parametrize(("prefix", "number", "moment"), DAYS)
def test_a_run_of_days(fault, cluster, fresh, undisturbed, prefix, number, moment):
    with fault(f"kill -9, {moment}: write of {prefix}…", f"the {number}th such write of a run; then run again") as told:
        killed(fresh, "days", prefix, number, moment)
        left = objects(fresh.lake_url)
        assert not {key for key, content in left.items() if content != undisturbed.get(key)}
        run_days(fresh)
        assert objects(fresh.lake_url) == undisturbed
        told.held = (
            f"{len(left)} objects were whole, next run made the other {len(undisturbed) - len(left)}; {TO_THE_BYTE}"
        )


@pytest.fixture(scope="module")
def replaced(calm, tiny, tmp_path_factory):
    """Buckets in which a capture was replaced since the undisturbed run, and what a run makes of it."""
    place = tmp_path_factory.mktemp("replaced")
    shutil.copytree(tiny, place / "there")
    settings = settings_in(place, place / "there")
    one, other = (sorted(Path(settings.captures_url, "jp-a/2023/01", day).iterdir())[0] for day in ("20", "18"))
    one.write_bytes(other.read_bytes())
    shutil.copytree(calm.lake_url, settings.lake_url)
    return settings


@pytest.mark.parametrize(("prefix", "number", "moment"), REPLACED)
def test_a_run_after_a_capture_was_replaced(fault, cluster, replaced, tmp_path, prefix, number, moment):
    done = "a capture was replaced; the run that follows is killed; then run again"
    with fault(f"kill -9, {moment}: deletion of {prefix[1:]}…", done) as told:
        settings, calmly = (
            settings_in(tmp_path / name, Path(replaced.captures_url).parent) for name in ("killed", "calm")
        )
        for each in (settings, calmly):
            shutil.copytree(replaced.lake_url, each.lake_url)
        killed(settings, "days", prefix, number, moment)
        run_days(settings)
        run_days(calmly)
        assert objects(settings.lake_url) == objects(calmly.lake_url)
        told.held = TO_THE_BYTE


@pytest.fixture(scope="module")
def edition_one(calm_quarter, tiny, tmp_path_factory):
    """Buckets in which an edition is served that another publisher signed, and the edition that follows undisturbed."""
    place = tmp_path_factory.mktemp("editions")
    settings, calmly = (settings_in(place / name, tiny) for name in ("one", "two"))
    without = shutil.ignore_patterns("validation", "published")
    shutil.copytree(calm_quarter.lake_url, settings.lake_url, ignore=without)
    publish(replace(settings, publisher="Another publisher"))
    for part in ("lake", "site"):
        shutil.copytree(place / "one" / part, place / "two" / part)
    assert publish(calmly).edition == 2
    return settings, calmly


@pytest.mark.parametrize(("prefix", "number", "moment"), EDITION)
def test_a_publication(fault, cluster, edition_one, tiny, tmp_path, prefix, number, moment):
    done = f"the {number}. such write of edition 2, with edition 1 served; then publish again"
    with fault(f"kill -9, {moment}: publishing, write of {prefix}…", done) as told:
        one, two = edition_one
        settings = settings_in(tmp_path, tiny)
        for part in ("lake", "site"):
            shutil.copytree(Path(one.lake_url).parent / part, tmp_path / part)
        killed(settings, "edition", prefix, number, moment)
        is_new = served(settings) == served(two)
        assert is_new or served(settings) == served(one)
        assert is_new == (prefix == "published/" or (prefix, moment) == ("2023Q1/latest.json", "after"))
        now_served = pointer(settings)["edition"]
        publish(settings)
        assert served(settings) == served(two)
        number_now = pointer(settings)["edition"]
        assert saying(settings, number_now) == saying(two, 2)
        kept = objects(Path(settings.site_url, "2023Q1/editions"), ("1",))
        assert kept == objects(Path(one.site_url, "2023Q1/editions"), ("1",))
        if number_now == 2:
            assert objects(settings.site_url, ("2023Q1", "index.html")) == objects(
                two.site_url, ("2023Q1", "index.html")
            )
            assert objects(settings.lake_url, ("published",)) == objects(two.lake_url, ("published",))
        told.held = f"edition {now_served} whole and served until the next run; then edition {number_now}, " + (
            "site and basis equal to the byte" if number_now == 2 else "its data and figures equal to the byte"
        )


def pointer(settings):
    return json.loads(Path(settings.site_url, "2023Q1", "latest.json").read_text())


def saying(settings, edition):
    """The files of an edition that do not carry its number or when it was validated."""
    place = Path(settings.site_url, "2023Q1/editions", str(edition))
    found = objects(place, ("data", "figures", "schema"))
    assert len(found) > 10
    return found
