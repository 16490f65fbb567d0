# SPDX-License-Identifier: Apache-2.0
"""home.py: where flashlm keeps the models that it packed by itself."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flashlm._core import ArgumentError
from flashlm._engine.checked_calls import checked
from flashlm._engine.files import io_error
from flashlm.packing.detect import is_packed, open_source
from flashlm.packing.options import Options
from flashlm.packing.sources.source import Progress, Source
from flashlm.packing.writer import growth, write_folder


def home() -> Path:
    """The folder for packed models: ``FLASHLM_HOME``, or ``flashlm`` in the user's cache folder.

    That is ``~/Library/Caches`` on macOS and ``$XDG_CACHE_HOME`` or ``~/.cache`` elsewhere. It may
    not exist yet.

    Example:
        >>> home()  # where FLASHLM_HOME ends in "home"
        PosixPath('.../home')
    """
    chosen = os.environ.get("FLASHLM_HOME")
    if chosen:
        return Path(chosen).expanduser().absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "flashlm"
    cache = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG standard: a relative path is to be ignored.
    return (Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache") / "flashlm"


@checked("language_model")
def kv_folder(choice: str | os.PathLike[str] | bool | None) -> Path | None:
    """The folder that the argument ``kv_store`` means.

    Args:
        choice: A folder; ``True`` for ``kv`` in `home`; ``None`` or ``False`` for none.

    Returns:
        The folder, which may not exist yet, or None.

    Raises:
        ArgumentError: An empty path.
    """
    if choice is None or choice is False:
        return None
    if choice is True:
        return home() / "kv"
    if not os.fspath(choice):
        raise ArgumentError(
            "[language_model] kv_store: expected a folder, True or None, got an empty path."
        )
    return Path(choice).expanduser()


@checked("home")
def packed(
    source: str | os.PathLike[str],
    *,
    dtype: str = "source",
    neurons_per_bundle: int | str = "auto",
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Path:
    """The packed folder of a source; packs it into `home` if that has not been done.

    The folder's name holds a fingerprint of the source's files and of the options, so a changed
    source is packed anew. Of two processes that want the same model one packs it and the other
    waits.

    Args:
        source: A packed folder (which is returned as it is), or what `flashlm.pack` takes.
        dtype: As for `flashlm.pack`.
        neurons_per_bundle: As for `flashlm.pack`.
        progress: As for `flashlm.pack`; told ``"wait"`` while another process packs.
        tell: Given a line before something is packed: what, where to, and how large it gets.

    Returns:
        A packed folder.

    Raises:
        FormatError: The source cannot be packed.
        IoError: The source is not there, or the folder cannot be written.
        ArgumentError: An empty source, another ``dtype`` or ``neurons_per_bundle``.
    """
    if os.fspath(source) and is_packed(source):
        return Path(source).expanduser()
    opened = open_source(source, progress)
    options = Options.resolve(opened, dtype, neurons_per_bundle)
    folder = _place(opened, options)
    if is_packed(folder):
        return folder
    if tell is not None:
        tell(f"Packing {opened.name} once, into {folder}: {growth(opened, options)}")
    with _locked(folder, progress):
        if not is_packed(folder):
            write_folder(opened, folder, options, progress)
    return folder


@contextmanager
def outlined(source: str | os.PathLike[str], progress: Progress | None = None) -> Iterator[Path]:
    """A packed folder of a source to look at and plan with.

    Its weights may be holes, so that packing takes no time.

    Args:
        source: A packed folder, one that `packed` has packed before, or what `flashlm.pack` takes.
        progress: Told about a download.

    Yields:
        The folder; one that was made for it goes again.

    Raises:
        FormatError: The source cannot be packed.
        IoError: The source is not there.
        ArgumentError: An empty source.
    """
    if os.fspath(source) and is_packed(source):
        yield Path(source).expanduser()
        return
    opened = open_source(source, progress, headers_only=True)
    options = Options.resolve(opened, "source", "auto")
    folder = _place(opened, options)
    if is_packed(folder):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="flashlm-") as scratch:
        yield write_folder(opened, Path(scratch) / folder.name, options, hollow=True)


def _place(opened: Source, options: Options) -> Path:
    """Where `packed` puts a source."""
    slug = (
        re.sub(r"[^A-Za-z0-9._-]+", "--", opened.name.removesuffix(".gguf")).strip(".-")[:80]
        or "model"
    )
    return home() / f"{slug}-{options.dtype}-{options.fingerprint(opened)[:16]}.flash"


@contextmanager
def _locked(folder: Path, progress: Progress | None) -> Iterator[None]:
    """Holds `folder`.lock; waits for another process that does.

    The file stays: removing it would let two in.
    """
    path = folder.with_name(folder.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise io_error("make the lock", error, path) from error
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    raise io_error("lock", error, path) from error
            if progress is not None:
                progress("wait", 0, 1)
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)
