"""How a script of experiments ends: what dlx refuses is one line and status 2, as on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable

from dlx.errors import DlxError, one_line

MISTAKE = 2


def run(main: Callable[[], int | None]) -> None:
    """Run a script and leave with its status."""
    try:
        sys.exit(main())
    except DlxError as error:
        print(f"{sys.argv[0]}: {one_line(error)}", file=sys.stderr)
        sys.exit(MISTAKE)
