import gzip
import io
import ipaddress
import struct
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsubame.errors import Rejected
from tsubame.publish.privacy import find_addresses, refuse_addresses

ADDRESS = int(ipaddress.IPv4Address("198.51.100.23"))
SWAPPED = int.from_bytes(ADDRESS.to_bytes(4, "big"), "little")
ONE = [(ADDRESS, ADDRESS)]


def network(text):
    block = ipaddress.IPv4Network(text)
    return (int(block.network_address), int(block.broadcast_address))


def found(content, networks=ONE, path="a.txt"):
    return [finding.form for finding in find_addresses({path: content}, networks)]


def parquet(**columns):
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream, compression="zstd")
    return stream.getvalue()


def png(*chunks):
    body = b"\x89PNG\r\n\x1a\n"
    for kind, data in (*chunks, (b"IEND", b"")):
        body += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return body


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.23",
        "seen at 198.51.100.23.",
        "http://198.51.100.23:8080/",
        "198.51.100.023",
        "198-51-100-23.example",
        "198_51_100_23",
        "198[.]51[.]100[.]23",
        "198.51.100.23/32",
        "198.51.100.0/24",
        "198.51.100.16/28",
        "23.100.51.198.in-addr.arpa",
        str(ADDRESS),
        f'"tcp_seq": {ADDRESS},',
        f"{ADDRESS}.0",
        str(SWAPPED),
        f"0x{ADDRESS:08x}",
        f"{ADDRESS:08X}",
        f"seq={SWAPPED:08x};",
        "c6:33:64:17",
        "17 64 33 c6",
        "\\xc6\\x33\\x64\\x17",
    ],
)
def test_an_address_in_text_is_found_however_it_is_written(text):
    assert found(text.encode())


@pytest.mark.parametrize(
    "text",
    [
        "198.51.100.24",
        "198.51.100.230",
        "1198.51.100.23",
        "198.51.100",
        "1.198.51.100.23",
        "198.51.0.0/16",
        "198.0.0.0/8",
        "2023-01-20",
        f"{ADDRESS + 1}",
        f"{ADDRESS}7",
        f"0.{ADDRESS}",
        f"d 12.{ADDRESS} 4",
        "sha256 " + f"{ADDRESS:08x}" + "0" * 56,
        f"m{ADDRESS:08x}ff",
        "4,811,900 packets of 2023Q1",
    ],
)
def test_what_only_looks_like_one_is_let_through(text):
    assert not found(text.encode())


def test_a_count_is_no_address_that_ends_in_zero():
    block = [network("7.0.0.0/24"), network("198.51.0.0/24")]
    count = int.from_bytes(ipaddress.IPv4Address("198.51.0.0").packed, "little")
    assert not found(parquet(packets=pa.array([7, count], pa.uint64())), block)
    assert not found(f"bytes {count}00 and 1234567".encode(), block)
    assert found(b"07000000", block)


def test_every_address_of_a_block_counts():
    block = [network("203.0.113.0/24")]
    for address in ("203.0.113.0", "203.0.113.128", "203.0.113.255"):
        assert found(address.encode(), block)
        assert found(str(int(ipaddress.IPv4Address(address))).encode(), block)
    assert found(b"203.0.113.0/24", block)
    assert found(b"203.0.113.64/26", block)
    assert not found(b"203.0.112.255 203.0.114.0", block)
    # Registries' blocks that merely contain the sensors' do not tell where they are.
    assert not found(b"203.0.112.0/20", block)


def test_bare_numbers_are_not_compared_with_a_network_so_large_that_counts_fall_into_it():
    wide = [network("10.0.0.0/8")]
    assert found(b"10.1.2.3", wide)
    assert found(b"10.0.0.0/8", wide)
    assert not found(str(int(ipaddress.IPv4Address("10.1.2.3"))).encode(), wide)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1, ADDRESS], pa.uint32()),
        pa.array([1, SWAPPED], pa.uint64()),
        pa.array([1, ADDRESS - 2**32], pa.int32()),
        pa.array([0.5, float(ADDRESS)], pa.float64()),
        pa.array(["x", "198.51.100.23"]),
        pa.array(["x", "198.51.100.23"]).dictionary_encode(),
        pa.array([b"x", ADDRESS.to_bytes(4, "little")]),
        pa.array([["x"], ["198.51.100.23"]]),
        pa.array([{"a": 1}, {"a": ADDRESS}]),
    ],
)
def test_an_address_in_a_parquet_column_is_found_with_its_row(array):
    findings = list(find_addresses({"data/x.parquet": parquet(seen=array)}, ONE))
    assert [(finding.form, finding.offset) for finding in findings] == [("column seen", 1)]


