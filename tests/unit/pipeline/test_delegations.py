"""The archive: what is in force, what is refused, what is held back; moves and import on top of it."""

import bz2
import gzip
import hashlib
import json
from datetime import date, timedelta

import pytest

import tsubame.pipeline.delegations as module
from tsubame.cli.main import main
from tsubame.errors import BadInput, MalformedDelegation, NotReady, Unavailable
from tsubame.keys import REGISTRIES, DelegationKey
from tsubame.pipeline.delegations import DelegationArchive, import_delegation, moves_between, open_archive
from tsubame.settings import Settings
from tsubame.stores import Store

DAY = date(2023, 1, 20)
BLOCKS = {"afrinic": "41.0.0.0", "apnic": "1.0.0.0", "arin": "3.0.0.0", "lacnic": "200.0.0.0", "ripencc": "80.82.64.0"}
HOME = {"afrinic": "ZA", "apnic": "JP", "arin": "US", "lacnic": "BR", "ripencc": "GB"}


def content(registry: str, day: date, *records: str, stated: int | None = None) -> bytes:
    """Make a file of records written ``GB 80.82.64.0 4096 [holder]``; without any, of the registry's block."""
    lines = []
    for record in records or (f"{HOME[registry]} {BLOCKS[registry]} 4096 {registry}-1",):
        region, start, size, *holder = record.split()
        lines.append(f"{registry}|{region}|ipv4|{start}|{size}|20100816|allocated|{''.join(holder)}")
    count = len(lines) if stated is None else stated
    head = [f"2|{registry}|{day:%Y%m%d}|{count}||{day:%Y%m%d}|+0000", f"{registry}|*|ipv4|*|{count}|summary"]
    return "\n".join([*head, *lines, ""]).encode()


@pytest.fixture
def settings(tmp_path):
    return Settings(delegations_url=str(tmp_path / "delegations"))


@pytest.fixture
def store(settings):
    return Store(settings.delegations_url)


def put(store, day: date, registry: str, *records: str, raw: bytes | None = None, md5: str | None = None, gz=False):
    key = DelegationKey(day, registry, compressed=gz)
    body = content(registry, day, *records) if raw is None else raw
    store.put(key.key, gzip.compress(body) if gz else body)
    if md5 is not None:
        store.put(f"{key.key}.md5", md5.encode())


def put_all(store, *days: date):
    for day in days:
        for registry in REGISTRIES:
            put(store, day, registry)


def days(count: int, start: date = DAY) -> list[date]:
    return [start + timedelta(days=index) for index in range(count)]


def test_the_day_in_force_and_its_flags(store):
    put_all(store, DAY)
    put(store, DAY + timedelta(days=2), "ripencc", "NL 80.82.64.0 4096 x")
    archive = DelegationArchive(store)
    use = archive.in_use(DAY + timedelta(days=2))
    assert use.table.region_of(0x50524000) == "NL"
    assert use.snapshot.age_days == {"afrinic": 2, "apnic": 2, "arin": 2, "lacnic": 2, "ripencc": 0}
    assert use.flags == tuple(f"{name}: carried forward 2 days" for name in REGISTRIES[:4])
    assert archive.in_use(DAY).flags == ()
    assert archive.in_use(DAY).digest == archive.in_use(DAY + timedelta(days=1)).digest != use.digest
    assert archive.snapshot(DAY).files == archive.in_use(DAY).snapshot.files
    assert archive.load(archive.snapshot(DAY)) == archive.in_use(DAY).table


def test_before_the_first_file_nothing_is_ready(store):
    with pytest.raises(NotReady, match="no delegation file of 2023-01-20 or before"):
        DelegationArchive(store).in_use(DAY)
    put_all(store, DAY)
    with pytest.raises(NotReady, match="2023-01-19"):
        DelegationArchive(store).in_use(DAY - timedelta(days=1))


def test_a_registry_that_has_no_file_is_undelegated_and_flagged(store):
    for registry in REGISTRIES[1:]:
        put(store, DAY, registry)
    use = DelegationArchive(store).in_use(DAY)
    assert use.flags == ("afrinic: no file",)
    assert use.table.region_of(41 << 24) == "undelegated"


