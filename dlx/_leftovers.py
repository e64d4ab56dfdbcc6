"""Hidden names for what is unfinished or set aside, and what becomes of it when its writer was killed."""

from __future__ import annotations

import contextlib
import os
import platform
import re
import secrets
import shutil
import time
import zlib
from collections.abc import Mapping
from pathlib import Path

NODE = f"{zlib.crc32(platform.node().encode()):08x}"
RUN = secrets.token_hex(3)  # tells this process from an earlier one of the same number
TAG = r"(?P<tag>(?P<node>[0-9a-f]{8})-(?P<pid>\d+)-(?P<run>[0-9a-f]{6})-[0-9a-f]{8})"
LEFTOVER = re.compile(rf"\.(?P<name>.+)\.{TAG}\.(tmp|old)")
DAY = 86_400  # seconds, after which what another host left counts as dead


def new_tag() -> str:
    """Return what tells one write from all others: host, process, and a number."""
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
