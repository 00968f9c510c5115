import dataclasses
import hashlib
import json
from datetime import UTC, datetime

import pytest

from tsubame.errors import BadInput, Rejected, Unavailable
from tsubame.keys import latest_key
from tsubame.periods import Quarter
from tsubame.publish.editions import build_edition, content_digest, publish_edition, read_pointer
from tsubame.report.document import encode_document, validate_document
from tsubame.report.pdf import PDFS
from tsubame.stores import Store

QUARTER = Quarter(2024, 2)
MORNING = datetime(2024, 7, 10, 0, 0, tzinfo=UTC)
EVENING = datetime(2024, 7, 10, 9, 0, tzinfo=UTC)
NETWORKS = [(0xC6336417, 0xC6336417)]


class Interrupted(Exception):
    pass


class BreakingStore(Store):
    """A store that stops for good before its n-th put."""

    def __init__(self, url, puts):
        super().__init__(url)
        self.left = puts

    def put(self, key, content):
        if self.left == 0:
            raise Interrupted(key)
        self.left -= 1
        super().put(key, content)


@pytest.fixture(scope="session")
def small(layouts):
    analysis = layouts.make_analysis(QUARTER, [(6, 23, 1), (1, None, 3)], [("US", 1), ("CN", None)])
    return dataclasses.replace(analysis, sensors=dataclasses.replace(analysis.sensors, coverage={}))


@pytest.fixture(scope="session")
def edition(small, context):
    return build_edition(small, context, networks=NETWORKS)


@pytest.fixture
def site(tmp_path):
    return Store(str(tmp_path / "site"))


def with_packets(files, packets):
    document = json.loads(files["report.json"])
    document["tables"]["ports"][0]["packets"] = packets
    return {**files, "report.json": encode_document(document)}


def contents(site):
    return {info.key: site.read(info.key) for info in site.list("")}


def test_an_edition_has_every_file_of_the_contract(edition):
    files = edition.files
    assert {"report.json", "index.html", "lineage.json", "schema/report.schema.json", "data/dictionary.json"} <= set(
        files
    )
    document = json.loads(files["report.json"])
    for figure in document["figures"]:
        for path in (*figure["files"], figure["data"], figure["csv"]):
            assert path in files
    assert document["data_docs"] in files


def test_the_first_edition_is_served(site, edition):
    published = publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    assert (published.edition, published.created) == (1, True)
    assert published.url.endswith("2024Q2/editions/1/index.html")
    pointer = read_pointer(site, QUARTER)
    assert pointer["edition"] == 1
    assert pointer["url"] == "editions/1/index.html"
    document = json.loads(site.read("2024Q2/editions/1/report.json"))
    validate_document(document)
    assert (document["edition"], document["created_at"]) == (1, "2024-07-10T00:00:00Z")
    page = site.read("2024Q2/editions/1/index.html").decode()
    assert "第1版" in page
    assert "Edition 1" in page
    assert "2024Q2/editions/1/index.html" in site.read("index.html").decode()


def test_the_manifest_names_every_file_with_its_digest(site, edition):
    publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    manifest = json.loads(site.read("2024Q2/editions/1/manifest.json"))
    there = {info.key.removeprefix("2024Q2/editions/1/") for info in site.list("2024Q2/editions/1/")}
    assert set(manifest["files"]) == there - {"manifest.json"}
    for path, entry in manifest["files"].items():
        content = site.read(f"2024Q2/editions/1/{path}")
        assert entry == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}


def test_the_same_content_makes_no_new_edition(site, edition):
    publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    before = contents(site)
    # Data Docs bear the instant of their run: they alone make no edition.
    again = {**edition.files, "validation/index.html": b"<title>another run</title>"}
    published = publish_edition(site, QUARTER, again, created_at=EVENING, networks=NETWORKS)
    assert (published.edition, published.created) == (1, False)
    assert contents(site) == before


def test_changed_content_makes_the_next_edition_with_its_changes(site, edition):
    publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    first = {key: value for key, value in contents(site).items() if "/editions/1/" in key}
    lineage = json.loads(edition.files["lineage.json"])
    lineage["captures"].append({"key": "jp-02/2024/04/01/late.pcap", "sha256": "00", "size": 5})
    files = with_packets(edition.files, 7) | {"lineage.json": json.dumps(lineage).encode()}
    published = publish_edition(site, QUARTER, files, created_at=EVENING, networks=NETWORKS)
    assert (published.edition, published.created) == (2, True)
    assert {key: value for key, value in contents(site).items() if "/editions/1/" in key} == first
    changes = json.loads(site.read("2024Q2/editions/2/changes.json"))
    cells = changes["tables"]["ports"][0]["cells"]
    assert changes["tables"]["ports"][0]["label"] == "23/TCP（telnet）"
    assert cells["packets"]["after"] == 7
    assert changes["inputs"]["captures"]["added"] == {"number": 1, "keys": ["jp-02/2024/04/01/late.pcap"]}
    page = site.read("2024Q2/editions/2/index.html").decode()
    assert "前の版からの変更点（第1版）" in page
    assert "入力 captures：追加 1" in page
    front = site.read("index.html").decode()
    assert "2024Q2/editions/2/index.html" in front
    assert "2024Q2/editions/1/index.html" in front


