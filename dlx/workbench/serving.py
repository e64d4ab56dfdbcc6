"""The workbench on a server of one's own machine: every method of every model on demand; the people's rows stay in the process.

Whoever asks must know the token of the address that was printed, and must have typed that address: another Host or Origin is
refused (DNS rebinding, other pages), since the loopback address is open to all who use the machine. Nothing of a request
reaches the disk, is logged, or is kept by a browser.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import socket
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dlx.errors import DlxError, in_a_line, is_own_fault
from dlx.explainers import LibraryError
from dlx.model import Model, Scale, check_scale
from dlx.threads import one_thread
from dlx.workbench.contents import Words, answered_on, as_data, served_book
from dlx.workbench.joining import PAGE_STYLE, SERVED, STYLE, joined

if TYPE_CHECKING:
    import uvicorn

    from dlx.context import RunContext
    from dlx.dataset import Dataset
    from dlx.explanation import Explanation

LARGEST = 1_000_000  # bytes of a request
MOST_ROWS = 200  # of a question about risks
AT_ONCE = 200  # questions that wait; more are sent away
GLANCE = 0.2  # seconds between two lines about a computation
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title>
<link rel="stylesheet" href="workbench.css?token={token}"></head>
<body><header><h1>{title}</h1></header>
<main><div id="workbench" class="workbench"><p class="quiet">Fetching the people …</p></div></main>
<script src="workbench.js?token={token}"></script></body>
</html>
"""


class RequestError(DlxError):
    """A request that asks for nothing that there is."""


class _GoneError(Exception):
    """Nobody waits for the answer any longer."""


class Workbench:
    """What the server answers: predictions at once, contributions one after another in a queue.

    Parameters
    ----------
    context : RunContext
        The case, its models and the background.
    people : Dataset
        Who can be looked up.
    hosts : collection of str
        The names, with the port, by which the server may be called.
    words : sequence of dict
        Terms that the interface explains, as of `book`.
    """

    def __init__(self, context: RunContext, people: Dataset, hosts: set[str], words: Words = ()) -> None:
        self.context, self.hosts, self.style = context, hosts, PAGE_STYLE.read_text("utf-8") + STYLE.read_text("utf-8")
        self.token = secrets.token_urlsafe(24)
        self.models = {model.name: model for model in context.models}
        self.script, self.book = joined(SERVED), json.dumps(served_book(context, people, words))
        self._turn, self._waiting = threading.Lock(), 0

    def app(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/", self._page),
            Route("/workbench.js", self._script),
            Route("/workbench.css", self._style),
            Route("/book", self._book),
            Route("/model", self._model, methods=["POST"]),
            Route("/risks", self._risks, methods=["POST"]),
            Route("/explain", self._explain, methods=["POST"]),
        ]
        app = Starlette(routes=routes)
        app.add_middleware(_Door, self)
        return app

    async def _page(self, _request: Request) -> Response:
        import html

        title = html.escape(self.context.case.card.title or self.context.case.name)
        return HTMLResponse(PAGE.format(title=title, token=self.token))

    async def _script(self, _request: Request) -> Response:
        return Response(self.script, media_type="text/javascript")

    async def _style(self, _request: Request) -> Response:
        return Response(self.style, media_type="text/css")

    async def _book(self, _request: Request) -> Response:
        return Response(self.book, media_type="application/json")

    async def _risks(self, request: Request) -> Response:
        said = await _said(request)
        rows = self._rows(said.get("rows"))
        asked = [(model, answered_on(model)) for model in self.context.models]
        if "model" in said:
            asked = [self._model_and_scale(said)]
        return JSONResponse({"risks": await anyio.to_thread.run_sync(self._predicted, rows, asked)})

    def _predicted(self, rows: np.ndarray, asked: list[tuple[Model, Scale]]) -> list[list[float]]:
        with one_thread():
            return np.column_stack([model.predict(rows, scale) for model, scale in asked]).tolist()

    async def _model(self, request: Request) -> Response:
        model, _ = self._model_and_scale(await _said(request))
        return JSONResponse(await anyio.to_thread.run_sync(as_data, model))

    def _model_and_scale(self, said: dict[str, Any]) -> tuple[Model, Scale]:
        """Return which model is asked and on which scale, its first one if none is said."""
        model = self.models.get(str(said.get("model", "")))
        if model is None:
            raise RequestError(f"there is no model {said.get('model')!r}; there are {', '.join(self.models)}")
        scale = said.get("scale") or model.scales[0]
        check_scale(model, scale)
        return model, scale

    async def _explain(self, request: Request) -> Response:
        from dlx import explainers

        said = await _said(request)
        model, scale = self._model_and_scale(said)
        method, row = str(said.get("method")), self._rows([said.get("row")])
        explainers.method(method)
        background = self.context.background if said.get("against") is None else self._rows(said["against"])
        if self._waiting >= AT_ONCE:
            raise RequestError("too many questions at once; ask again in a while")
        return StreamingResponse(
            self._lines(request, partial(_Job, self, model, method, scale, row, background)), media_type="application/x-ndjson"
        )

    async def _lines(self, request: Request, made: Callable[[], _Job]) -> AsyncIterator[str]:
        """Yield a line of JSON now and then: how far it is, and at last what was found."""
        job = made()
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, job.run)
            try:
                while not job.is_done.is_set():
                    await anyio.sleep(GLANCE if job.told else 0.01)
                    if await request.is_disconnected():
                        return
                    if job.told and not job.is_done.is_set():
                        yield json.dumps({"progress": job.told}) + "\n"
                yield json.dumps(job.answer) + "\n"
            finally:
                job.is_wanted = False

    def _rows(self, said: Any) -> np.ndarray:
        """Return rows as they were sent, None where a value is missing, checked by the schema."""
        schema = self.context.case.schema
        if not isinstance(said, list) or not 0 < len(said) <= MOST_ROWS:
            raise RequestError(f"rows must be a list of 1 to {MOST_ROWS} rows")
        for row in said:
            if not isinstance(row, list) or len(row) != len(schema) or not all(_is_cell(cell) for cell in row):
                raise RequestError(f"a row must be a list of {len(schema)} numbers, null where one is missing")
        return schema.check(np.array([[np.nan if cell is None else float(cell) for cell in row] for row in said]))


