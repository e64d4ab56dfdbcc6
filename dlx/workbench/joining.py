"""The modules of the interface and of its engine as one script that stands in a page.

The rule: a module imports by ``import { a, b } from "./other.js";`` alone, and exports functions, classes and constants where
it declares them. The modules stand one after another, what is imported first, without these lines and without the word
``export``, in one function. So a name is declared once at the top of all of them.
"""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE_STYLE = HERE / "interface" / "page.css"  # of every page of dlx
STYLE = HERE / "interface" / "workbench.css"
IN_PAGE, SERVED = HERE / "interface" / "in_page.js", HERE / "interface" / "served.js"  # the modules that begin
_IMPORT = re.compile(r'^import \{[^}]*\} from "(\.{1,2}/[\w/-]+\.js)";\n', re.M)
_EXPORT = re.compile(r"^export (?=(async )?(function|class|const|let)\b)", re.M)
_TOP = re.compile(r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)", re.M)


def joined(entry: Path) -> str:
    """Return a module and all that it imports as one script, or raise a ValueError where the rule is broken."""
    order: list[Path] = []
    _visit(entry.resolve(), order, ())
    texts = [path.read_text(encoding="utf-8") for path in order]
    declared: dict[str, Path] = {}
    for path, text in zip(order, texts, strict=True):
        for name in _TOP.findall(text):
            if name in declared:
                raise ValueError(f"{path.name} declares {name}, as {declared[name].name} does")
            declared[name] = path
    bodies = [_EXPORT.sub("", _IMPORT.sub("", text)).strip() for text in texts]
    for path, body in zip(order, bodies, strict=True):
        if strange := re.search(r"^(import|export)\b.*", body, re.M):
            raise ValueError(f"{path.name}: {strange[0]!r} is no import or export of the rule")
    return '"use strict";\n(() => {\n' + "\n\n".join(bodies) + "\n})();\n"


def _visit(path: Path, order: list[Path], above: tuple[Path, ...]) -> None:
    if path in above:
        raise ValueError(f"{path.name} imports itself, by {above[-1].name}")
    if path not in order:
        for other in _IMPORT.findall(path.read_text(encoding="utf-8")):
            _visit((path.parent / other).resolve(), order, (*above, path))
        order.append(path)
