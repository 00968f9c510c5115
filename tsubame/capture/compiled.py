"""Compiling the kernels once per machine and loading them without the compiler.

A kernel is plain Python over numpy arrays. numba compiles it to an object file; the next process, on the same
kind of CPU, links that file with llvmlite alone, which spares it numba's import (over a second of CPU). The
object files lie in the first of these directories that can be used::

    TSUBAME_CACHE_DIR                          when set
    __pycache__ beside this file               an installation that its user may write
    $XDG_CACHE_HOME or ~/.cache, tsubame/      a read-only installation
    <temporary directory>/tsubame-<user id>/   a user without a home

Where none can be written the kernels are compiled anew by every process. Files are written beside and renamed,
so that any number of processes may do it at once; their names carry a digest of the kernel's code with all that
it calls, of numba's and llvmlite's versions and of the CPU, so that a stale one is never loaded. A directory
that others may write is not trusted: what lies there is executed.

In a kernel a sum or product of signed integers must not overflow: LLVM assumes that it does not. What is to wrap
around is multiplied without sign (``loads.mixed``).

With ``NUMBA_DISABLE_JIT=1`` the kernels run as Python, for coverage and fuzzing.
"""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from tsubame.capture.fingerprints import describe_function, machine

_F = TypeVar("_F", bound=Callable[..., Any])

INTERPRETED = os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")

_OPTIONS = {
    "error_model": "numpy", "nogil": True, "_nrt": False, "no_cpython_wrapper": True, "no_cfunc_wrapper": True,
}  # fmt: skip
#: Changed whenever this module compiles differently.
_FORM = "2"
#: Functions that kernels call; numba is told of them when it must compile.
_inner: list[Callable[..., Any]] = []
_inlined: list[Callable[..., Any]] = []
#: Functions that stand for single machine instructions, with what builds them for numba.
_intrinsics: dict[Callable[..., Any], Callable[[], Any]] = {}
_registered: set[Callable[..., Any]] = set()
_preparing = threading.RLock()


def inner(function: _F) -> _F:
    """Let kernels call a function; it stays what it is for Python."""
    _inner.append(function)
    return function


def inlined(function: _F) -> _F:
    """Let kernels call a function that is compiled into its caller.

    A named tuple of arrays is passed as seven words an array, which costs more than decoding a packet.
    """
    _inlined.append(function)
    return function


def intrinsic(build: Callable[[], Any]) -> Callable[[_F], _F]:
    """Let kernels call a function as the numba intrinsic that ``build`` returns."""

    def enter(function: _F) -> _F:
        _intrinsics[function] = build
        return function

    return enter


def kernel(function: Callable[..., Any]) -> Kernel:
    """Make a function that Python calls run as machine code."""
    return Kernel(function)


class Kernel:
    """A compiled function of arrays, named tuples of arrays, and integers, that returns an integer."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.__wrapped__ = function
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self._native: Callable[..., int] | None = None
        self._engine: Any = None
        self._calls = threading.local()

    def __call__(self, *arguments: Any) -> int:
        """Run the kernel; arrays are C-contiguous and of the types of the first call."""
        if INTERPRETED:
            return int(self.__wrapped__(*map(_interpretable, arguments)))
        if self._native is None:
            self._prepare(arguments)
        call: _Call | None = getattr(self._calls, "call", None)
        if call is None:
            call = self._calls.call = _Call(arguments)
        call.pack(arguments)
        assert self._native is not None
        if self._native(ctypes.byref(call.result), ctypes.byref(call.error), call.packed):
            raise RuntimeError(f"kernel {self.__name__} failed")
        return call.result.value

    def __reduce__(self) -> Any:
        return _find_kernel, (self.__wrapped__.__module__, self.__name__)

    def _prepare(self, arguments: tuple[Any, ...]) -> None:
        """Load the machine code, or make it."""
        with _preparing:
            if self._native is not None:
                return
            signature = "; ".join(_describe(argument) for argument in arguments)
            code, symbol = _load(self, signature) or _compile(self, arguments, signature)
            self._engine, address = _link(code, symbol)
            # numba's calling convention: where the result goes, where an exception goes, the arguments.
            kind = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)
            self._native = kind(address)


class _Call:
    """The arguments of one thread's calls, as the machine code takes them."""

    def __init__(self, arguments: tuple[Any, ...]) -> None:
        self.result = ctypes.c_int64()
        self.error = ctypes.c_void_p()
        self._arguments: list[Any] = [_NEVER] * len(arguments)
        self._places: list[slice] = []
        at = 0
        for argument in arguments:
            size = len(_pack(argument))
            self._places.append(slice(at, at + size))
            at += size
        self.packed: Any = (ctypes.c_int64 * at)()

    def pack(self, arguments: tuple[Any, ...]) -> None:
        """Take new arguments; nearly all are the very objects of the call before."""
        for index, argument in enumerate(arguments):
            if argument is not self._arguments[index]:
                self.packed[self._places[index]] = _pack(argument)
                self._arguments[index] = argument


