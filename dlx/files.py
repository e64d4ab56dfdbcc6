"""Files and folders that are whole or not there; CSV that a spreadsheet cannot run, and JSON that is read strictly.

What is unfinished, or set aside while something takes its place, bears a hidden name with the host and the process that it
belongs to. When that process is dead, the next write into the same folder sweeps it away, or takes it back.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
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

Content = bytes | str


class FileError(DlxError):
    """A place that cannot be written to."""


def file_name(name: str) -> str:
    """Return a name as a file may bear it."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name) or "report"


def fits_a_folder(name: str) -> bool:
    """Whether a name can be that of a folder on any system."""
    is_odd = name.startswith(".") or set(name) & set('/\\:*?"<>|') or not name.isprintable() or not name.strip()
    return not is_odd and len(name.encode()) <= LONGEST


def write_atomically(path: str | Path, content: Content) -> Path:
    """Write a file under a temporary name, sync it, and rename it; return its path."""
    path = Path(path)
    with _staged({path: content}) as staged, locked(path.parent):
        sweep(path.parent)
        staged[path].replace(path)
    return path


def write_together(
    contents: Mapping[Path, Content | Mapping[str, Content]], *, ours: Callable[[Path], bool] = lambda _: False
) -> None:
    """Write files and folders of files, all of them or none.

    What stands there is set aside first, and removed last. A process that is killed in between leaves it to the next write.

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
    tag = new_tag()
    aside = {path: beside(path, tag, "old") for path in contents}
    with _staged(contents) as staged, locked(next(iter(contents)).parent):
        for folder in {path.parent for path in staged}:
            sweep(folder)
        for path, unfinished in staged.items():
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
def _staged(contents: Mapping[Path, Content | Mapping[str, Content]]) -> Iterator[dict[Path, Path]]:
    """Give the hidden names under which contents were written, by where they belong; what still bears one in the end goes.

    What the system refuses becomes a `FileError` that names the first path and the way out.
    """
    tag = new_tag()
    staged = {path: beside(path, tag, "tmp") for path in contents}
    try:
        for path, content in contents.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, Mapping):
                staged[path].mkdir()
            parts = content if isinstance(content, Mapping) else {"": content}
            for name, part in parts.items():
                with (staged[path] / name).open("wb") as file:
                    file.write(part.encode() if isinstance(part, str) else part)
                    file.flush()
                    os.fsync(file.fileno())
        yield staged
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        way_out = "free some space, or write to another place" if full else "write to another place"
        raise FileError(f"cannot write {next(iter(contents))}: {error.strerror or error}; {way_out}") from error
    finally:
        for unfinished in staged.values():
            remove(unfinished)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other processes of dlx from renaming in a folder; where the file system has no such locks, go without."""
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
    path = Path(path)
    try:
        if odd := [part for part in path.parts if "\0" in part or len(os.fsencode(part)) > LONGEST]:
            raise ValueError(f"{odd[0][:20]!r}… is too long a name, or holds a null character")
        place = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
        with tempfile.TemporaryFile(dir=place, prefix=".dlx-"):
            pass
    except (OSError, ValueError) as error:
        why = f"it is no folder that may be written to ({getattr(error, 'strerror', None) or error})"
        raise FileError(f"cannot write to {path}: {why}; {remedy}") from error


def _carry(path: Path, unfinished: Path, ours: Callable[[Path], bool]) -> None:
    """Copy what people put into a folder of ours to the one that replaces it; raise if one is a folder, the other a file."""
    if path.exists() and path.is_dir() != unfinished.is_dir():
        what = "is a folder" if path.is_dir() else "is no folder"
        raise FileError(f"cannot write {path}: it {what}; remove it, or write to another place")
    for entry in path.iterdir() if path.is_dir() else ():
        copied = unfinished / entry.name
        if ours(entry) or LEFTOVER.fullmatch(entry.name) or copied.exists():
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.copytree(entry, copied, symlinks=True)
        else:
            shutil.copy2(entry, copied, follow_symlinks=False)


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
    try:
        if found["node"] != NODE:
            return time.time() - path.lstat().st_mtime > DAY
        if int(found["pid"]) == os.getpid():
            return found["run"] != RUN
        os.kill(int(found["pid"]), 0)
    except (ProcessLookupError, OverflowError):
        return True
    except OSError:
        pass  # it is there, but another user's
    return False


def csv_text(table: pd.DataFrame) -> str:
    """Return a table as the text of a CSV file for people, without its index.

    Text that begins with = + - @, a tab or a line break, which a spreadsheet would run or swallow, gets an apostrophe before
    it, names of columns too. Numbers stay as they are, negative ones and those in text ("-1.5") too. A line break within
    text is written as one line feed. dlx reads none of these files again.
    """
    written = table.set_axis(range(table.shape[1]), axis=1)
    for position, column in written.items():
        if column.dtype.kind not in "biufc":
            written[position] = column.astype(object).map(_escaped)
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