def test_other_objects_do_not_disturb(store):
    put_all(store, DAY)
    store.put("README", b"hello")
    store.put(f"{DAY:%Y%m%d}/delegated-arin-extended-20230119", b"misplaced")
    store.put("20231399/delegated-arin-extended-20231399", b"no day")
    assert len(DelegationArchive(store).keys()) == 5


@pytest.mark.parametrize(
    "form",
    [
        "{md5}",
        "MD5 (delegated-arin-extended-latest) = {md5}\n",
        "{md5}  delegated-arin-extended-20230120\n",
        "{MD5} *x",
    ],
)
def test_an_md5_in_any_tools_form_is_checked(store, form):
    good = hashlib.md5(content("arin", DAY)).hexdigest()
    for gz in (False, True):
        day = DAY + timedelta(days=gz)
        body = content("arin", day)
        good = hashlib.md5(body).hexdigest()
        put(store, day, "arin", md5=form.format(md5=good, MD5=good.upper()), gz=gz)
        assert DelegationArchive(store).in_use(day).refused == ()
        store.put(
            f"{DelegationKey(day, 'arin', compressed=gz).key}.md5", form.format(md5="0" * 32, MD5="0" * 32).encode()
        )
        archive = DelegationArchive(store)
        with pytest.raises(MalformedDelegation, match="wrong MD5"):
            archive.read(DelegationKey(day, "arin", compressed=gz))


def test_the_md5_of_a_gzip_file_may_speak_of_either_form_under_either_name(store):
    packed = gzip.compress(content("arin", DAY))
    key = DelegationKey(DAY, "arin", compressed=True)
    store.put(key.key, packed)
    for name in (f"{key.key}.md5", f"{key.key.removesuffix('.gz')}.md5"):
        for spoken in (packed, content("arin", DAY)):
            store.put(name, hashlib.md5(spoken).hexdigest().encode())
            assert DelegationArchive(store).read(key).ipv4.num_rows == 1
        store.put(name, b"f" * 32)
        with pytest.raises(MalformedDelegation):
            DelegationArchive(store).read(key)
        store.delete(name)


def test_a_checksum_file_that_holds_none_proves_nothing(store):
    put(store, DAY, "arin", md5="<html>not found</html>")
    assert DelegationArchive(store).in_use(DAY).refused == ()