class _Job:
    """One question about contributions; it waits for its turn, and ends when nobody wants the answer."""

    def __init__(
        self, bench: Workbench, model: Model, method: str, scale: Scale, row: np.ndarray, background: Dataset | np.ndarray
    ) -> None:
        self.bench, self.model, self.method, self.scale, self.row, self.background = (
            bench,
            model,
            method,
            scale,
            row,
            background,
        )
        self.is_wanted, self.is_done, self.told, self.answer = True, threading.Event(), "", dict[str, Any]()

    def run(self) -> None:
        """Explain the row when it is its turn."""
        self.bench._waiting += 1
        try:
            self.told = "Waiting for another question to be answered …" if self.bench._turn.locked() else ""
            with self.bench._turn, one_thread():
                self.told = "Computing …"
                self.answer = self._found()
        except _GoneError:
            self.answer = {"failed": "nobody waited for the answer"}
        except Exception as error:  # of the user's model, or of a library: told, and the server goes on
            known = isinstance(error, (DlxError, LibraryError)) or not is_own_fault(error)
            self.answer = {"failed": in_a_line(error) if known else f"dlx failed: {type(error).__name__}"}
        finally:
            self.bench._waiting -= 1
            self.is_done.set()

    def _found(self) -> dict[str, Any]:
        from dlx import explainers
        from dlx.runner import explain

        if not self.is_wanted:
            raise _GoneError
        context = self.bench.context
        asked: dict[str, Any] = {"method": self.method, "background": self.background, "scale": self.scale}
        options = explainers.quick_options(self.method, len(context.case.schema))
        made: Explanation = explain(self.model, self.row, **asked, **options, seed=context.seed, progress=self._update)
        if made.failures:
            return {"failed": made.failures[0]}
        errors = made.standard_errors
        return {
            "values": made.values[0].tolist(),
            "errors": None if errors is None else errors[0].tolist(),
            "base": float(made.base_values[0]),
            "prediction": float(made.outputs[0]),
            "evaluations": int(made.evaluations),
            "isExact": not explainers.method(self.method).IS_RANDOM,
            "isLast": True,
        }

    def _update(self, done: int, total: int) -> None:
        if not self.is_wanted:
            raise _GoneError
        self.told = f"Computing: {done:,} of {total:,}"


class _Door:
    """Lets in who knows the token and comes by the server's own name; turns all errors into a line of JSON."""

    def __init__(self, app: Any, bench: Workbench) -> None:
        self.app, self.bench = app, bench

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        refusal = self._refusal(request)

        async def with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            await send(message)

        if refusal:
            await JSONResponse({"error": refusal}, 403)(scope, receive, with_headers)
            return
        with contextlib.suppress(ClientDisconnect):
            try:
                await self.app(scope, receive, with_headers)
            except DlxError as error:
                await JSONResponse({"error": in_a_line(error)}, 400)(scope, receive, with_headers)

    def _refusal(self, request: Request) -> str:
        host, origin = request.headers.get("host", ""), request.headers.get("origin")
        if host not in self.bench.hosts:
            return "this server does not go by that name"
        if origin is not None and origin not in {f"http://{name}" for name in self.bench.hosts}:
            return "another page may not ask this server"
        if not secrets.compare_digest(request.query_params.get("token", "").encode(), self.bench.token.encode()):
            return "the token of the address that dlx serve printed is missing"
        return ""


async def _said(request: Request) -> dict[str, Any]:
    """Return the object that a request holds, or raise a `RequestError`: it is small, and JSON."""
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > LARGEST:
            raise RequestError(f"a request must have at most {LARGEST:,} bytes")
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError("a request must be JSON") from error
    if not isinstance(said, dict):
        raise RequestError("a request must be a JSON object")
    return said


def _is_cell(cell: Any) -> bool:
    return cell is None or (isinstance(cell, (int, float)) and not isinstance(cell, bool) and abs(cell) < 1e300)


def serve(
    context: RunContext, people: Dataset, *, host: str, port: int, ready: Callable[[str], None], words: Words = ()
) -> None:
    """Answer until Ctrl-C; `ready` is called with the address, the token in it, once the port is bound.

    Raises
    ------
    DlxError
        If the port is in use.
    """
    try:
        bound = socket.create_server((host, port))
    except OSError as error:
        raise DlxError(
            f"port {port} of {host} cannot be used: {in_a_line(error)}; pass another --port, or 0 for any"
        ) from error
    server, address = prepared(context, people, bound, words)
    ready(address)
    with contextlib.suppress(KeyboardInterrupt), bound:
        server.run(sockets=[bound])


def prepared(context: RunContext, people: Dataset, bound: socket.socket, words: Words = ()) -> tuple[uvicorn.Server, str]:
    """Return the server of a bound socket, which waits to be run, and its address with the token."""
    import uvicorn

    host, port = bound.getsockname()[:2]
    names = {host, *(("localhost",) if host == "127.0.0.1" else ())}
    bench = Workbench(context, people, {f"{name}:{port}" for name in names}, words)
    config = uvicorn.Config(bench.app(), log_level="error", access_log=False, server_header=False, timeout_graceful_shutdown=1)
    return uvicorn.Server(config), f"http://{host}:{port}/?token={bench.token}"
