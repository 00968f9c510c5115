"""``tsubame decode`` on good, damaged and foreign files, as its users call it."""

import argparse
import contextlib
import gzip
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tsubame.cli import decode
from tsubame.errors import UsageError
from tsubame.schemas import PACKETS

sys.path.insert(0, str(Path(__file__).parents[2] / "properties"))
from captures import LINKS, ipv4_packet, pcap

NAMES = ("src_port", "icmp_type", "icmp_code", "tcp_window", "ip_id", "ttl", "fragment_offset")
ROW = dict.fromkeys(NAMES, 0) | {"protocol": 6, "tcp_flags": 2, "dst_port": 23, "src_address": 5}
ROW |= {"dst_address": 0x01020304, "tcp_seq": 0x01020304}
MIRAI = LINKS["1"] + ipv4_packet(ROW)
OTHER = LINKS["1"] + ipv4_packet(ROW | {"dst_address": 9, "src_address": 6})
CAPTURE = pcap([(10**18, MIRAI), (10**18 + 5, OTHER)], form="nsec")


def run(*words):
    parser = argparse.ArgumentParser()
    decode.add_parser(parser.add_subparsers())
    return decode.run(parser.parse_args(["decode", *map(str, words)]))


@pytest.fixture
def capture(tmp_path):
    path = tmp_path / "a.pcap"
    path.write_bytes(CAPTURE)
    return path


