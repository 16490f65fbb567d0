# SPDX-License-Identifier: Apache-2.0
"""files.py: reading foreign files and writing durable ones, with flashlm's errors."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flashlm import _core
from flashlm._core import FormatError, IoError

_FOREIGN_BYTES = 512  # of a file that tell what it is
_RANDOM = "abcdefghijklmnopqrstuvwxyz0123456789_"  # what tempfile makes names of


def read_exactly(path: Path, offset: int, n_bytes: int) -> bytearray:
    """`n_bytes` bytes of `path` from `offset`.

    Raises:
        FormatError: The file ends early.
        IoError: The file cannot be read.
    """
    buffer = bytearray(n_bytes)
    view = memoryview(buffer)
    try:
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            done = 0
            while done < n_bytes:
                got = file.readinto(view[done:])
                if not got:
                    raise FormatError(
                        f"[pack] file: expected {n_bytes} bytes at offset {offset}, got {done} "
                        f"({path}). "
                        "Was the copy cut short?"
                    )
                done += got
    except OSError as error:
        raise io_error("read", error, path) from error
    return buffer


def io_error(
    what: str, error: OSError, path: os.PathLike[str] | str, where: str = "pack"
) -> IoError:
    """The flashlm error for an `OSError` of the system."""
    if isinstance(error, IoError):
        return error
    name = os.fspath(path if error.filename is None else error.filename)
    result = IoError(f"[{where}] {what}: {error.strerror or error} ({name})")
    result.errno, result.filename = error.errno, name
    return result


def read_small(path: Path, limit: int = 256 << 20) -> bytes:
    """The whole of a small file.

    Raises:
        FormatError: The file is larger than `limit`.
        IoError: The file cannot be read.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise FormatError(f"[pack] file: expected at most {limit} bytes, got {size} ({path})")
        return path.read_bytes()
    except OSError as error:
        raise io_error("read", error, path) from error


def read_text_file(path: Path) -> bytes:
    """The whole of a small file that holds a text, such as a chat template.

    Raises:
        FormatError: The file is larger than 256 MiB, or something else stands in its place, such as
            a web page.
        IoError: The file cannot be read.
    """
    data = read_small(path)
    refuse_foreign(data, "text", path)
    return data


def refuse_foreign(begin: bytes, expected: str, path: Path) -> None:
    """Raises a FormatError if the first bytes of a file tell that it is no ``expected`` one.

    It may be a Git LFS pointer, for example.

    Args:
        begin: The first bytes of the file.
        expected: "json", "text", "safetensors" or "gguf".
        path: For the message.
    """
    found = _core.foreign_file(bytes(begin[:_FOREIGN_BYTES]), expected)
    if found is not None:
        what, hint = found
        name = {"json": "a JSON file", "text": "a text", "gguf": "a GGUF file"}.get(
            expected, f"a {expected} file"
        )
        raise FormatError(f"[pack] file: expected {name}, got {what} ({path}). {hint}")


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a small file.

    Raises:
        FormatError: The file is not a JSON object.
        IoError: The file cannot be read.
    """
    return parse_object(read_small(path), path)


def parse_object(data: bytes, path: Path) -> dict[str, Any]:
    """`data` as a JSON object; `path` is for messages."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        refuse_foreign(data, "json", path)
        raise FormatError(f"[pack] json: {error} ({path})") from error
    refuse_foreign(data, "json", path)  # what a server said where there was no file is JSON too
    if not isinstance(value, dict):
        raise FormatError(f"[pack] json: expected an object, got {type(value).__name__} ({path})")
    return value


@contextlib.contextmanager
def locked(partial: Path, where: str = "pack", doing: str = "packing into it") -> Iterator[None]:
    """Makes the partial folder and holds a lock on it.

    The lock ends with the process, however that ends.
    """
    partial.mkdir(exist_ok=True)
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise folder_error(f"another process is {doing}", errno.EBUSY, partial, where) from None
        # The other process may have finished, and renamed the folder, between the two calls.
        if not partial.exists() or not os.path.samestat(os.fstat(descriptor), partial.stat()):
            raise folder_error("another process has just finished", errno.EBUSY, partial, where)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Gives the name of a new, empty file beside `target`.

    It takes the place of `target` if the block ends well, and else goes.

    What killed processes left beside the same target goes first, as in C++ (`BesideFile`): whoever
    writes such a file holds a lock on it, which ends with the process.
    """
    _core.remove_abandoned(target.parent, target.name + ".part-", "0123456789-")
    path = target.with_name(f"{target.name}.part-{os.getpid()}-{time.monotonic_ns()}")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with contextlib.suppress(OSError):  # without locks nobody takes a file for abandoned either
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
        path.replace(target)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def scratch_folder(parent: Path, prefix: str) -> Iterator[Path]:
    """A new folder in `parent` that goes again.

    Those that killed processes left under the same prefix go first.

    `prefix` is nobody else's: a folder that has it, is this user's, and is not locked, is removed.
    """
    _core.remove_abandoned(parent, prefix, _RANDOM, folders=True)
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(descriptor)


def write_synced(path: Path, data: bytes) -> None:
    """Writes a file and waits until it is on the device."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder last."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (
            errno.EINVAL,
            errno.ENOTSUP,
        ):  # some file systems have nothing to sync for a folder
            raise
    finally:
        os.close(descriptor)


def folder_error(message: str, code: int, path: Path, where: str = "pack") -> IoError:
    """An `IoError` about the folder that is being written."""
    result = IoError(f"[{where}] folder: {message} ({path}).")
    result.errno, result.filename = code, str(path)
    return result
