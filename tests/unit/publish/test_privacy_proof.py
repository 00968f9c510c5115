"""The privacy proof, by planting: an address in every form, in every kind of file that an edition has.

Nothing planted may pass, and every file must pass with the same thing of an address that is no sensor's.
"""

import base64
import bz2
import gzip
import hashlib
import io
import ipaddress
import json
import lzma
import struct
import tempfile
import zipfile
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import typst
import zstandard
from PIL import Image, PngImagePlugin

from tsubame.publish.privacy import find_addresses

SENSOR = int(ipaddress.IPv4Address("198.51.100.23"))
NOBODY = int(ipaddress.IPv4Address("197.50.99.212"))
KNOWN = [(SENSOR, SENSOR), (int(ipaddress.IPv4Address("203.0.113.128")), int(ipaddress.IPv4Address("203.0.113.143")))]


def parts(address):
    return address.to_bytes(4, "big")


def dotted(address):
    return str(ipaddress.IPv4Address(address))


WRITTEN = {
    "dotted": dotted,
    "reversed": lambda a: ".".join(map(str, reversed(parts(a)))) + ".in-addr.arpa",
    "defanged": lambda a: dotted(a).replace(".", "[.]"),
    "dashes": lambda a: "host-" + dotted(a).replace(".", "-"),
    "list": lambda a: str(list(parts(a))),
    "spaces": lambda a: dotted(a).replace(".", " "),
    "twelve digits": lambda a: "".join(f"{each:03}" for each in parts(a)),
    "last part left out": lambda a: dotted(a).rpartition(".")[0] + ".x",
    "subnet": lambda a: dotted(a & ~7) + "/29",
    "decimal": str,
    "decimal little-endian": lambda a: str(int.from_bytes(parts(a), "little")),
    "decimal, words swapped": lambda a: str((a & 0xFFFF) << 16 | a >> 16),
    "decimal, bytes swapped in words": lambda a: str(int.from_bytes(bytes(parts(a)[i] for i in (1, 0, 3, 2)), "big")),
    "signed": lambda a: str(a - 2**32),
    "grouped": lambda a: f"{a:,}",
    "power of ten": lambda a: f"{a:.9e}",
    "hexadecimal": lambda a: f"0x{a:08x}",
    "hexadecimal little-endian": lambda a: parts(a)[::-1].hex().upper(),
    "hexadecimal bytes": lambda a: parts(a).hex(":"),
    "IPv6": lambda a: f"::ffff:{a >> 16:x}:{a & 0xFFFF:x}",
    "bits": lambda a: f"{a:032b}",
    "sequence number of Mirai": lambda a: f"seq={a}",
    "MD5": lambda a: hashlib.md5(dotted(a).encode(), usedforsecurity=False).hexdigest(),
    "SHA-1 of bytes": lambda a: hashlib.sha1(parts(a), usedforsecurity=False).hexdigest(),
    "SHA-256": lambda a: hashlib.sha256(dotted(a).encode()).hexdigest(),
    "base64 of text": lambda a: base64.b64encode(dotted(a).encode()).decode(),
    "base64 of bytes": lambda a: base64.b64encode(parts(a)).decode(),
    "HTML": lambda a: dotted(a).replace(".", "&#46;"),
    "JSON": lambda a: "".join(f"\\u{ord(each):04x}" for each in dotted(a)),
    "URL": lambda a: "".join(f"%{ord(each):02X}" for each in dotted(a)),
    "full width": lambda a: dotted(a).translate({48 + n: 0xFF10 + n for n in range(10)}),
}
PLAIN = [name for name in WRITTEN if name not in ("HTML", "JSON", "URL", "full width")]


def parquet(metadata=None, **columns):
    stream = io.BytesIO()
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), stream, compression="zstd")
    return stream.getvalue()


def picture(**notes):
    stream, words = io.BytesIO(), PngImagePlugin.PngInfo()
    for name, text in notes.items():
        words.add_text(name, text, zip=name == "zipped")
    Image.new("RGB", (8, 8), "white").save(stream, "PNG", pnginfo=words)
    return stream.getvalue()


