"""The workbench: look anybody up, change anything, see what follows. One interface, in a page's file or on a server."""

from dlx.workbench.contents import book
from dlx.workbench.joining import joined

__all__ = ["book", "joined"]