def test_parquet_metadata_and_column_names_are_read():
    table = pa.table({"a": [1]}, schema=pa.schema([pa.field("a", pa.int64(), metadata={"note": "198.51.100.23"})]))
    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({"sensor": "198.51.100.23"}), stream)
    assert len(found(stream.getvalue())) == 2
    assert found(parquet(**{"198.51.100.23": [1]}))


def test_packets_columns_with_no_address_pass():
    assert not found(parquet(packets=pa.array(range(200_000), pa.uint64()), per_sensor=pa.array([0.25] * 200_000)))


def test_compressed_and_picture_bytes_are_decoded_not_searched():
    # The address's four bytes stand in the compressed stream and in the pixels: a coincidence there means nothing.
    raw = ADDRESS.to_bytes(4, "big")
    assert not found(png((b"IDAT", b"\x78\x9c" + raw * 4)))
    assert found(png((b"tEXt", b"Comment\x00198.51.100.23")))
    assert found(png((b"zTXt", b"Comment\x00\x00" + zlib.compress(b"198.51.100.23"))))
    assert found(png() + raw)
    assert found(gzip.compress(b"198.51.100.23"))
    assert found(b"%PDF-1.7\nstream\n" + zlib.compress(b"(198.51.100.23)") + b"\nendstream")
    assert not found(b"wOF2\x00\xff" + raw)
    assert found(b"wOF2\x00\xff198.51.100.23")
    assert found(b"\x00\xff\xfe\x01" + raw)
    assert found(b"\x00\xff\xfe\x01\x05" + raw[::-1])


def test_file_names_are_read():
    assert found(b"", path="figures/198.51.100.23.svg") == ["dotted text in the file's name"]


def test_the_refusal_names_file_and_place_and_never_the_address():
    files = {"a.csv": b"day,packets\r\n", "b.json": b'{"x": "198.51.100.23", "y": "198.51.100.23"}'}
    with pytest.raises(Rejected) as caught:
        refuse_addresses(files, ONE)
    error = caught.value
    assert error.exit_status == 5
    assert str(error).startswith("b.json: gives a sensor's address away as dotted text (2 places in all) at place 7")
    assert "198.51" not in str(error) + repr(error.verdict)
    refuse_addresses({"a.csv": files["a.csv"]}, ONE)
    refuse_addresses(files, [])


@given(
    st.integers(2**24, 2**32 - 1),
    st.sampled_from(["{d}", "{n}", "{h}", "0x{h}", "{r}.in-addr.arpa", "{s}"]),
    st.text(alphabet=" \n,;\"'(<>)=", min_size=1, max_size=3),
)
def test_any_address_is_found_between_any_punctuation(address, form, around):
    dotted = str(ipaddress.IPv4Address(address))
    text = form.format(
        d=dotted,
        n=address,
        h=f"{address:08x}",
        r=".".join(reversed(dotted.split("."))),
        s=int.from_bytes(address.to_bytes(4, "big"), "little"),
    )
    if form == "{s}" and address % 256 == 0:
        return  # below 2**24: as good as any count
    assert found((around + text + around).encode(), [(address, address)])


@given(st.lists(st.tuples(st.integers(0, 2**32 - 300), st.integers(0, 255)), min_size=1, max_size=8), st.data())
def test_membership_agrees_with_plain_comparison(spans, data):
    from tsubame.publish.sensor_networks import Networks

    networks = [(first, first + size) for first, size in spans]
    probe = data.draw(st.sampled_from([end + step for pair in networks for end in pair for step in (-1, 0, 1)]))
    if 0 <= probe < 2**32:
        assert Networks.of(networks).hold(probe) == any(first <= probe <= last for first, last in networks)
