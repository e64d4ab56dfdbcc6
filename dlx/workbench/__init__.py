"""The workbench: look anybody up, change anything, see what follows. One interface, in a page's file or on a server."""

from dlx.workbench.contents import book, holding
from dlx.workbench.joining import IN_PAGE, PAGE_STYLE, STYLE, joined

__all__ = ["IN_PAGE", "PAGE_STYLE", "STYLE", "book", "holding", "joined"]
