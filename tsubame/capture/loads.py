"""Reading integers of either byte order out of a window of bytes.

In machine code each is one instruction (two when swapped); without the compiler they are plain Python. All
values are int64: mixing widths or signs would silently become floating point in numba.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tsubame.capture.compiled import inlined, intrinsic


def _instruction(bits: int, swap: bool) -> Callable[[], Any]:
    """Return what builds the load of an unaligned integer for numba; it checks no bounds, kernels do."""

    def build() -> Any:
        from llvmlite import ir
        from numba import types
        from numba.extending import intrinsic as numba_intrinsic

        def load(typing_context: Any, window: Any, offset: Any) -> Any:  # noqa: ARG001 - numba's protocol
            def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                array = context.make_array(signature.args[0])(context, builder, arguments[0])
                width = ir.IntType(bits)
                pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), width.as_pointer())
                value = builder.load(pointer, align=1)
                if swap:
                    value = builder.call(builder.module.declare_intrinsic("llvm.bswap", [width]), [value])
                return builder.zext(value, ir.IntType(64))

            return types.int64(window, types.int64), generate

        loader: Any = numba_intrinsic(load)

        def implementation(window, offset):  # type: ignore[no-untyped-def]
            return loader(window, offset)

        return implementation

    return build


def _conversion(name: str) -> Callable[[], Any]:
    """Return what builds the conversion to one of numpy's integers for numba."""

    def build() -> Any:
        convert = getattr(np, name)

        def implementation(value):  # type: ignore[no-untyped-def]
            return convert(value)

        return implementation

    return build


@intrinsic(_conversion("int64"))
def signed(value: Any) -> int:
    """Take a value of an unsigned column into the integers that everything else uses.

    numba's own ``int`` keeps it unsigned, and compares it with signed ones as if they were.
    """
    return int(value)


@intrinsic(_conversion("uint64"))
def unsigned(value: int) -> int:
    """Take an integer for 64 bits without sign, as numba must be told and Python need not."""
    return int(value) & (2**64 - 1)


# 2**64 by the golden ratio, odd (Knuth, The Art of Computer Programming, section 6.4).
_ODD = 0x9E3779B97F4A7C15


@inlined
def mixed(value: int) -> int:
    """Return 31 bits in which those of an integer are mixed, for a place in a hash table.

    The product is one of integers without sign, which wrap around; one of signed integers that does is undefined, and
    LLVM makes use of that.
    """
    return signed((unsigned(value) * unsigned(_ODD)) >> unsigned(33)) & 0x7FFFFFFF


def _read(window: Any, offset: int, size: int, order: Any) -> int:
    if offset < 0 or offset + size > len(window):
        raise IndexError(f"{size} bytes at {offset} of a window of {len(window)}")
    return int.from_bytes(bytes(window[offset : offset + size]), order)


@intrinsic(_instruction(8, swap=False))
def byte(window: Any, offset: int) -> int:
    """Return the byte at ``offset``; unlike an index, it never counts from the end, and costs no question whether."""
    return _read(window, offset, 1, "big")


@intrinsic(_instruction(16, swap=True))
def be16(window: Any, offset: int) -> int:
    """Return the big-endian 16-bit integer at ``offset``."""
    return _read(window, offset, 2, "big")


@intrinsic(_instruction(32, swap=True))
def be32(window: Any, offset: int) -> int:
    """Return the big-endian 32-bit integer at ``offset``."""
    return _read(window, offset, 4, "big")


@intrinsic(_instruction(16, swap=False))
def le16(window: Any, offset: int) -> int:
    """Return the little-endian 16-bit integer at ``offset``."""
    return _read(window, offset, 2, "little")


@intrinsic(_instruction(32, swap=False))
def le32(window: Any, offset: int) -> int:
    """Return the little-endian 32-bit integer at ``offset``."""
    return _read(window, offset, 4, "little")