_NEVER = object()


def _interpretable(argument: Any) -> Any:
    """Let bytes be Python's integers, as compiled code widens them, and not numpy's that wrap around at 255."""
    is_bytes = isinstance(argument, np.ndarray) and argument.dtype == np.uint8 and argument.ndim == 1
    return memoryview(argument) if is_bytes else argument


def _find_kernel(module: str, name: str) -> Any:
    import importlib

    return getattr(importlib.import_module(module), name)


def _arrays(argument: Any) -> Iterator[np.ndarray[Any, Any]]:
    yield from argument if isinstance(argument, tuple) else (argument,)


def _pack(argument: Any) -> list[int]:
    """Flatten an argument into integers: address and shape of every array."""
    if isinstance(argument, int):
        return [argument]
    packed = []
    for array in _arrays(argument):
        if not array.flags.c_contiguous:
            raise ValueError("a kernel's arrays must be C-contiguous")
        packed += [array.ctypes.data, *array.shape]
    return packed


def _describe(argument: Any) -> str:
    """Name the type of an argument, so that code for other types is never called."""
    if isinstance(argument, int):
        return "int"
    arrays = ", ".join(f"{array.dtype.str}{array.ndim}" for array in _arrays(argument))
    return f"{type(argument).__name__}({arrays})"


# Compiling


def _compile(kernel: Kernel, arguments: tuple[Any, ...], signature: str) -> tuple[bytes, str]:
    """Compile a kernel for arguments of these types; return the object file and the symbol in it."""
    import numba
    from numba.core.registry import cpu_target

    # numba's types know neither these options nor itself.
    njit: Any = numba.njit
    pointer_to: Any = numba.types.CPointer
    _register()
    adapter = _adapter(kernel, arguments)
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    number = numba.types.int64
    compiled = njit(number(pointer_to(number)), **_OPTIONS)(adapter)
    (result,) = compiled.overloads.values()
    code: bytes = result.library._get_compiled_object()
    symbol: str = result.fndesc.llvm_func_name
    _store(kernel, signature, code, symbol)
    return code, symbol


def _register() -> None:
    """Tell numba of the functions that kernels call."""
    from numba.extending import overload, register_jitable

    for function in (*_inner, *_inlined):
        if function not in _registered:
            inline = {"forceinline": True} if function in _inlined else {}
            register_jitable(error_model="numpy", nogil=True, **inline)(function)
            _registered.add(function)
    for function, build in _intrinsics.items():
        if function not in _registered:
            options: Any = {"error_model": "numpy", "nogil": True}
            overload(function, strict=False, jit_options=options)(_answering(build()))
            _registered.add(function)


def _answering(implementation: Any) -> Any:
    """Return what numba asks for the implementation of a function, whatever its arguments' types."""
    return lambda *_: implementation


def _adapter(kernel: Kernel, arguments: tuple[Any, ...]) -> Any:
    """Write the function of one pointer that rebuilds a kernel's arguments and calls it."""
    from numba.extending import register_jitable

    wrapped = register_jitable(error_model="numpy", nogil=True, forceinline=True)(kernel.__wrapped__)
    names: dict[str, Any] = {"kernel": wrapped}
    lines = []
    at = 0
    for index, argument in enumerate(arguments):
        parts = []
        for array in () if isinstance(argument, int) else _arrays(argument):
            shape = ", ".join(f"packed[{at + 1 + axis}]" for axis in range(array.ndim))
            view = f"view_{array.dtype.name}_{array.ndim}"
            names[view] = names.get(view) or _view_of(array.dtype, array.ndim)
            parts.append(f"{view}(packed[{at}], {shape})")
            at += 1 + array.ndim
        if isinstance(argument, int):
            lines.append(f"    a{index} = packed[{at}]")
            at += 1
        elif isinstance(argument, tuple):
            names[type(argument).__name__] = type(argument)
            lines.append(f"    a{index} = {type(argument).__name__}({', '.join(parts)})")
        else:
            lines.append(f"    a{index} = {parts[0]}")
    call = ", ".join(f"a{index}" for index in range(len(arguments)))
    source = "\n".join(["def adapter(packed):", *lines, f"    return int(kernel({call}))"])
    exec(source, names)  # noqa: S102 - the text is made above, of nothing but numbers and type names
    return names["adapter"]


