"""A sealed file tells by itself that it is unchanged, wherever it was changed."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsubame import provenance
from tsubame.provenance import UNSEALED, HashingSink, Sealing, require_intact, sha256_of


def sealed(*pieces):
    sink = io.BytesIO()
    sealing = Sealing(sink)
    for piece in pieces:
        sealing.write(piece)
    sealing.seal()
    return sink.getvalue()


contents = st.binary(max_size=200)


@given(contents, contents, contents)
def test_what_was_sealed_is_intact(before, head, tail):
    content = sealed(before, head + UNSEALED + tail)
    require_intact(io.BytesIO(content))
    assert len(content) == len(before + head + UNSEALED + tail)


@given(contents, contents, st.data())
def test_any_change_is_found(before, tail, data):
    content = bytearray(sealed(before, UNSEALED + tail))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="digest"):
        require_intact(io.BytesIO(content))
    with pytest.raises(ValueError, match="digest"):
        require_intact(io.BytesIO(content[:at]))


def test_a_file_without_a_place_for_the_seal_is_a_defect():
    with pytest.raises(ValueError, match="place for a seal"):
        sealed(b"nothing")
    with pytest.raises(ValueError, match="no digest"):
        require_intact(io.BytesIO(b"nothing"))


@pytest.mark.parametrize("block", [1, 11, 12, 13, 77, 4096])
@pytest.mark.parametrize("before", [0, 1, 12, 100])
def test_a_seal_is_found_wherever_blocks_end(monkeypatch, block, before):
    content = sealed(b"x" * before, UNSEALED + b"tail seal-sha256: of other words" + b"y" * 30)
    monkeypatch.setattr(provenance, "_BLOCK", block)
    require_intact(io.BytesIO(content))
    with pytest.raises(ValueError, match="digest is another"):
        require_intact(io.BytesIO(content + b"z"))


@given(st.lists(contents, max_size=5))
def test_what_is_passed_on_is_digested(pieces):
    sink = io.BytesIO()
    hashing = HashingSink(sink)
    for piece in pieces:
        hashing.write(piece)
    assert sink.getvalue() == b"".join(pieces)
    assert (hashing.tell(), hashing.sha256()) == (len(sink.getvalue()), sha256_of(sink.getvalue()))
