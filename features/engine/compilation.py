"""Compiled functions, kept in the user's cache folder under what they are made of.

A kept function is found again wherever the same code runs: in another clone, in an installed package, in the command
line and the service. Its key is a digest of its bytecode, of the constants it freezes, of every function it calls, of
the types it is called with, and of the versions and the processor it was compiled for. A change to any of them is
another key, so a kept function is never out of date; paths and file times are no part of it.

Each key has a file of its own, which is written beside its place and then moved there: processes that compile the
same function at once overwrite it with the same content. A file that nobody has used for two months is removed.

The folder is FORESAIL_CACHE_DIR, or NUMBA_CACHE_DIR, or `foresail` in the user's cache folder (XDG_CACHE_HOME, or what
the system has instead). Where it cannot be written, functions are compiled in every process, and a warning says so.
"""

import builtins
import dis
import errno
import hashlib
import os
import pickle
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, ModuleType
from typing import Any
from uuid import uuid4

import numba
import numpy as np
from numba import njit
from numba.core.caching import NullCache
from numba.core.compiler import CompileResult
from numba.core.dispatcher import Dispatcher
from numba.core.serialize import dumps
from numba.misc.appdirs import AppDirs

KEPT_DAYS = 60
"""A file is removed when nobody has used it for so long."""

_DAY = 24 * 60 * 60
_DIGEST_BYTES = 32
_LIBRARIES = ("math", "numpy")
"""Modules whose content is known from the versions in the key."""

# numba annotates none of these.
_rebuild: Any = CompileResult._rebuild  # noqa: SLF001  how numba's own cache comes back to a compiled function
_dumps: Any = dumps
_user_folders: Any = AppDirs


def compiled(function: Any, *, allocates: bool = True) -> Any:
    """Machine code, kept on disk between runs, free of the GIL, dividing by zero as numpy does."""
    # numba's stubs do not know the option, which is one of its own names for its run-time memory.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "_nrt": allocates}
    decorate: Any = njit(**options)
    dispatcher = decorate(function)
    dispatcher._cache = KeptByContent(dispatcher)  # noqa: SLF001  numba can be told a cache in no other way
    return dispatcher


def compiled_without_memory(function: Any) -> Any:
    """Machine code of a function that allocates nothing and keeps nothing.

    numba then does not count references to the arrays that it passes on, which costs several times what the kernel
    does with a row. A function compiled so that does allocate fails to compile.
    """
    return compiled(function, allocates=False)


class UnknownConstant(TypeError):
    """A compiled function reads a global whose content no digest can tell."""


class KeptByContent(NullCache):
    """What a dispatcher asks before it compiles a signature, and tells afterwards."""

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    @property
    def cache_path(self) -> str | None:
        with suppress(FileNotFoundError):
            return str(cache_folder())
        return None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for a signature, or None."""
        target_context.refresh()
        content = None
        with _warning_where_nothing_is_kept():
            content = _read(self._file(sig, target_context.codegen()))
        if content is None:
            return None
        return _rebuild(target_context, *pickle.loads(content))  # noqa: S301  this user's own files

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, unless it holds addresses of this process."""
        if data.lifted or data.library.has_dynamic_globals:
            return
        with _warning_where_nothing_is_kept():
            file = self._file(sig, data.codegen)
            _write(file, _dumps(data._reduce()))  # noqa: SLF001  as numba's own cache does
            _remove_unused(file.parent)

    def _file(self, sig: Any, codegen: Any) -> Path:
        function = self._dispatcher.py_func
        versions = (sys.implementation.cache_tag, numba.__version__, np.__version__)
        key = (versions, codegen.magic_tuple(), [*map(_type, sig)], content_of(self._dispatcher))
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:40]
        return cache_folder() / f"{function.__module__}.{function.__qualname__}-{digest}"


def cache_folder() -> Path:
    """The folder of compiled functions; the environment is asked at every call."""
    folder = os.environ.get("FORESAIL_CACHE_DIR") or os.environ.get("NUMBA_CACHE_DIR")
    if not folder:
        folder = _user_folders("foresail", appauthor=False).user_cache_dir
        if folder.startswith("~"):
            raise FileNotFoundError(errno.ENOENT, "this user has no home folder")
    return Path(folder).absolute() / "compiled"


@cache
def content_of(dispatcher: Any) -> str:
    """A digest of a compiled function and of everything it calls."""
    found: dict[str, Any] = {}
    _collect(dispatcher, found)
    return hashlib.sha256(repr(sorted(found.items())).encode()).hexdigest()