NEXT = DAY + timedelta(days=1)
BROKEN = {
    "wrong MD5": {"md5": "0" * 32},
    "end is missing": {"raw": content("arin", NEXT, stated=50)},
    "gzip data ends too early": {"raw": gzip.compress(content("arin", NEXT))[:-20]},
    "no version line": {"raw": b"<html>Service Unavailable</html>"},
    "another registry": {"raw": content("apnic", NEXT)},
    "not a delegation file": {"raw": b""},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_file_that_cannot_be_used_is_refused_and_the_one_before_carried_forward(store, reason):
    put_all(store, DAY, NEXT)
    put(store, NEXT, "arin", **BROKEN[reason])
    use = DelegationArchive(store).in_use(NEXT)
    assert use.table.region_of(3 << 24) == "US"
    (refusal,) = use.refused
    assert refusal.key.registry == "arin"
    assert reason in refusal.reason
    assert use.snapshot.carried_forward == {"arin": 1}
    assert use.flags[0] == "arin: carried forward 1 days"
    assert DelegationArchive(store).in_use(DAY).refused == ()


def test_when_nothing_is_usable_the_reason_is_told(store):
    put(store, DAY, "arin", raw=b"nonsense")
    with pytest.raises(NotReady, match=r"no usable delegation file of 2023-01-20 or before.*nonsense"):
        DelegationArchive(store).in_use(DAY)


def test_the_other_form_of_a_refused_file_is_used(store):
    put(store, DAY, "arin", raw=b"nonsense")
    put(store, DAY, "arin", gz=True)
    use = DelegationArchive(store).in_use(DAY)
    assert use.snapshot.files[0].compressed
    assert [refusal.key.compressed for refusal in use.refused] == [False]


def test_the_plain_form_is_read(store):
    key = DelegationKey(DAY, "lacnic", extended=False)
    head = f"2|lacnic|{DAY:%Y%m%d}|1||{DAY:%Y%m%d}|-0300\nlacnic|*|ipv4|*|1|summary\n"
    text = f"{head}lacnic|BR|ipv4|200.0.0.0|256|19950101|allocated\n"
    store.put(key.key, text.encode())
    assert DelegationArchive(store).in_use(DAY).table.region_of(200 << 24) == "BR"


def glitch_archive(store) -> DelegationArchive:
    """26 January shows what no neighbour does; on 24 January a block really moves."""
    for day in days(12):
        put_all(store, day)
        gb = "GB" if day < date(2023, 1, 24) else "NL"
        put(store, day, "ripencc", f"{gb} 80.82.64.0 4096 x")
    put(store, date(2023, 1, 26), "ripencc", "NL 80.82.64.0 4096 x", "NL 67.58.224.0 598016 glitch")
    return DelegationArchive(store)


def test_a_glitch_is_held_back_and_flagged(store):
    archive = glitch_archive(store)
    use = archive.in_use(date(2023, 1, 26))
    assert use.table.region_of((67 << 24) + (60 << 16)) == "undelegated"
    assert use.snapshot.carried_forward == {"ripencc": 1}
    assert sum(held.addresses for held in use.held) == 598_016
    assert use.flags[-1] == "ripencc: 598016 addresses of 2023-01-26 held back"
    assert use.digest == archive.in_use(date(2023, 1, 27)).digest
    assert archive.in_use(date(2023, 1, 27)).held == ()
    assert [
        (move.from_region, move.to_region, move.first_seen) for move in archive.moves(DAY, DAY + timedelta(days=9))
    ] == [("GB", "NL", date(2023, 1, 24))]


def test_the_newest_snapshot_is_used_until_the_next_contradicts_it(store):
    archive = glitch_archive(store)
    for day in days(6, date(2023, 1, 27)):
        for info in list(store.list(f"{day:%Y%m%d}/")):
            store.delete(info.key)
    archive.refresh()
    before = archive.in_use(date(2023, 1, 26))
    assert before.table.region_of((67 << 24) + (60 << 16)) == "NL"
    assert not before.settled
    put(store, date(2023, 1, 27), "ripencc", "NL 80.82.64.0 4096 x")
    archive.refresh()
    after = archive.in_use(date(2023, 1, 26))
    assert after.digest != before.digest
    assert after.held


def test_a_day_is_settled_when_files_are_late_enough(store):
    put_all(store, *days(5))
    archive = DelegationArchive(store)
    assert [archive.in_use(day).settled for day in days(5)] == [True, True, False, False, False]
    assert [DelegationArchive(store, hold_days=1).in_use(day).settled for day in days(5)][-2:] == [True, False]


def test_a_small_glitch_beside_a_real_move_leaves_the_move_its_day(store):
    for day in days(8):
        home = "GB" if day < date(2023, 1, 23) else "NL"
        put(store, day, "ripencc", f"{home} 80.82.64.0 4096 x", "GB 81.0.0.0 512 y")
    put(store, date(2023, 1, 23), "ripencc", "NL 80.82.64.0 4096 x", "GB 81.0.0.0 256 y", "FR 81.0.1.0 256 z")
    archive = DelegationArchive(store)
    use = archive.in_use(date(2023, 1, 23))
    assert use.snapshot.age_days == {"ripencc": 0}
    assert use.table.addresses_by_region() == {"GB": 512, "NL": 4096, "undelegated": 2**32 - 4608}
    assert [held.addresses for held in use.held] == [256]
    (move,) = archive.moves(days(8)[0], days(8)[-1])
    assert (move.first_seen, move.addresses) == (date(2023, 1, 23), 4096)


def test_what_is_in_use_on_a_day_does_not_depend_on_what_was_asked_before(store):
    glitch_archive(store)
    span = days(12)
    once = {day: DelegationArchive(store).in_use(day).digest for day in span}
    archive = DelegationArchive(store)
    assert {use.day: use.digest for use in archive.uses(span[0], span[-1])} == once
    assert {day: archive.in_use(day).digest for day in reversed(span)} == once
    assert [day for day, _, _ in archive.tables(span[0], span[-1])] == span


def test_over_a_missing_week_the_last_snapshot_is_carried_forward_and_the_move_dated_after_it(store):
    put_all(store, *days(3), *days(5, DAY + timedelta(days=10)))
    for day in days(5, DAY + timedelta(days=10)):
        put(store, day, "ripencc", "NL 80.82.64.0 4096 x")
    archive = DelegationArchive(store)
    ages = [archive.in_use(day).snapshot.age_days["ripencc"] for day in days(12)]
    assert ages == [0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0]
    assert archive.in_use(DAY + timedelta(days=9)).flags[-1] == "ripencc: carried forward 7 days"
    (move,) = archive.moves(DAY, DAY + timedelta(days=14))
    assert move.first_seen == DAY + timedelta(days=10)


def test_records_split_and_merged_from_day_to_day_are_no_moves_and_change_no_digest(store):
    forms = (
        ["GB 80.82.64.0 4096 x"],
        ["GB 80.82.64.0 256 x", "GB 80.82.65.0 3840 x"],
        ["GB 80.82.64.0 1000 x", "GB 80.82.67.232 3000 x", "GB 80.82.79.160 96 x"],
    )
    for day in days(9):
        put(store, day, "ripencc", *forms[day.day % 3])
    archive = DelegationArchive(store)
    assert archive.moves(DAY, DAY + timedelta(days=8)) == ()
    assert len({use.digest for use in archive.uses(DAY, DAY + timedelta(days=8))}) == 1


def test_a_block_that_changes_registry_and_is_in_both_files_for_a_while(store):
    for day in days(6):
        put(store, day, "ripencc", "GB 80.82.64.0 4096 x")
        put(store, day, "arin", *(["US 80.82.64.0 4096 y"] if day.day >= 22 else ["US 3.0.0.0 256"]))
        if day.day >= 24:
            put(store, day, "ripencc", "GB 90.0.0.0 256 z")
    archive = DelegationArchive(store)
    assert archive.in_use(date(2023, 1, 23)).table.overlaps.records_between == 2
    found = [move for move in archive.moves(DAY, DAY + timedelta(days=5)) if move.first == 0x50524000]
    assert [(move.from_region, move.to_region) for move in found] == [("GB", "US")]


def test_files_that_say_the_same_are_parsed_once(store, monkeypatch):
    put_all(store, *days(10))
    calls = []
    parse = module.parse_delegated
    monkeypatch.setattr(module, "_bodies", module.Recent(64))
    monkeypatch.setattr(module, "_headers", module.Recent(64))
    monkeypatch.setattr(module, "parse_delegated", lambda *a, **k: calls.append(k["key"]) or parse(*a, **k))
    tables = {id(table) for _, _, table in DelegationArchive(store).tables(DAY, DAY + timedelta(days=9))}
    assert len(calls) == 5
    assert len(tables) == 1


def test_a_replaced_file_is_read_again(store):
    put_all(store, DAY)
    archive = DelegationArchive(store)
    assert archive.in_use(DAY).table.region_of(0x50524000) == "GB"
    put(store, DAY, "ripencc", "DE 80.82.64.0 4096 another")
    archive.refresh()
    assert archive.in_use(DAY).table.region_of(0x50524000) == "DE"


def test_progress_is_told(store):
    put_all(store, DAY)
    told = []
    list(DelegationArchive(store).uses(DAY, NEXT, progress=lambda *step: told.append(step)))
    assert told == [("delegations", 1, 2), ("delegations", 2, 2)]


def test_a_store_that_does_not_answer_is_not_taken_for_a_bad_file(store, monkeypatch):
    put_all(store, DAY)

    def refuse(self, key):
        raise Unavailable("gone", key=key)

    monkeypatch.setattr(module, "_bodies", module.Recent(64))
    monkeypatch.setattr(module, "_headers", module.Recent(64))
    monkeypatch.setattr(Store, "read", refuse)
    with pytest.raises(Unavailable):
        DelegationArchive(store).in_use(DAY)


def test_moves_between_two_days(settings, store):
    for day, region in zip(days(10), ["GB"] * 4 + ["DE"] * 6, strict=True):
        put(store, day, "ripencc", f"{region} 80.82.64.0 3000 x", "FR 90.0.0.0 256 y")
    put(store, DAY + timedelta(days=9), "ripencc", "DE 80.82.64.0 3000 x")
    moves = moves_between(settings, DAY, DAY + timedelta(days=9))
    assert [(move.from_region, move.to_region, move.addresses, move.first_seen.day) for move in moves] == [
        ("GB", "DE", 3000, 24),
        ("FR", "undelegated", 256, 29),
    ]
    assert len(moves_between(settings, DAY, DAY + timedelta(days=9), "GB", "DE")) == 1
    assert moves_between(settings, DAY, DAY + timedelta(days=9), "GB", "FR") == []
    assert moves_between(settings, DAY, DAY) == []


def test_the_command_lists_moves_as_blocks(settings, store, monkeypatch, capsys):
    for day, region in zip(days(5), ["GB", "NL", "NL", "NL", "NL"], strict=True):
        put(store, day, "ripencc", f"{region} 80.82.64.0 3072 x")
    monkeypatch.setenv("TSUBAME_DELEGATIONS_URL", settings.delegations_url)
    assert main(["delegations", "moves", "2023-01-20", "2023-01-21", "--from", "GB", "--to", "NL", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"cidr": cidr, "addresses": size, "from": "GB", "to": "NL", "holder": "x", "first_seen": "2023-01-21"}
        for cidr, size in (("80.82.64.0/21", 2048), ("80.82.72.0/22", 1024))
    ]
    assert main(["delegations", "moves", "2023-01-20", "2023-01-21"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "2 blocks, 3,072 addresses, 1 holder"
    assert main(["delegations", "moves", "2023-01-21", "2023-01-20"]) == 2
    assert main(["delegations", "moves", "2023-01-21", "tomorrow"]) == 2
    assert main(["delegations", "moves", "2022-01-21", "2023-01-20"]) == 4
    assert len(capsys.readouterr().err.splitlines()) == 3


@pytest.mark.parametrize(
    ("name", "pack", "day"),
    [
        ("delegated-arin-extended-20230120", bytes, DAY),
        ("delegated-arin-extended-20230120.gz", gzip.compress, DAY),
        ("delegated-arin-extended-20230120.bz2", bz2.compress, DAY),
        ("delegated-arin-extended-latest", bytes, DAY),
        ("delegated-arin-extended.asof_2023-01-21.gz", gzip.compress, NEXT),
        ("whatever.txt", bytes, DAY),
    ],
)
def test_import_takes_the_date_from_the_name_or_the_content(settings, store, tmp_path, name, pack, day):
    path = tmp_path / name
    path.write_bytes(pack(content("arin", DAY)))
    arrival = import_delegation(settings, path)
    key = DelegationKey(day, "arin", extended=True, compressed=pack is not bytes)
    assert (arrival.outcome, arrival.key, arrival.verified) == ("stored", key.key, False)
    assert DelegationArchive(store).in_use(day).table.region_of(3 << 24) == "US"
    assert import_delegation(settings, path).outcome == "present"
    path.write_bytes(pack(content("arin", DAY, "CA 3.0.0.0 4096 other")))
    with pytest.raises(MalformedDelegation, match="differs from"):
        import_delegation(settings, path)
    assert DelegationArchive(store).in_use(day).table.region_of(3 << 24) == "US"


@pytest.mark.parametrize(
    ("name", "raw", "what"),
    [
        ("delegated-arin-extended-20230220", content("arin", DAY), "date in the name contradicts the content"),
        ("delegated-apnic-extended-20230120", content("arin", DAY), "another registry: expected apnic, found arin"),
        ("delegated-arin-extended-20230120", content("arin", DAY, stated=9), "its end is missing"),
        ("delegated-arin-extended-20230120", b"", "not a delegation file"),
        ("delegated-arin-extended-20230120.bz2", b"BZh91AY", "broken bzip2"),
        ("x", b"2|arin|serial|0|||+0000\n", "no date in its version line"),
    ],
)
def test_import_refuses_what_contradicts_itself(settings, store, tmp_path, name, raw, what):
    path = tmp_path / name
    path.write_bytes(raw)
    with pytest.raises(BadInput, match=what):
        import_delegation(settings, path)
    assert list(store.list()) == []


def test_import_under_a_given_date(settings, store, tmp_path):
    path = tmp_path / "delegated-arin-extended-20230220"
    path.write_bytes(content("arin", DAY))
    assert import_delegation(settings, path, day=NEXT).key == DelegationKey(NEXT, "arin").key


def test_import_checks_the_md5_beside_the_file_and_brings_it(settings, store, tmp_path):
    path = tmp_path / "delegated-arin-extended-20230120"
    path.write_bytes(content("arin", DAY))
    beside = tmp_path / f"{path.name}.md5"
    beside.write_text("0" * 32)
    with pytest.raises(MalformedDelegation, match="wrong MD5"):
        import_delegation(settings, path)
    beside.write_text(hashlib.md5(path.read_bytes()).hexdigest())
    assert import_delegation(settings, path).verified
    assert store.read(f"{DelegationKey(DAY, 'arin').key}.md5") == beside.read_bytes()
    packed = tmp_path / "delegated-apnic-extended-20230120.bz2"
    packed.write_bytes(bz2.compress(content("apnic", DAY)))
    (tmp_path / f"{packed.name}.md5").write_text(hashlib.md5(packed.read_bytes()).hexdigest())
    assert import_delegation(settings, packed).verified
    assert open_archive(settings).in_use(DAY).refused == ()


def test_the_import_command_goes_on_past_a_bad_file(settings, store, tmp_path, monkeypatch, capsys):
    good, bad = tmp_path / "delegated-arin-extended-20230120", tmp_path / "delegated-apnic-extended-20230120"
    good.write_bytes(content("arin", DAY))
    bad.write_bytes(b"nonsense")
    monkeypatch.setenv("TSUBAME_DELEGATIONS_URL", settings.delegations_url)
    assert main(["delegations", "import", str(bad), str(tmp_path / "absent"), str(good)]) == 3
    out, err = capsys.readouterr()
    assert out == "stored: 20230120/delegated-arin-extended-20230120 (no MD5)\n"
    assert len(err.splitlines()) == 2
    assert main(["delegations", "import", str(good), "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert entry["outcome"] == "present"


def test_an_md5_file_that_names_no_md5_is_flagged(store):
    from tsubame.pipeline.counts import describe_snapshot

    put_all(store, DAY)
    put(store, DAY, "arin", md5="<html>404 not found</html>")
    put(store, DAY, "apnic", md5=hashlib.md5(content("apnic", DAY)).hexdigest())
    archive = DelegationArchive(store)
    registries = describe_snapshot(archive, archive.in_use(DAY))["registries"]
    found = {name: (entry["md5_ok"], entry["md5_unreadable"]) for name, entry in registries.items()}
    assert found == {
        "arin": (None, True),
        "apnic": (True, False),
        **dict.fromkeys(("afrinic", "lacnic", "ripencc"), (None, False)),
    }


def test_an_import_says_that_the_md5_beside_it_names_none(settings, tmp_path):
    path = tmp_path / "delegated-arin-extended-20230120"
    path.write_bytes(content("arin", DAY))
    path.with_name(f"{path.name}.md5").write_text("nothing here")
    arrival = import_delegation(settings, path)
    assert (arrival.outcome, arrival.verified) == ("stored", False)
    assert "names no MD5" in arrival.detail