def test_going_back_to_earlier_content_is_a_new_edition_too(site, edition):
    publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    publish_edition(site, QUARTER, with_packets(edition.files, 7), created_at=MORNING, networks=NETWORKS)
    published = publish_edition(site, QUARTER, edition.files, created_at=EVENING, networks=NETWORKS)
    assert (published.edition, published.created) == (3, True)


def test_a_number_that_is_known_to_have_been_given_is_not_given_again(site, edition):
    published = publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS, given=3)
    assert (published.edition, published.created) == (4, True)
    assert json.loads(site.read(f"{QUARTER}/latest.json"))["edition"] == 4
    again = publish_edition(site, QUARTER, edition.files, created_at=EVENING, networks=NETWORKS, given=4)
    assert (again.edition, again.created) == (4, False)


def test_an_interruption_anywhere_leaves_the_old_edition_served(site, edition):
    publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    old = contents(site)
    changed = with_packets(edition.files, 7)
    steps = len(changed) + 2  # changes.json and manifest.json; the pointer would be the next
    for puts in (0, 1, steps // 2, steps - 1, steps):
        with pytest.raises(Interrupted):
            publish_edition(BreakingStore(site.url, puts), QUARTER, changed, created_at=EVENING, networks=NETWORKS)
        now = contents(site)
        assert {key: now[key] for key in old} == old
        assert read_pointer(site, QUARTER)["edition"] == 1
    # Four attempts left a part (the first wrote nothing); the last was complete but for the pointer and is served now.
    published = publish_edition(site, QUARTER, changed, created_at=EVENING, networks=NETWORKS)
    assert published.created
    assert json.loads(site.read(f"2024Q2/editions/{published.edition}/report.json"))["edition"] == published.edition
    assert json.loads(site.read(f"2024Q2/editions/{published.edition}/manifest.json"))["edition"] == published.edition
    front = site.read("index.html").decode()
    assert f"editions/{published.edition}/" in front
    assert "editions/2/" not in front


def test_what_an_interruption_left_is_neither_served_nor_overwritten(site, edition):
    with pytest.raises(Interrupted):
        publish_edition(BreakingStore(site.url, 5), QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    left = contents(site)
    assert left
    assert read_pointer(site, QUARTER) is None
    published = publish_edition(site, QUARTER, edition.files, created_at=EVENING, networks=NETWORKS)
    assert (published.edition, published.created) == (2, True)
    now = contents(site)
    assert {key: now[key] for key in left} == left


def test_a_broken_pointer_is_named(site, edition):
    site.put("2024Q2/latest.json", b"{")
    with pytest.raises(BadInput, match=r"2024Q2/latest\.json: pointer to the newest edition cannot be read"):
        publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    assert [info.key for info in site.list("")] == ["2024Q2/latest.json"]


def test_a_store_that_cannot_be_written_is_unavailable(tmp_path, edition, monkeypatch):
    target = tmp_path / "site"
    target.mkdir()

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(Unavailable, match="Free some space"):
        publish_edition(Store(str(target)), QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)


def test_two_quarters_share_a_front_page(site, edition):
    publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    document = json.loads(edition.files["report.json"]) | {"quarter": "2024Q1"}
    files = {**edition.files, "report.json": encode_document(document)}
    publish_edition(site, Quarter(2024, 1), files, created_at=MORNING, networks=NETWORKS)
    front = site.read("index.html").decode()
    assert front.index("2024Q2/editions/1") < front.index("2024Q1/editions/1")


def test_same_arguments_same_bytes(small, context, edition):
    later = dataclasses.replace(context, created_at=EVENING)
    again = build_edition(small, later, networks=NETWORKS)
    differing = {path for path, content in edition.files.items() if again.files[path] != content}
    assert differing == {"report.json", "index.html", "datacite.json", *PDFS}
    assert content_digest(again.files) == content_digest(edition.files)


def test_a_sensors_address_anywhere_refuses_the_edition(small, layouts):
    for changed in (
        {"notes": ("a burst at 198.51.100.23",)},
        {"lineage": {"captures": [{"key": "jp-01/2024/04/01/198-51-100-23.pcap"}]}},
        {"data_docs": {"index.html": b"value 3325256727"}},
    ):
        with pytest.raises(Rejected, match="gives a sensor's address away"):
            build_edition(small, layouts.make_context(**changed), networks=NETWORKS)


def test_what_is_written_is_searched_again_and_the_old_edition_stays_served(site, edition):
    publish_edition(site, QUARTER, edition.files, created_at=MORNING, networks=NETWORKS)
    served = site.read(latest_key(QUARTER))
    leaking = {**with_packets(edition.files, 7), "data/late.csv": b"day,note\r\n2024-04-01,198.51.100.23\r\n"}
    with pytest.raises(Rejected, match=r"data/late\.csv: gives a sensor's address away"):
        publish_edition(site, QUARTER, leaking, created_at=EVENING, networks=NETWORKS)
    assert site.read(latest_key(QUARTER)) == served
    assert not [info.key for info in site.list(f"{QUARTER}/editions/2/")]