def _collect(dispatcher: Any, found: dict[str, Any]) -> None:
    """Describe a function and those it calls, each under its name; functions may call one another in a circle."""
    function = dispatcher.py_func
    name = _name(function)
    if name in found:
        return
    found[name] = ()
    cells = [_constant(cell.cell_contents, found) for cell in function.__closure__ or ()]
    read = [(word, _constant(value, found)) for word, value in _globals_read(function)]
    defaults = [_constant(value, found) for value in function.__defaults__ or ()]
    options = sorted(dispatcher.targetoptions.items())
    found[name] = (_code(function.__code__), cells, read, defaults, options)


def _globals_read(function: Any) -> Iterator[tuple[str, Any]]:
    """The globals that a function reads, with `module.name` for what it reads of a module of ours."""
    for word in sorted(set(_global_names(function.__code__))):
        value = function.__globals__.get(word, getattr(builtins, word, None))
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] not in _LIBRARIES:
            # Which attributes are those of the module, the bytecode tells only in order; one too many does no harm.
            for attribute in sorted(set(function.__code__.co_names)):
                if hasattr(value, attribute):
                    yield f"{word}.{attribute}", getattr(value, attribute)
        else:
            yield word, value


def _global_names(code: CodeType) -> Iterator[str]:
    yield from (step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL")
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _global_names(constant)


def _code(code: CodeType) -> tuple[Any, ...]:
    """What code does, without where it stands."""
    constants = [_code(constant) if isinstance(constant, CodeType) else repr(constant) for constant in code.co_consts]
    words = (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars)
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
    return (code.co_code.hex(), constants, words, counts, code.co_exceptiontable.hex())


def _constant(value: Any, found: dict[str, Any]) -> Any:
    """What numba freezes of a value; a compiled function is collected and named."""
    match value:
        case Dispatcher():
            _collect(value, found)
            described: Any = _name(value.py_func)
        case ModuleType():
            described = value.__name__
        case type():
            described = (_name(value), getattr(value, "_fields", ()))
        case BuiltinFunctionType():
            described = _name(value)
        case np.ndarray():
            described = (repr(value.dtype), value.shape, value.tobytes().hex())
        case tuple():
            described = (_constant(type(value), found), [_constant(part, found) for part in value])
        case None | bool() | int() | float() | complex() | str() | bytes() | np.generic() | np.dtype():
            described = (type(value).__name__, repr(value))
        case _:
            raise UnknownConstant(
                f"a compiled function reads a global of type {type(value).__name__}, and nothing tells when its content "
                "changes: hand it over as an argument, or make it a number, a tuple, an array or a compiled function"
            )
    return described


def _type(kind: Any) -> Any:
    """An argument's type. Of a named tuple numba's own name tells neither the fields nor the module."""
    class_ = getattr(kind, "instance_class", None)
    named = () if class_ is None else (_name(class_), class_._fields)
    return (str(kind), named, [_type(part) for part in getattr(kind, "types", ())])


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _read(file: Path) -> bytes | None:
    """The content of a file whose digest, its first bytes, is right; reading counts as use."""
    try:
        kept = file.read_bytes()
    except FileNotFoundError:
        return None
    if time.time() - file.stat().st_mtime > _DAY:
        with suppress(OSError):  # a folder that can be read alone is good enough
            os.utime(file)
    digest, content = kept[:_DIGEST_BYTES], kept[_DIGEST_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None


def _write(file: Path, content: bytes) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = file.with_name(f"{uuid4().hex}.writing")
    try:
        beside.write_bytes(hashlib.sha256(content).digest() + content)
        beside.replace(file)
    finally:
        beside.unlink(missing_ok=True)


@cache
def _remove_unused(folder: Path) -> None:
    """Remove what nobody has used for long; once a process."""
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # another process may be removing it too
            if time.time() - file.stat().st_mtime > KEPT_DAYS * _DAY:
                file.unlink()


@contextmanager
def _warning_where_nothing_is_kept() -> Iterator[None]:
    try:
        yield
    except OSError as problem:
        _warn(problem.strerror or str(problem))


@cache
def _warn(problem: str) -> None:
    """Say that nothing can be kept; once a process."""
    warnings.warn(
        f"compiled functions cannot be kept in the cache folder ({problem}), and every process compiles them again: set "
        "FORESAIL_CACHE_DIR to a folder that can be written",
        RuntimeWarning,
        stacklevel=2,
    )
