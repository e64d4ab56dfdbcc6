"""Files and folders that are whole or not there; CSV that a spreadsheet cannot run, and JSON that is read strictly.

What is unfinished, or set aside while something takes its place, bears a hidden name with the host and the process that it
belongs to. When that process is dead, the next write into the same folder sweeps it away, or takes it back.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
import types
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.errors import DlxError

if TYPE_CHECKING:
    import pandas as pd

LONGEST = 200  # bytes of a name, beyond which the hidden one of what is unfinished has no room
NODE = f"{zlib.crc32(platform.node().encode()):08x}"
RUN = secrets.token_hex(3)  # tells this process from an earlier one of the same number
TAG = r"(?P<tag>(?P<node>[0-9a-f]{8})-(?P<pid>\d+)-(?P<run>[0-9a-f]{6})-[0-9a-f]{8})"
LEFTOVER = re.compile(rf"\.(?P<name>.+)\.{TAG}\.(tmp|old)")
DAY = 86_400  # seconds, after which what another host left counts as dead
FORMULA = re.compile(r"[=+\-@\t\n＝＋－＠]")
NUMBER = re.compile(r"[+-]?(\d[\d,]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


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


def new_tag() -> str:
    """Return the tag of one write: host, process, run, and a random number."""
    return f"{NODE}-{os.getpid()}-{RUN}-{secrets.token_hex(4)}"


def beside(path: Path, tag: str, kind: str) -> Path:
    """Return the hidden name beside a path: of what is unfinished ("tmp"), or set aside ("old")."""
    return path.with_name(f".{path.name}.{tag}.{kind}")


def remove(path: Path) -> None:
    """Remove a file or a folder, as far as it can be."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def sweep(folder: Path) -> None:
    """Remove what dead writers left in a folder; take back what one had set aside when it died between two renames."""
    aside: dict[str, dict[Path, Path]] = {}
    for path in [*folder.iterdir()]:
        found = LEFTOVER.fullmatch(path.name)
        if found and _is_dead(found, path):
            if path.suffix == ".old":
                aside.setdefault(found["tag"], {})[path.with_name(found["name"])] = path
            else:
                remove(path)
    for group in aside.values():
        if not all(map(os.path.lexists, group)):
            take_back(group)
        for path in group.values():
            remove(path)


def take_back(aside: Mapping[Path, Path]) -> None:
    """Put what was set aside where it stood, in place of what stands there now."""
    for path, old in aside.items():
        if os.path.lexists(old):
            remove(path)
            old.rename(path)


def _is_dead(found: re.Match[str], path: Path) -> bool:
    pid = int(found["pid"])
    if found["node"] != NODE or os.name != "posix":
        with contextlib.suppress(OSError):
            return time.time() - path.lstat().st_mtime > DAY
        return False
    if pid == os.getpid():
        return found["run"] != RUN
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        return False  # it is there, but another user's
    return False


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as the text of a CSV file for people, without its index.

    Text that begins with = + - @, a tab or a line break, which a spreadsheet would run or swallow, gets an apostrophe before
    it, names of columns too. Numbers stay as they are, negative ones and those in text ("-1.5") too. A line break within
    text is written as one line feed. dlx reads none of these files again; whoever does strips one apostrophe before such a
    sign.
    """
    import pandas as pd

    columns = {
        position: column if pd.api.types.is_numeric_dtype(column) else column.astype(object).map(_escaped)
        for position, (_, column) in enumerate(table.items())
    }
    written = pd.DataFrame(columns, index=table.index)
    written.columns = [_escaped(name) for name in table.columns]
    return str(written.to_csv(index=False, lineterminator="\n"))


def parsed_json(content: bytes, *, finite: bool = True) -> Any:
    """Return the value that JSON spells, or raise a `ValueError`.

    Stricter than Python: UTF-8 only, no key twice, no half of a surrogate pair, no bottomless nesting and, where finite, no
    NaN or Infinity.
    """
    numbers: dict[str, Any] = {"parse_constant": _no_number, "parse_float": _finite} if finite else {}
    try:
        parsed = json.loads(content.decode("utf-8"), object_pairs_hook=_without_repetition, **numbers)
        json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return parsed


def _escaped(cell: Any) -> Any:
    if not isinstance(cell, str):
        return cell
    text = cell.replace("\r\n", "\n").replace("\r", "\n")  # csv leaves a carriage return without quotes
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("it names a key twice")
    return found


def _finite(text: str) -> float:
    number = float(text)
    return number if abs(number) < float("inf") else _no_number(text)


def _no_number(text: str) -> float:
    raise ValueError(f"it holds {text[:20]}, which is no finite number")


class Folder(types.ModuleType):
    """A package of one unit a file; called, it lists their names, as its `names` does."""

    def __call__(self) -> list[str]:
        """Return the names of the units."""
        return modules_in(self.__path__[0])


def modules_in(folder: str | Path) -> list[str]:
    """Return the names of the modules in a folder, sorted, without importing them; not those that begin with _."""
    return sorted(path.stem for path in Path(folder).glob("*.py") if not path.stem.startswith("_"))
