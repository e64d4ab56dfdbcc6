"""Files and folders that are whole or not there.

What is unfinished, or set aside while something takes its place, bears a hidden name with the host and the process that it
belongs to. When that process is dead, the next write into the same folder sweeps it away, or takes it back.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dlx._formats import csv_text, parsed_json
from dlx._leftovers import LEFTOVER, beside, new_tag, remove, sweep, take_back
from dlx.errors import DlxError

__all__ = [
    "FileError",
    "csv_text",
    "locked",
    "parsed_json",
    "put_in_place",
    "recover",
    "refuse_unwritable",
    "staging",
    "write_atomically",
    "write_together",
]


LONGEST = 200  # bytes of a name, beyond which the hidden one of what is unfinished has no room


class FileError(DlxError):
    """A place that cannot be written to."""


def write_atomically(path: str | Path, content: bytes | str) -> Path:
    """Write a file under a temporary name, sync it, and rename it; return its path."""
    path = Path(path)
    with _one_line(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with staging(path) as unfinished:
            _write(unfinished, content)
            with locked(path.parent):
                sweep(path.parent)
                unfinished.replace(path)
    return path


def write_together(
    contents: Mapping[Path, bytes | str | Mapping[str, bytes | str]], *, ours: Callable[[Path], bool] = lambda _: False
) -> None:
    """Write files and folders of files, all of them or none.

    Parameters
    ----------
    contents : mapping of Path to bytes, str, or mapping of str
        What is to stand where: a file, or a folder by the names of its files. One that stands there is replaced.
    ours : callable
        Whether a path within a replaced folder is of dlx and goes; others, by default all, stay in the folder.

    Raises
    ------
    FileError
        If there is no room, no permission, or a folder where a file should be.
    """
    with _one_line(next(iter(contents))), contextlib.ExitStack() as stack:
        staged = {}
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            staged[path] = unfinished = stack.enter_context(staging(path))
            if isinstance(content, Mapping):
                unfinished.mkdir()
                for name, part in content.items():
                    _write(unfinished / name, part)
            else:
                _write(unfinished, content)
        put_in_place(staged, ours=ours)


@contextlib.contextmanager
def staging(path: Path) -> Iterator[Path]:
    """Give a name beside a path for what is to take its place; what still bears it in the end is removed."""
    unfinished = beside(path, new_tag(), "tmp")
    try:
        yield unfinished
    finally:
        remove(unfinished)


def put_in_place(staged: Mapping[Path, Path], *, ours: Callable[[Path], bool]) -> None:
    """Rename what was staged to where it belongs, all of it or none; `ours` as in `write_together`.

    What stands there is set aside first, and removed last. A process that is killed in between leaves it to the next write.
    """
    first, tag = next(iter(staged)), new_tag()
    aside = {path: beside(path, tag, "old") for path in staged}
    with _one_line(first), locked(first.parent):
        for folder in {path.parent for path in staged}:
            sweep(folder)
        for path, unfinished in staged.items():
            _refuse_other_kind(path, unfinished)
            _carry(path, unfinished, ours)
        try:
            for path, old in aside.items():
                if os.path.lexists(path):
                    path.rename(old)
            for path, unfinished in reversed([*staged.items()]):
                unfinished.rename(path)
        except BaseException:
            for path in [path for path, unfinished in staged.items() if not os.path.lexists(unfinished)]:
                remove(path)
            take_back(aside)
            raise
        finally:
            for old in aside.values():
                remove(old)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes of dlx from renaming in a folder; where the system has no such locks, go without."""
    if os.name != "posix":
        yield
        return
    import fcntl

    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            stack.callback(os.close, handle)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def recover(path: Path) -> None:
    """Take back what a killed writer had set aside, where nothing stands in its place."""
    with contextlib.suppress(OSError):
        if not os.path.lexists(path) and path.parent.is_dir():
            with locked(path.parent):
                sweep(path.parent)


def refuse_unwritable(path: str | Path, remedy: str) -> None:
    """Raise a `FileError` if files could not be written to a folder, which need not be there yet."""
    if why := _why_unwritable(Path(path)):
        raise FileError(f"cannot write to {path}: {why}; {remedy}")


def _why_unwritable(path: Path) -> str:
    try:
        if "\0" in str(path):
            return "a name must not hold a null character"
        if long := [part for part in path.parts if len(os.fsencode(part)) > LONGEST]:
            return f"{long[0][:20]}… is too long a name"
        place = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
        if not place.is_dir():
            return f"{place} is no folder that may be written to"
        with tempfile.TemporaryFile(dir=place, prefix=".dlx-"):
            return ""
    except (OSError, ValueError) as error:
        return f"it is no folder that may be written to ({getattr(error, 'strerror', None) or error})"


def _write(path: Path, content: bytes | str) -> None:
    with path.open("wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
        file.flush()
        os.fsync(file.fileno())


def _refuse_other_kind(path: Path, unfinished: Path) -> None:
    if path.exists() and path.is_dir() != unfinished.is_dir():
        what = "is a folder" if path.is_dir() else "is no folder"
        raise FileError(f"cannot write {path}: it {what}; remove it, or write to another place")


def _carry(path: Path, unfinished: Path, ours: Callable[[Path], bool]) -> None:
    """Copy what people put into a folder of ours to the one that replaces it."""
    for entry in path.iterdir() if path.is_dir() else ():
        copied = unfinished / entry.name
        if ours(entry) or LEFTOVER.fullmatch(entry.name) or copied.exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, copied, symlinks=True)
        else:
            shutil.copy2(entry, copied, follow_symlinks=False)


@contextlib.contextmanager
def _one_line(path: Path) -> Iterator[None]:
    """Turn what the system says into a `FileError` that names the path and the way out."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space, or write to another place" if full else "write to another place"
        raise FileError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error