def test_json_has_the_contracts_keys(capture, capsys):
    assert run(capture, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert list(said) == ["file", "format", "link_types", "first_timestamp", "last_timestamp", "accounting", "error"]
    assert said["format"] == "pcap-nsec-LE"
    assert said["link_types"] == {"ETHERNET": 2}
    assert said["first_timestamp"] == "2001-09-09T01:46:40.000000000Z"
    assert said["last_timestamp"] == "2001-09-09T01:46:40.000000005Z"
    assert said["accounting"]["packets_kept"] == 2
    assert said["error"] is None


def test_packets_are_written_as_the_schema_says(capture, tmp_path):
    out = tmp_path / "out.parquet"
    assert run(capture, "-o", out, "--sensor", "1.2.3.4") == 0
    table = pq.read_table(out)
    assert table.schema.equals(PACKETS.arrow())
    (row,) = table.to_pylist()
    assert (row["src_address"], row["dst_port"], row["kind"], row["tool"]) == (5, 23, "scan", "mirai")
    assert json.loads(table.schema.metadata[b"accounting"])["outside_sensor"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pcap", "out.parquet"]


def test_several_files_go_into_a_directory(capture, tmp_path, capsys):
    other = tmp_path / "b.pcap.gz"
    other.write_bytes(gzip.compress(CAPTURE))
    assert run(capture, other, "-o", tmp_path / "out") == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.pcap.parquet", "b.pcap.gz.parquet"]
    assert "in gz" in capsys.readouterr().out


@pytest.mark.parametrize("place", ["a.pcap", "./sub/../a.pcap", "link.pcap", "."])
def test_a_capture_is_never_overwritten_by_its_packets(capture, tmp_path, place, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.pcap").symlink_to("a.pcap")
    with pytest.raises(UsageError):
        run(capture, "-o", place)
    assert capture.read_bytes() == CAPTURE


def test_a_pipe_is_read_once(tmp_path):
    """The packets' tags ask for two readings: what comes out of a pipe is kept meanwhile."""
    pipe, out = tmp_path / "pipe", tmp_path / "out.parquet"
    os.mkfifo(pipe)
    writer = threading.Thread(target=lambda: pipe.write_bytes(CAPTURE))
    writer.start()
    assert run(pipe, "-o", out) == 0
    writer.join(10)
    assert pq.read_table(out)["tool"].to_pylist() == ["mirai", ""]


@pytest.mark.parametrize(
    ("url", "status", "words"),
    [
        ("missing.pcap", 3, "tsubame: missing.pcap: does not exist"),
        ("foo://bar", 3, "tsubame: foo://bar: names no object"),
        ("foo://bar/x", 3, "is no URL of a store"),
        ("s3://bucket", 3, "tsubame: s3://bucket: names no object: expected s3://<bucket>/<key>"),
        ("memory://x", 3, "does not exist"),
        ("http://127.0.0.1:1/x.pcap", 4, "connection refused"),
    ],
)
def test_a_place_that_holds_no_capture_is_named_as_it_was_given(url, status, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(url) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_two_files_of_one_name_are_a_usage_error(capture, tmp_path):
    (tmp_path / "sub").mkdir()
    same = tmp_path / "sub" / "a.pcap"
    same.write_bytes(CAPTURE)
    with pytest.raises(UsageError):
        run(capture, same, "-o", tmp_path / "out")


@pytest.mark.parametrize("address", ["1.2.3", "1.2.3.4/8", "::1", "x"])
def test_an_address_that_is_none_is_a_usage_error(capture, address):
    with pytest.raises(UsageError):
        run(capture, "--sensor", address)


def test_a_bad_file_does_not_stop_the_others(capture, tmp_path, capsys):
    text = tmp_path / "text.pcap"
    text.write_text("hello")
    assert run(text, tmp_path / "none.pcap", tmp_path, capture, "--json") == 3
    said = capsys.readouterr()
    lines = [json.loads(line) for line in said.out.splitlines()]
    assert [line["error"] is None for line in lines] == [False, False, False, True]
    assert [line.startswith("tsubame: ") for line in said.err.splitlines()] == [True] * 3
    assert "text beginning 'hello'" in said.err


def test_a_damaged_file_is_read_with_a_warning(tmp_path, capsys):
    path = tmp_path / "cut.pcap"
    path.write_bytes(CAPTURE[:-3])
    assert run(path, "-o", tmp_path / "out.parquet") == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [f"tsubame: warning: {path}: ends inside a record; 67 bytes not read"]
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 1


def test_a_place_that_cannot_be_written_is_said_so(capture, tmp_path, capsys):
    assert run(capture, "-o", tmp_path / "nowhere" / "out.parquet") == 4
    assert "cannot be written" in capsys.readouterr().err


@pytest.fixture
def ordinary_user():
    """Be nobody for a while where the tests run as root, who may read everything."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_place_that_may_not_be_looked_at_is_said_so(capture, tmp_path, ordinary_user, capsys):
    hidden = tmp_path / "hidden"
    with contextlib.suppress(PermissionError):
        hidden.mkdir(mode=0)
    assert run(capture, "-o", hidden / "out.parquet") == 4
    assert run(hidden / "x.pcap", "-o", tmp_path / "out.parquet") in (3, 4)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_a_name_that_no_encoding_can_say_is_told(capture, tmp_path):
    odd = os.fsencode(tmp_path) + b"/\xff\n.pcap"
    Path(os.fsdecode(odd)).write_bytes(CAPTURE)
    for words in ([odd], [odd + b"x"], ["--json", odd]):
        call = [sys.executable, "-c", "import sys; from tsubame.cli import main; sys.exit(main())", "decode", *words]
        said = subprocess.run(call, capture_output=True, check=False, env=os.environ | {"PYTHONIOENCODING": "ascii"})
        assert said.returncode == (3 if odd + b"x" in words else 0)
        assert b"Traceback" not in said.stderr


def test_a_file_that_may_not_be_read_is_said_so(capture, ordinary_user, capsys):
    with contextlib.suppress(PermissionError):
        # The folder is another user's when the tests run as root: then it is that which may not be read.
        capture.chmod(0)
    assert run(capture) == 4
    assert "permission denied" in capsys.readouterr().err


FOREIGN = {
    "zip.pcap": (b"PK\3\4" + bytes(100), "a zip archive"),
    "text.pcap": (b"time,source\n1,2\n", "text beginning"),
    "snoop.pcap": (b"snoop\0\0\0\0\0\0\2\0\0\0\4" + bytes(40), "a snoop capture"),
    "erf.pcap": (bytes.fromhex("8e5d1d6a 21b0f63b 0200 0054 0000 0040") + bytes(68), "bytes 8e 5d"),
    "secret.pcap": (b"Salted__" + bytes(range(100)), "encrypted by OpenSSL"),
    "age.pcap": (b"age-encryption.org/v1\n-> X25519 abc", "encrypted by age"),
    "gpg.pcap": (b"-----BEGIN PGP MESSAGE-----\n\nabc", "an encrypted PGP message"),
    "empty.pcap": (b"", "nothing"),
    "packed.pcap.gz": (gzip.compress(b"hello"), "inside gz"),
    "torn.pcap.gz": (gzip.compress(CAPTURE)[:12], "inside gz"),
    "zeros.pcap": (bytes(1000), "nothing but zeros"),
}


def test_foreign_files_are_named_one_line_each_and_the_others_are_read(capture, tmp_path, capsys):
    for name, (content, _) in FOREIGN.items():
        (tmp_path / name).write_bytes(content)
    assert run(*(tmp_path / name for name in FOREIGN), capture, "--json") == 3
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert len(lines) == len(FOREIGN)
    for line, (name, (_, words)) in zip(lines, FOREIGN.items(), strict=True):
        assert line.startswith("tsubame: ")
        assert name in line
        assert words in line
    assert [json.loads(line)["error"] is None for line in said.out.splitlines()] == [False] * len(FOREIGN) + [True]


def test_a_file_of_too_many_records_is_read_to_the_limit(tmp_path, capsys):
    path = tmp_path / "many.pcap"
    path.write_bytes(pcap([(10**18, MIRAI)] * 20_000))
    assert run(path, "--json", "--max-records", 9000) == 0
    said = capsys.readouterr()
    account = json.loads(said.out)["accounting"]
    assert account["records_read"] == 2 * 8192
    assert account["unread_bytes"] > 0
    assert "limit of 9000 records reached, the rest not read, at byte" in said.err
    with pytest.raises(UsageError):
        run(path, "--max-records", 0)


def test_nothing_is_left_of_a_foreign_file(tmp_path):
    (tmp_path / "x.pcap").write_bytes(b"PK\3\4" + bytes(100))
    assert run(tmp_path / "x.pcap", "-o", tmp_path / "out.parquet") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["x.pcap"]
