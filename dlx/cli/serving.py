"""`dlx serve`: the workbench on this machine, in the browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated, Any

import typer

from dlx.cli.options import (
    Background,
    Checkpoints,
    Device,
    Seed,
    Table,
    ToldClass,
    ToldModels,
    TrainedOn,
    Trust,
    known_models,
    opened,
)

MOST_PEOPLE = 100_000  # who can be looked up

People = Annotated[str, typer.Option(help="Whom can be looked up: all test rows, so many of them, or those of a file.")]
Host = Annotated[
    str, typer.Option(help="Address to listen at. Another than this machine's own lets others in, with the token.")
]


def serve(
    table: Table,
    model: ToldModels = None,
    level: ToldClass = None,
    trust: Trust = None,
    trained_on: TrainedOn = None,
    people: People = str(MOST_PEOPLE),
    background: Background = 100,
    seed: Seed = 0,
    device: Device = "auto",
    checkpoints: Checkpoints = None,
    host: Host = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen at; any free one by default.", min=0, max=65_535)] = 0,
    browser: Annotated[bool, typer.Option(help="Open the browser.")] = True,
) -> None:
    """Look anybody up, change anything, and see what every model says and why; in the browser, from this machine.

    What people's rows say stays in this process; it ends with Ctrl-C.

    Example: `dlx serve bank_loan`
    """
    from dlx.checkpoint import obtain
    from dlx.context import RunContext, default_models
    from dlx.dataset import refuse_other_tasks
    from dlx.progress import Narrator
    from dlx.reporting import case_of_page
    from dlx.reporting.glossary import glossary_data
    from dlx.workbench.serving import serve as serve_

    named, narrator = known_models(model), Narrator()
    data = case_of_page(table.data, level, narrator)
    refuse_other_tasks(data, "the workbench", serves=("binary", "regression"))
    found = [opened(name, data, trust, trained_on) for name in named or default_models(data)]
    options: dict[str, Any] = {"retrain": False, "device": device, "checkpoints": checkpoints, "narrator": narrator}
    models = [(obtain(data, one, seed=seed, **options) if isinstance(one, str) else one).on(device) for one in found]
    context = RunContext.of(data, models, seed=seed, people=1, background=background, narrator=narrator)

    def ready(address: str) -> None:
        narrator.say("The address holds a token: whoever has it can read these people's rows. Ctrl-C ends it.")
        print(address, flush=True)
        if browser:
            webbrowser.open(address)

    serve_(context, table.people(data, people), host=host, port=port, ready=ready, words=glossary_data())
