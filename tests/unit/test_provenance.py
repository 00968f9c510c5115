"""A sealed file tells by itself that it is unchanged, wherever it was changed."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tsubame.provenance import UNSEALED, Sealing, require_intact


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
    require_intact(content)
    assert len(content) == len(before + head + UNSEALED + tail)


@given(contents, contents, st.data())
def test_any_change_is_found(before, tail, data):
    content = bytearray(sealed(before, UNSEALED + tail))
    at = data.draw(st.integers(0, len(content) - 1))
    content[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="digest"):
        require_intact(bytes(content))
    with pytest.raises(ValueError, match="digest"):
        require_intact(bytes(content[:at]))


def test_a_file_without_a_place_for_the_seal_is_a_defect():
    with pytest.raises(ValueError, match="place for a seal"):
        sealed(b"nothing")
    with pytest.raises(ValueError, match="no digest"):
        require_intact(b"nothing")
