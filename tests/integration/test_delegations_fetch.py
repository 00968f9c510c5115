"""Fetching over HTTP from a server of our own: MD5, half files, errors of the server, stale dates, layouts."""

import bz2
import gzip
import hashlib
import json
import threading
from collections import Counter
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tsubame.cli.main import main
from tsubame.errors import BadInput, Unavailable, UsageError
from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.pipeline.delegations import base_urls_from_environment, fetch_delegations, open_archive
from tsubame.settings import Settings
from tsubame.stores import Store

DAY = date(2023, 1, 21)


def content(registry: str, day: date = DAY, blocks: int = 200) -> bytes:
    lines = [f"{registry}|GB|ipv4|80.82.{third}.0|256|20100816|allocated|h{third}" for third in range(blocks)]
    head = [f"2|{registry}|{day:%Y%m%d}|{blocks}||{day:%Y%m%d}|+0000", f"{registry}|*|ipv4|*|{blocks}|summary"]
    return "\n".join([*head, *lines, ""]).encode()


def md5(raw: bytes) -> bytes:
    return hashlib.md5(raw).hexdigest().encode()


class Site:
    """What the server has, and how it misbehaves.

    Attributes:
        files: content by path.
        failures: by path, the statuses to answer with before anything else.
        cut: paths whose body breaks off after half of what was announced, so many times.
        requests: how often each path was asked for.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.failures: dict[str, list[int]] = {}
        self.cut: dict[str, int] = {}
        self.requests: Counter[str] = Counter()
        self.url = ""

    def add(self, registry: str, folder: str = "", raw: bytes | None = None, day: date = DAY, ending: str = "") -> str:
        path = f"/{registry}/{folder}delegated-{registry}-extended-{day:%Y%m%d}{ending}"
        self.files[path] = content(registry, day) if raw is None else raw
        return path

    @property
    def bases(self) -> dict[str, str]:
        return {registry: f"{self.url}/{registry}" for registry in REGISTRIES}


@pytest.fixture
def site():
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            site.requests[self.path] += 1
            if site.failures.get(self.path):
                self.send_error(site.failures[self.path].pop(0))
                return
            if self.path not in site.files:
                self.send_error(404)
                return
            raw = site.files[self.path]
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            if site.cut.get(self.path, 0) > 0:
                site.cut[self.path] -= 1
                raw = raw[: len(raw) // 2]
            self.wfile.write(raw)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    site.url = f"http://127.0.0.1:{server.server_port}"
    yield site
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(tmp_path):
    return Settings(delegations_url=str(tmp_path / "delegations"))


@pytest.fixture
def fetch(site, settings):
    def run(day: date | None = DAY, **more):
        summary = fetch_delegations(settings, day, base_urls=site.bases, pause_seconds=0.001, **more)
        return {arrival.registry: arrival for arrival in summary.arrivals}

    return run


def test_each_registrys_layout_is_found_verified_and_stored_once(site, fetch, settings):
    year, archive = f"{DAY:%Y}/", f"archive/{DAY:%Y}/"
    site.files[site.add("afrinic", year) + ".md5"] = b"MD5 (latest) = " + md5(content("afrinic"))
    packed = gzip.compress(content("apnic"))
    site.files[site.add("apnic", year, packed, ending=".gz") + ".md5"] = md5(packed)
    site.files[site.add("arin", archive, gzip.compress(content("arin")), ending=".gz").removesuffix(".gz") + ".md5"] = (
        md5(content("arin"))
    )
    site.add("lacnic")
    squeezed = bz2.compress(content("ripencc"))
    site.files[site.add("ripencc", year, squeezed, ending=".bz2") + ".md5"] = md5(squeezed) + b" *x\n"
    found = fetch()
    assert {arrival.outcome for arrival in found.values()} == {"stored"}
    assert {name: arrival.verified for name, arrival in found.items()} == {
        "afrinic": True, "apnic": True, "arin": True, "lacnic": False, "ripencc": True,
    }  # fmt: skip
    use = open_archive(settings).in_use(DAY)
    assert use.flags == ()
    assert {file.registry: file.compressed for file in use.snapshot.files} == {
        "afrinic": False, "apnic": True, "arin": True, "lacnic": False, "ripencc": True,
    }  # fmt: skip
    site.requests.clear()
    assert {arrival.outcome for arrival in fetch().values()} == {"present"}
    assert not site.requests


def test_the_projects_own_bucket_can_be_a_source(site, fetch):
    for registry in REGISTRIES:
        site.add(registry, f"{DAY:%Y%m%d}/")
    assert {arrival.outcome for arrival in fetch().values()} == {"stored"}


def test_the_latest_is_stored_under_its_own_date(site, fetch, settings):
    for registry in REGISTRIES:
        site.files[f"/{registry}/delegated-{registry}-extended-latest"] = content(registry)
    assert {arrival.key for arrival in fetch(None).values()} == {DelegationKey(DAY, name).key for name in REGISTRIES}
    assert {arrival.outcome for arrival in fetch(None).values()} == {"present"}


def test_a_wrong_md5_is_refused_after_all_attempts_and_nothing_is_stored(site, fetch, settings):
    path = site.add("arin")
    site.files[path + ".md5"] = b"0" * 32
    arrival = fetch(attempts=3)["arin"]
    assert (arrival.outcome, arrival.key) == ("refused", None)
    assert "wrong MD5" in arrival.detail
    assert site.requests[path] == 3
    assert list(Store(settings.delegations_url).list()) == []


def test_a_file_damaged_on_its_way_once_is_fetched_again(site, fetch, settings):
    path = site.add("arin")
    site.files[path + ".md5"] = md5(content("arin"))
    site.cut[path] = 1
    assert fetch()["arin"].outcome == "stored"
    assert site.requests[path] == 2


def test_half_a_file_that_the_server_thinks_whole_is_refused(site, fetch):
    site.add("arin", raw=content("arin")[:3000])
    site.add("apnic", raw=gzip.compress(content("apnic"))[:200], ending=".gz")
    found = fetch(attempts=2)
    assert found["arin"].outcome == found["apnic"].outcome == "refused"
    assert "its end is missing" in found["arin"].detail
    assert "gzip data ends too early" in found["apnic"].detail


def test_a_connection_that_keeps_breaking_is_unavailable(site, fetch):
    site.cut[site.add("arin")] = 99
    arrival = fetch(attempts=2)["arin"]
    assert arrival.outcome == "unavailable"
    assert "bytes came" in arrival.detail


def test_errors_of_the_server_are_waited_out(site, fetch):
    path = site.add("arin")
    site.failures[path] = [500, 503, 429]
    assert fetch()["arin"].outcome == "stored"
    site.failures[site.add("apnic")] = [500] * 99
    arrival = fetch()["apnic"]
    assert arrival.outcome == "unavailable"
    assert "HTTP 500" in arrival.detail


def test_a_refused_request_is_not_repeated(site, fetch):
    path = site.add("arin")
    site.failures[path] = [403] * 9
    assert fetch()["arin"].outcome == "unavailable"
    assert site.requests[path] == 1


def test_no_server_at_all_is_unavailable_and_stops_no_other(site, settings):
    site.add("arin")
    bases = {**site.bases, "apnic": "http://127.0.0.1:9"}
    summary = fetch_delegations(settings, DAY, base_urls=bases, attempts=2, pause_seconds=0.001)
    found = {arrival.registry: arrival.outcome for arrival in summary.arrivals}
    assert found == {
        "afrinic": "missing", "apnic": "unavailable", "arin": "stored", "lacnic": "missing", "ripencc": "missing",
    }  # fmt: skip


def test_what_could_not_be_had_is_an_error_on_demand(site, settings):
    def demand(**bases):
        urls = {**site.bases, **bases}
        fetch_delegations(settings, DAY, base_urls=urls, attempts=1, pause_seconds=0.001).demand_all()

    with pytest.raises(Unavailable, match="missing of afrinic, apnic, arin, lacnic, ripencc"):
        demand()
    for registry in REGISTRIES[:4]:
        site.add(registry)
    site.add("ripencc", raw=b"<html>")
    with pytest.raises(BadInput, match=r"refused of ripencc.*no version line"):
        demand()
    with pytest.raises(Unavailable, match="unavailable of ripencc"):
        demand(ripencc="http://127.0.0.1:9")
    site.add("ripencc")
    demand()
    summary = fetch_delegations(settings, DAY, base_urls=site.bases)
    assert summary.as_dict()["outcomes"] == dict.fromkeys(REGISTRIES, "present")


def test_a_stale_file_is_refused_and_the_day_before_is_carried_forward(site, fetch, settings):
    before = date(2023, 1, 20)
    site.add("arin", day=before)
    assert fetch(before)["arin"].outcome == "stored"
    site.add("arin", raw=content("arin", before))
    arrival = fetch()["arin"]
    assert arrival.outcome == "refused"
    assert arrival.detail.endswith("a stale file: expected 2023-01-21, found 2023-01-20")
    use = open_archive(settings).in_use(DAY)
    assert use.snapshot.carried_forward == {"arin": 1}


def test_an_error_page_and_another_registrys_file_are_refused(site, fetch):
    site.add("arin", raw=b"<html>Maintenance</html>")
    site.add("apnic", raw=content("lacnic"))
    found = fetch(attempts=1)
    assert "no version line" in found["arin"].detail
    assert "another registry" in found["apnic"].detail


def test_what_is_stored_is_never_changed(site, fetch, settings):
    key = DelegationKey(DAY, "arin")
    site.files["/arin/delegated-arin-extended-latest"] = content("arin")
    fetch(None)
    stored = Store(settings.delegations_url).read(key.key)
    site.files["/arin/delegated-arin-extended-latest"] = content("arin", blocks=201)
    arrival = fetch(None)["arin"]
    assert arrival.outcome == "refused"
    assert "differs from" in arrival.detail
    assert Store(settings.delegations_url).read(key.key) == stored


def test_malformed_lines_are_told_and_do_not_stop_the_file(site, fetch):
    site.add("arin", raw=content("arin").replace(b"|GB|ipv4|80.82.7.0|", b"|GB|ipv4|80.82.777.0|"))
    assert (fetch()["arin"].outcome, fetch()["arin"].outcome) == ("stored", "present")


def test_the_command(site, settings, monkeypatch, capsys):
    for registry in REGISTRIES[:4]:
        site.add(registry)
    monkeypatch.setenv("TSUBAME_DELEGATIONS_URL", settings.delegations_url)
    for registry, url in site.bases.items():
        monkeypatch.setenv(f"TSUBAME_RIR_BASE_URL_{registry.upper()}", f"{url}/")
    assert main(["delegations", "fetch", "--day", "2023-01-21"]) == 4
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 4
    assert err.startswith("tsubame: ripencc: no extended file of 2023-01-21 below http://127.0.0.1")
    site.add("ripencc")
    assert main(["delegations", "fetch", "--day", "2023-01-21", "--json"]) == 0
    assert [entry["outcome"] for entry in json.loads(capsys.readouterr().out)] == ["present"] * 4 + ["stored"]
    assert main(["delegations", "fetch", "--day", "2023-01-21", "--to", "2023-01-20"]) == 2
    assert main(["delegations", "fetch", "--to", "2023-01-20"]) == 2


def test_base_urls():
    defaults = base_urls_from_environment({})
    assert set(defaults) == set(REGISTRIES)
    assert all(url.startswith("https://") for url in defaults.values())
    assert base_urls_from_environment({"TSUBAME_RIR_BASE_URL_ARIN": "http://mirror/x/"})["arin"] == "http://mirror/x"
    with pytest.raises(UsageError, match="TSUBAME_RIR_BASE_URL_ARIN"):
        base_urls_from_environment({"TSUBAME_RIR_BASE_URL_ARIN": "file:///etc/passwd"})
