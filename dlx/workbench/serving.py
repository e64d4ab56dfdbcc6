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
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import numpy as np
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from dlx import explainers
from dlx.audit.counterfactuals import Range
from dlx.background import sample
from dlx.errors import DlxError, in_a_line
from dlx.model import Model, Scale, check_scale
from dlx.threads import one_thread
from dlx.workbench.contents import Words, answered_on, as_data, context_of_class, served_book, served_part
from dlx.workbench.jobs import Job, Queue, alignment, contributions, ways_out, words_of
from dlx.workbench.joining import PAGE_STYLE, SERVED, STYLE, joined

if TYPE_CHECKING:
    import uvicorn

    from dlx.context import RunContext
    from dlx.dataset import Dataset

Question = dict[str, Any]  # in a request
Work = Callable[..., dict[str, Any]]
Handler = Callable[[Question, "RunContext"], Work]
LARGEST = 1_000_000  # bytes of a request
PATIENCE = 20.0  # seconds in which a request must be there
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
        self.token, self.people, self.queue = secrets.token_urlsafe(24), people, Queue()
        self.script, self.book = joined(SERVED), json.dumps(served_book(context, people, words))
        self._of_class: dict[str, RunContext] = {}
        self._threads = anyio.CapacityLimiter(AT_ONCE)  # of those who wait; others are answered meanwhile

    def app(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/", self._page),
            Route("/workbench.js", lambda _: Response(self.script, media_type="text/javascript")),
            Route("/workbench.css", lambda _: Response(self.style, media_type="text/css")),
            Route("/book", self._book),
        ]
        at_once: dict[str, Handler] = {"/model": self._written, "/risks": self._risks}
        queued: dict[str, Handler] = {"/explain": self._explain, "/ways": self._ways, "/alignment": self._alignment}
        for path, asked in (at_once | queued).items():
            routes.append(Route(path, self._answering(asked, is_queued=path in queued), methods=["POST"]))
        app = Starlette(routes=routes)
        app.add_middleware(_Door, self)
        return app

    async def _page(self, _request: Request) -> Response:
        import html

        title = html.escape(self.context.case.card.title or self.context.case.name)
        return HTMLResponse(PAGE.format(title=title, token=self.token))

    async def _book(self, request: Request) -> Response:
        if (name := request.query_params.get("class")) is None:
            return Response(self.book, media_type="application/json")
        context = self._context_of(name)
        people = self.people.of_class(context.case.schema.target.levels[1])
        return JSONResponse(await anyio.to_thread.run_sync(served_part, context, people) | {"class": name})

    def _context_of(self, name: Any) -> RunContext:
        """Return the context of a class by its label; that which the server was started with where none is named."""
        several = self.context.case.several
        if name is None:
            return self.context
        if several is None or name not in several.level_labels:
            raise RequestError(f"there is no class {name!r}")
        if name not in self._of_class:
            self._of_class[name] = context_of_class(self.context, several.levels[several.level_labels.index(name)])
        return self._of_class[name]

    def _answering(self, asked: Handler, *, is_queued: bool) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers a request: it does the work that follows from what is said, at once or in the queue."""

        async def answer(request: Request) -> Response:
            said = await _said(request)
            work = asked(said, self._context_of(said.get("class")))
            if not is_queued:
                return JSONResponse(await anyio.to_thread.run_sync(work))
            if len(self.queue.waiting) >= AT_ONCE:
                raise RequestError("too many questions at once; ask again in a while")
            job = Job(self.queue, work, is_agreed=said.get("agreed") is True)
            return StreamingResponse(self._lines(request, job), media_type="application/x-ndjson")

        return answer

    def _risks(self, said: Question, context: RunContext) -> Work:
        rows, asked = self._rows(said.get("rows")), [(model, answered_on(model)) for model in context.models]
        if said.get("model") is not None:
            model = self._model(context, said)
            asked = [(model, said.get("scale") or answered_on(model))]
            check_scale(*asked[0])
        return partial(_predicted, asked, rows)

    def _written(self, said: Question, context: RunContext) -> Work:
        return partial(as_data, self._model(context, said))

    def _model(self, context: RunContext, said: Question) -> Model:
        models = {model.name: model for model in context.models}
        if said.get("model") not in list(models):
            raise RequestError(f"there is no model {said.get('model')!r}; there are {', '.join(models)}")
        return models[said["model"]]

    def _explain(self, said: Question, context: RunContext) -> Work:
        model = self._model(context, said)
        method, row = str(said.get("method")), self._rows([said.get("row")])
        explainers.method(method)
        scale = said.get("scale") or model.scales[0]
        check_scale(model, scale)
        background = self.context.background if said.get("against") is None else self._rows(said["against"])
        return partial(contributions, model, method, scale, row, background, context.seed)

    def _ways(self, said: Question, context: RunContext) -> Work:
        model, place, target = self._model(context, said), said.get("person"), context.case.schema.target
        if not isinstance(place, int) or not 0 <= place < len(self.people):
            raise RequestError(f"person must be a place from 0 to {len(self.people) - 1}")
        if target.is_value:
            line: float | Range = Range.of(str(said.get("range")))
        else:
            line = said["threshold"] if isinstance(said.get("threshold"), float) else target.threshold
        people = self.people if context is self.context else self.people.of_class(target.levels[1])
        return partial(ways_out, model, people[[place]], context.case.train, line)

    def _alignment(self, said: Question, context: RunContext) -> Work:
        few = sample(context.case.test, context.budget.settings_people, seed=context.seed)
        laboratory = replace(context.laboratory(context.cache.explain), people=few)
        return partial(alignment, self._model(context, said), laboratory, context.top)

    async def _lines(self, request: Request, job: Job) -> AsyncIterator[str]:
        """Yield a line of JSON now and then: how far it is, and at last what was found, or what it would cost."""
        is_done = anyio.Event()

        async def answer() -> None:
            await anyio.to_thread.run_sync(job.run, limiter=self._threads)
            is_done.set()

        async with anyio.create_task_group() as group:
            group.start_soon(answer)
            try:
                while not is_done.is_set():
                    with anyio.move_on_after(GLANCE):
                        await is_done.wait()
                    if await request.is_disconnected():
                        return
                    if job.told and not is_done.is_set():
                        yield json.dumps({"progress": job.told, "share": job.share}) + "\n"
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
    """Return the object that a request holds, or raise a `RequestError`: it is small, there in time, and JSON."""
    content = bytearray()
    with anyio.move_on_after(PATIENCE) as waiting:
        async for part in request.stream():
            content += part
            if len(content) > LARGEST:
                raise RequestError(f"a request must have at most {LARGEST:,} bytes")
    if waiting.cancelled_caught:
        raise RequestError(f"a request must be there within {PATIENCE:g} seconds")
    try:
        said = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RequestError("a request must be JSON") from error
    if not isinstance(said, dict):
        raise RequestError("a request must be a JSON object")
    return said


def _predicted(asked: Sequence[tuple[Model, Scale]], rows: np.ndarray) -> dict[str, Any]:
    """Return the answers by row and model, None where a model has none, and why, by its name."""
    answers, failed = np.full((len(rows), len(asked)), None), {}
    with one_thread():
        for place, (model, scale) in enumerate(asked):
            try:
                found = model.predict(rows, scale)
                if not np.isfinite(found).all():
                    raise RequestError("it answers with what is no number")
                answers[:, place] = found
            except Exception as error:  # of the user's model: the others answer
                failed[model.name] = words_of(error)
    return {"risks": answers.tolist(), "failed": failed}


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