def _view_of(dtype: np.dtype[Any], dimensions: int) -> Any:
    """Return an intrinsic that takes an address and a shape for the C-contiguous array that lies there."""
    from numba import from_dtype, types
    from numba.extending import intrinsic as numba_intrinsic
    from numba.np import arrayobj

    populate_array: Any = arrayobj.populate_array
    target = types.Array(from_dtype(dtype), dimensions, "C")

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        array = context.make_array(target)(context, builder)
        size = context.get_constant(types.intp, dtype.itemsize)
        strides = [size]
        for extent in reversed(arguments[2:]):
            strides.insert(0, builder.mul(strides[0], extent))
        data = builder.inttoptr(arguments[0], context.get_data_type(target.dtype).as_pointer())
        populate_array(array, data=data, shape=arguments[1:], strides=strides, itemsize=size, meminfo=None)
        return array._getvalue()

    # numba asks the function for its parameters, so there is one for each number of dimensions.
    def view_1(typing_context: Any, address: Any, rows: Any) -> Any:  # noqa: ARG001
        return target(types.int64, types.int64), generate

    def view_2(typing_context: Any, address: Any, rows: Any, columns: Any) -> Any:  # noqa: ARG001
        return target(types.int64, types.int64, types.int64), generate

    return numba_intrinsic({1: view_1, 2: view_2}[dimensions])


# Linking


def _link(code: bytes, symbol: str) -> tuple[Any, int]:
    """Make an object file callable; return what keeps it alive, and the address of a symbol."""
    import llvmlite.binding as llvm

    _initialise()
    module = llvm.parse_assembly("")
    engine = llvm.create_mcjit_compiler(module, llvm.Target.from_default_triple().create_target_machine())
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    address = engine.get_function_address(symbol)
    if not address:
        raise RuntimeError(f"compiled kernel lacks its symbol {symbol}")
    return engine, address


@cache
def _initialise() -> None:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


# Keeping


def _digest(kernel: Kernel, signature: str) -> str:
    """Return a digest of a kernel: its code, that of all it calls, the constants they use, and the machine."""
    about = [_FORM, signature, machine(), repr(sorted(_OPTIONS.items()))]
    about += describe_function(kernel.__wrapped__, _inlined, _intrinsics)
    return hashlib.blake2b("\0".join(about).encode(), digest_size=16).hexdigest()


def _file_name(kernel: Kernel, signature: str) -> str:
    return f"{kernel.__wrapped__.__module__}.{kernel.__name__}-{_digest(kernel, signature)}.kernel"


def _directories() -> Iterator[Path]:
    if chosen := os.environ.get("TSUBAME_CACHE_DIR"):
        yield Path(chosen)
    yield Path(__file__).resolve().parent / "__pycache__"
    with contextlib.suppress(RuntimeError):
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tsubame"
    yield Path(tempfile.gettempdir()) / f"tsubame-{_user()}"


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _trusted(path: Path) -> bool:
    """Say whether only this user or root can have written there."""
    try:
        status = path.stat()
    except OSError:
        return False
    return status.st_uid in (0, _user()) and not status.st_mode & 0o022


def _load(kernel: Kernel, signature: str) -> tuple[bytes, str] | None:
    """Return a kernel's object file and symbol from the first directory that has it."""
    name = _file_name(kernel, signature)
    for directory in _directories():
        path = directory / name
        if not _trusted(directory) or not _trusted(path):
            continue
        with contextlib.suppress(OSError):
            check, _, rest = path.read_bytes().partition(b"\n")
            symbol, _, code = rest.partition(b"\n")
            if hashlib.blake2b(rest, digest_size=16).hexdigest().encode() == check:
                return code, symbol.decode()
    return None


def _store(kernel: Kernel, signature: str, code: bytes, symbol: str) -> None:
    """Keep an object file in the first directory that can be written."""
    rest = symbol.encode() + b"\n" + code
    content = hashlib.blake2b(rest, digest_size=16).hexdigest().encode() + b"\n" + rest
    for directory in _directories():
        with contextlib.suppress(OSError):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not _trusted(directory):
                continue
            beside = directory / f".{uuid.uuid4().hex}"
            try:
                beside.write_bytes(content)
                beside.chmod(0o644)
                beside.replace(directory / _file_name(kernel, signature))
            finally:
                beside.unlink(missing_ok=True)
            return
