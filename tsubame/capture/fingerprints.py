"""What machine code depends on, in words: the functions it was made of, and the machine it was made for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

Inlined = Collection[Callable[..., Any]]
Intrinsics = Mapping[Callable[..., Any], Callable[[], Any]]


@cache
def machine() -> str:
    """Name all that machine code depends on besides its source."""
    import platform
    import sys
    from importlib.metadata import version

    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features().flatten()
    versions = (sys.version, version("numba"), version("llvmlite"), version("numpy"))
    return "\0".join((*versions, platform.platform(), llvm.get_host_cpu_name(), features))


def describe_function(function: Any, inlined: Inlined, intrinsics: Intrinsics) -> list[str]:
    """Describe a function, all that it calls, and the constants that they use.

    Args:
        function: a Python function that is compiled.
        inlined: functions that are compiled into their callers.
        intrinsics: functions that stand for what other functions build.
    """
    parts: list[str] = []
    _add_function(function, parts, set(), inlined, intrinsics)
    return parts


def _add_function(function: Any, parts: list[str], seen: set[Any], inlined: Inlined, intrinsics: Intrinsics) -> None:
    if function in seen:
        return
    seen.add(function)
    if function in intrinsics:
        _add_function(intrinsics[function], parts, seen, inlined, intrinsics)
        return
    parts.append(f"inlined={function in inlined}")
    for cell in function.__closure__ or ():
        _add_value(cell.cell_contents, parts, seen, inlined, intrinsics)
    names = _add_code(function.__code__, parts)
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType):
            # Constants are used as attributes of their module.
            parts += [f"{name}.{used}={getattr(value, used)!r}" for used in names if _is_number(value, used)]
        elif value is not None:
            parts.append(name)
            _add_value(value, parts, seen, inlined, intrinsics)


def _add_code(code: CodeType, parts: list[str]) -> list[str]:
    """Add a code object and those within it to the description; return the names they use."""
    names = [*code.co_names]
    parts += [code.co_code.hex(), repr((code.co_names, code.co_varnames))]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names += _add_code(constant, parts)
        else:
            parts.append(repr(constant))
    return names


def _add_value(value: Any, parts: list[str], seen: set[Any], inlined: Inlined, intrinsics: Intrinsics) -> None:
    if isinstance(value, FunctionType):
        _add_function(value, parts, seen, inlined, intrinsics)
    elif isinstance(value, (int, float, str, tuple, np.generic)):
        parts.append(repr(value))
    elif isinstance(value, np.ndarray):
        parts.append(f"{value.dtype}{value.shape}{value.tobytes().hex()}")
    elif isinstance(value, type):
        parts.append(f"{value.__qualname__}{getattr(value, '_fields', '')}")


def _is_number(module: ModuleType, name: str) -> bool:
    return isinstance(vars(module).get(name), int)