@cache
def pdf(text, title="", attached=""):
    """A PDF as the report's own, by Typst: text as glyphs of an embedded subset, streams deflated."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.typ"
        file = f'#pdf.attach("n.txt", bytes({json.dumps(attached)}))' if attached else ""
        path.write_text(
            f"#set document(title: {json.dumps(title)})\n{file}\n#raw({json.dumps(text)})", encoding="utf-8"
        )
        return typst.compile(str(path), root=folder)


def packed(name):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.txt", name)
    return stream.getvalue()


def glyphs(text):
    """Text as matplotlib draws it: one reference to a glyph each."""
    return "".join(f'<use xlink:href="#DejaVuSans-{ord(each):x}" x="1"/>\n' for each in text)


TEXT_FILES = {
    "index.html": lambda t: f"<!doctype html><p>観測 {t} です</p>".encode(),
    "report.json": lambda t: ('{"note": "' + t + '"}').encode(),
    "tables/a.csv": lambda t: f'day,note\r\n2023-01-01,"{t}"\r\n'.encode(),
    "figures/a.svg": lambda t: f"<svg xmlns='http://www.w3.org/2000/svg'><!-- {t} --></svg>".encode(),
    "validation/index.html": lambda t: f"<html><td>{t}</td></html>".encode(),
    "data/text.parquet": lambda t: parquet(note=["x", t]),
    "data/nested.parquet": lambda t: parquet(note=[["x"], [t]]),
    "data/metadata.parquet": lambda t: parquet({"note": t}, a=[1]),
    "figures/text.png": lambda t: picture(Comment=t),
    "figures/zipped.png": lambda t: picture(zipped=t),
    "a.txt.gz": lambda t: gzip.compress(t.encode()),
    "a.txt.bz2": lambda t: bz2.compress(t.encode()),
    "a.txt.xz": lambda t: lzma.compress(t.encode()),
    "a.txt.zst": lambda t: zstandard.compress(t.encode()),
    "a.zip": packed,
    "a.zip.gz": lambda t: gzip.compress(packed(t)),
    "utf-16.bin": lambda t: b"\xff\xfe" + t.encode("utf-16-le"),
    "page.pdf": lambda t: pdf(t),
    "title.pdf": lambda t: pdf("x", title=t),
    "attached.pdf": lambda t: pdf("x", attached=t),
}


def found(path, content, known=KNOWN):
    return [finding.form for finding in find_addresses({path: content}, known)]


ESCAPING = ("index.html", "report.json", "tables/a.csv", "validation/index.html", "figures/a.svg")


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (path, form)
        for path in TEXT_FILES
        for form in WRITTEN
        if not path.endswith(".pdf") and (form in PLAIN or path in ESCAPING)
    ],
)
def test_an_address_planted_in_a_file_is_found(path, form):
    assert found(path, TEXT_FILES[path](WRITTEN[form](SENSOR)))
    assert not found(path, TEXT_FILES[path](WRITTEN[form](NOBODY)))


@pytest.mark.parametrize("path", [path for path in TEXT_FILES if path.endswith(".pdf")])
@pytest.mark.parametrize("form", ["dotted", "decimal", "hexadecimal bytes", "SHA-256"])
def test_an_address_planted_in_a_pdf_is_found(path, form):
    assert found(path, TEXT_FILES[path](WRITTEN[form](SENSOR)))
    assert not found(path, TEXT_FILES[path](WRITTEN[form](NOBODY)))


def masked(values, combine):
    return np.array([combine(value) & 0xFFFFFFFF for value in values], np.int64)


def packets(address, rows=40, seed=7):
    """Fields of masscan's packets to an address, without the address."""
    rng = np.random.default_rng(seed)
    start, port = rng.integers(0, 2**32, rows), rng.integers(1, 65_536, rows)
    return {"a": start, "b": port, "c": (address ^ port ^ start) & 0xFFFF}


