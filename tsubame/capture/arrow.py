"""Columns into Arrow without a copy, and without pandas.

``pyarrow.array`` looks for pandas whenever it is called, and importing pandas takes longer than decoding a
million packets; buffers can be handed over directly.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tsubame.schemas import LABEL


def to_arrow(values: NDArray[Any], kind: pa.DataType, missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """Return an Arrow array over the memory of ``values``, which must not change afterwards.

    Args:
        values: (n,) contiguous, of the width of ``kind``.
        missing: (n,) where there is no value; None when there is one everywhere.
    """
    validity = None
    if missing is not None and missing.any():
        validity = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def labels(codes: NDArray[Any], names: tuple[str, ...]) -> pa.DictionaryArray:
    """Return codes and their names as the dictionary type that all labels have; int32 codes are not copied."""
    text = [name.encode() for name in names]
    ends = np.cumsum([0, *(len(name) for name in text)], dtype=np.int32)
    dictionary = pa.Array.from_buffers(
        pa.string(), len(names), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(text))]
    )
    numbers = pa.py_buffer(codes.astype(np.int32, copy=False))
    return pa.DictionaryArray.from_buffers(LABEL, len(codes), [None, numbers], dictionary)