COLUMNS = {
    "host order": lambda a: {"n": pa.array([1, a], pa.uint32())},
    "network order": lambda a: {"n": pa.array([1, int.from_bytes(parts(a), "little")], pa.uint64())},
    "signed": lambda a: {"n": pa.array([1, a - 2**32], pa.int32())},
    "floating": lambda a: {"n": pa.array([0.5, float(a)])},
    "beside a port": lambda a: {"n": pa.array([1, a << 16 | 37215], pa.uint64())},
    "above a port": lambda a: {"n": pa.array([1, a << 32 | 37215], pa.uint64())},
    "an instant": lambda a: {"n": pa.array([1, a], pa.timestamp("s"))},
    "bytes": lambda a: {"n": pa.array([b"x", parts(a)[::-1]])},
    "two halves": lambda a: {"n": [500, a >> 16], "m": [700, a & 0xFFFF]},
    "four quarters": lambda a: {name: [100, each] for name, each in zip("abcd", parts(a), strict=True)},
    "masscan's mark": packets,
}
THREE = [int(ipaddress.IPv4Address(each)) for each in ("198.51.100.23", "192.0.2.201", "203.0.113.77")]
OTHERS = [int(ipaddress.IPv4Address(each)) for each in ("198.18.100.24", "192.0.200.99", "203.0.1.7")]


@pytest.mark.parametrize("form", COLUMNS)
def test_numbers_in_columns_are_found_in_every_kind_of_table(form):
    for address, expected in ((SENSOR, True), (NOBODY, False)):
        table = pa.table(COLUMNS[form](address))
        assert bool(found("data/a.parquet", parquet(**COLUMNS[form](address)))) is expected
        if pa.types.is_integer(table.schema.types[0]):
            rows = table.to_pylist()
            lines = [",".join(table.column_names), *(",".join(map(str, row.values())) for row in rows)]
            wide = form in ("beside a port", "above a port")  # in text, no number has so many digits but by design
            assert wide or bool(found("a.csv", "\r\n".join(lines).encode())) is expected
            assert wide or bool(found("a.json", json.dumps({"rows": rows}).encode())) is expected


@pytest.mark.parametrize("combine", [lambda v: v ^ 0x5BD1E995, lambda v: v + 0x01020304, lambda v: v - 77])
def test_addresses_behind_one_unknown_number_are_found(combine):
    known = [(address, address) for address in THREE]
    for addresses, expected in ((THREE, True), (OTHERS, False)):
        hidden = masked(addresses, combine)
        assert bool(found("a.parquet", parquet(n=pa.array(hidden)), known)) is expected
        assert bool(found("a.json", json.dumps({"n": hidden.tolist()}).encode(), known)) is expected
        assert bool(found("a.html", " ".join(f"{v:08x}" for v in hidden.tolist()).encode(), known)) is expected


@pytest.mark.parametrize("name", ["tcp_seq", "ip_id", "dst_address", "SEQ"])
def test_fields_of_single_packets_are_never_published(name):
    assert found("data/a.parquet", parquet(**{name: [1]})) == [f"column {name} of single packets"]
    assert found("a.csv", f"day,{name}\r\n2023-01-01,1\r\n".encode())


def test_words_of_a_drawing_are_read_glyph_by_glyph():
    for address, expected in ((SENSOR, True), (NOBODY, False)):
        svg = f'<svg xmlns="http://www.w3.org/2000/svg">{glyphs(dotted(address))}</svg>'
        assert bool(found("figures/a.svg", svg.encode())) is expected
    # Points of a line are no address.
    assert not found("figures/a.svg", b'<svg><path d="M 198 51 100 23 L 198 51"/></svg>')


def test_raw_bytes_in_odd_places_are_found():
    exif = picture()[:33] + chunk(b"eXIf", b"MM\x00\x2a" + parts(SENSOR)) + picture()[33:]
    assert found("a.png", exif)
    assert found("a.png", picture() + parts(SENSOR))
    assert found("a.bin", b"\xff\xfe\x00" + parts(SENSOR))
    assert found("a.bin", zlib.compress(parts(SENSOR) + b"\xff"))
    assert found("a.html", b"<i>" + base64.b64encode(struct.pack("<400I", *range(399), SENSOR)) + b"</i>")


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def test_a_file_packed_too_deep_is_refused_and_a_broken_one_searched():
    content = b"x"
    for _ in range(8):
        content = gzip.compress(content)
    assert found("a.gz", content) == ["files packed into files too deep to search"]
    assert found("a.gz", b"\x1f\x8bnot packed " + dotted(SENSOR).encode() + b"\xff")
    assert found("a.pdf", b"%PDF-1.7\n(" + dotted(SENSOR).encode() + b")")
