"""The `dlx` command: the words of the Python surface, typed in a terminal."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from dlx.cli.fixing import fix
from dlx.cli.options import (
    ENGINE,
    OWN_MODELS,
    PEOPLE,
    Background,
    Checkpoints,
    Debug,
    Device,
    Into,
    OneClass,
    Output,
    PeopleInPage,
    Seed,
    Strict,
    Table,
    Thorough,
    ToldClass,
    ToldModels,
    TrainedOn,
    Trust,
    WithAudit,
    WithKeys,
    by_name,
    kept_below,
    known_models,
    loaded,
    one_class,
    opened,
    with_shared_options,
    writable,
)
from dlx.cli.printing import (
    list_cases,
    list_methods,
    list_models,
    print_agreement,
    print_check,
    print_importance,
    print_metrics,
    print_sizes,
    sign_of_life,
)
from dlx.cli.serving import serve
from dlx.errors import BugError, DlxError, did_you_mean, one_line

TO_DECIDE, FAULT, MISTAKE, INTERRUPTED = 1, 1, 2, 130

app = typer.Typer(
    name="dlx",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="""Why does a tabular model say what it says, and do the methods that explain it agree?

    Start with `dlx report bank_loan`: it explains neural nets and trees by captum, shap and lime, and writes one page.

    A CASE is one of the tables that dlx ships (`dlx list cases`), or your own with `--target`: .csv, .tsv, .xlsx, .parquet.
    """,
    epilog="A mistake ends with status 2 and one line that says what to do; `--debug`, anywhere, shows the traceback.",
)


def _show_version(asked: bool) -> None:
    if asked:
        from dlx import __version__

        print(f"dlx {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
    debug: Debug = False,
) -> None:
    """Take the options that stand before a command."""


def _command(name: str | None = None, kind: type[Strict] = Strict) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return what makes a function the command of its name."""
    return lambda function: app.command(name, cls=kind)(with_shared_options(function))


@_command("list")
def list_(what: Annotated[str, typer.Argument(help="cases, models or methods; all three if left out.")] = "all") -> None:
    """List the cases, the models and the methods that there are.

    Example: `dlx list methods`
    """
    kinds = {"cases": list_cases, "models": list_models, "methods": list_methods}
    if what not in (*kinds, "all"):
        raise DlxError(f"dlx list takes cases, models or methods, got {what!r}{did_you_mean(what, kinds)}")
    for kind, show in kinds.items():
        if what in (kind, "all"):
            show()


@_command()
def check(
    table: Table,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help=f"{OWN_MODELS} Repeat; none by default.")] = None,
    trust: Trust = None,
    seed: Seed = 0,
    checkpoints: Checkpoints = None,
) -> None:
    """Check a table before any page: what each column was taken for, and what a person must decide or should know.

    Ends with status 1 if there is something to decide: what a person has decided stands in the schema, under `[accepted]`. With
    models it finds the cells that alone move what they predict.

    Example: `dlx check loans.csv --target default --model mine.py:model`
    """
    from dlx.data_check import check as check_

    named = known_models(model)
    kept_below(checkpoints)
    data = table.read
    found = check_(data, models=[loaded(name, data, trust, seed=seed, checkpoints=checkpoints) for name in named])
    print_check(found)
    if found.to_decide:
        raise typer.Exit(TO_DECIDE)


@_command()
def train(
    table: Table,
    model: Annotated[list[str], typer.Option("--model", "-m", help="Model to train; repeat for several.")],
    seed: Seed = 0,
    device: Device = "auto",
    checkpoints: Checkpoints = None,
    retrain: Annotated[bool, typer.Option(help="Train anew even if there is a checkpoint.")] = False,
    logger: Annotated[str | None, typer.Option(help="Whom to tell the losses: tensorboard (./logs) or mlflow.")] = None,
) -> None:
    """Train models on a case and keep them as checkpoints.

    Example: `dlx train heart_attack --model mlp --model gradient_boosting`
    """
    from dlx import checkpoint
    from dlx.progress import Narrator
    from dlx.training import check_task, logger_of

    known_models(model, task="train")
    writable(checkpoints or checkpoint.ROOT, "pass another --checkpoints")
    asked: dict[str, Any] = {"seed": seed, "retrain": retrain, "device": device, "checkpoints": checkpoints}
    data, narrator = table.data, Narrator()
    for name in model:
        check_task(data, name)
    loggers = {name: logger_of(logger, data.name, name) for name in model} if logger is not None else {}
    for name in model:
        checkpoint.train(data, name, logger=loggers.get(name), narrator=narrator, **asked)
        path = checkpoint.folder(data.name, name, seed=seed, checkpoints=checkpoints or checkpoint.ROOT)
        print_metrics(name, checkpoint.describe(path)["metrics"])
        print(path)


@_command()
def explain(
    table: Table,
    model: Annotated[str, typer.Option("--model", "-m", help=OWN_MODELS)],
    method: Annotated[str, typer.Option(help="How to explain it, see `dlx list methods`.")],
    level: OneClass = None,
    people: Annotated[str, typer.Option(help=PEOPLE)] = "200",
    scale: Annotated[str | None, typer.Option(help="logit or probability; by default that on which the model adds up.")] = None,
    background: Background = 100,
    option: Annotated[list[str] | None, typer.Option(help="An option of the method, name=number, as n_steps=100.")] = None,
    trust: Trust = None,
    implementation: Annotated[str, typer.Option(help="dlx: our kernel where there is one; reference: the library's.")] = "dlx",
    seed: Seed = 0,
    engine: Annotated[str, typer.Option(help=ENGINE)] = "local",
    device: Device = "auto",
    output: Output = None,
    checkpoints: Checkpoints = None,
) -> None:
    """Explain a model by one method; writes the explanation, and a table of it as CSV.

    Example: `dlx explain bank_loan --model mlp --method deeplift`

    A folder of .parquet files, or one of more than 65,536 rows, is explained in fragments, on all cores, in little memory; a
    run that was stopped goes on: `dlx explain bank_loan --people applications/ --model mlp --method deeplift --output why/`
    """
    from dlx import bulk, explainers
    from dlx.files import csv_text, file_name, write_together
    from dlx.progress import Narrator
    from dlx.runner import explain as explain_

    label, form = explainers.method(method).LABEL, "name=number, for example n_steps=100"
    options = by_name(option, "--option", "=", lambda text: (int if text.lstrip("-").isdigit() else float)(text), form)
    if engine != bulk.LOCAL and not bulk.is_bulk(people):
        raise DlxError(f"--engine {engine} takes people in fragments: --people is a folder of .parquet files, or a large one")
    kept_below(checkpoints)
    known_models([model])
    data = one_class(table.data, level)
    folder = writable(output or Path(data.name))
    trained = loaded(model, data, trust, seed=seed, checkpoints=checkpoints)
    asked: dict[str, Any] = {"method": method, "seed": seed, "implementation": implementation, "device": device}
    asked |= {"background": data.background(background, seed=seed), "scale": scale or trained.scales[0]}
    stem = f"{file_name(trained.name)}-{method}-{asked['scale']}-{seed}"
    stem += f"-{file_name(level)}" if level is not None else ""
    if bulk.is_bulk(people):
        asked |= {"engine": engine, "narrator": Narrator()}
        told = bulk.explain(trained, people, output=folder / stem, **asked, **options)["summary"]
        print_sizes(trained.name, f"{asked['scale']} of {trained.target}", told["rows"], told["importance"])
        print(folder / stem)
        return
    with Narrator().step(f"Explaining {trained.name} by {label}", "people") as update:
        made = explain_(trained, table.people(data, people), progress=update, **asked, **options)
    path = folder / f"{stem}.safetensors"
    write_together({path: made.packed(), folder / f"{stem}.csv": csv_text(made.to_frame())})
    print_importance(made)
    print(path)


@_command()
def compare(
    files: Annotated[list[Path], typer.Argument(help="Explanations that `dlx explain` wrote.", show_default=False)],
    top: Annotated[int, typer.Option(help="How many columns count as the most important.", min=1)] = 5,
    output: Annotated[Path, typer.Option(help="Folder for the tables.")] = Path("comparison"),
) -> None:
    """Compare explanations of the same people: how far they agree, and what matters by each.

    Example: `dlx compare bank_loan/mlp-deeplift-logit-0.safetensors bank_loan/mlp-lime-logit-0.safetensors`
    """
    from dlx.comparison import compare as compare_
    from dlx.explanation import Explanation
    from dlx.files import csv_text, write_together

    writable(output)
    compared = compare_([Explanation.load(path) for path in files])
    agreement = compared.agreement(top)
    tables = {
        "agreement": agreement,
        "agreement_by_person": compared.agreement_by_row(top),
        "importance": compared.importance(),
    }
    write_together({output / f"{name}.csv": csv_text(table) for name, table in tables.items()})
    print_agreement(agreement)
    print(output)


@_command()
def report(
    table: Table,
    model: ToldModels = None,
    level: ToldClass = None,
    into: Into = None,
    trust: Trust = None,
    trained_on: TrainedOn = None,
    people: Annotated[int, typer.Option(help="Test rows for the fast methods; fewer of many columns.", min=1)] = 200,
    background: Background = 100,
    seed: Seed = 0,
    audit: WithAudit = True,
    thorough: Thorough = False,
    people_in_page: PeopleInPage = None,
    retrain: Annotated[bool, typer.Option(help="Train the models anew instead of taking checkpoints.")] = False,
    device: Device = "auto",
    checkpoints: Checkpoints = None,
    output: Output = None,
) -> None:
    """Write the comparison report: one page that opens from disk, with its tables as CSV beside it.

    An interrupted report goes on where it stopped: finished explanations are kept.

    Example: `dlx report heart_attack`
    """
    more = {"people": people, "audit": audit, "retrain": retrain, "people_in_page": people_in_page}
    asked = {"seed": seed, "background": background, "thorough": thorough, "device": device, "into": into, **more}
    _print_page("report", table, model, level, output, (trust, trained_on), checkpoints=checkpoints, **asked)


@_command()
def audit(
    table: Table,
    model: Annotated[list[str] | None, typer.Option("--model", "-m", help=f"{OWN_MODELS} Repeat; four by default.")] = None,
    level: ToldClass = None,
    into: Into = None,
    trust: Trust = None,
    trained_on: TrainedOn = None,
    background: Background = 100,
    seed: Seed = 0,
    thorough: Annotated[bool, typer.Option(help="Repeat what is random more often.")] = False,
    device: Device = "auto",
    checkpoints: Checkpoints = None,
    output: Output = None,
) -> None:
    """Write the audit: where the models err, whom they treat unfairly, what would change it, how explanations are fooled.

    Example: `dlx audit bank_loan`
    """
    asked = {"seed": seed, "background": background, "thorough": thorough, "device": device, "into": into}
    _print_page("audit", table, model, level, output, (trust, trained_on), checkpoints=checkpoints, **asked)


def _print_page(
    kind: str,
    table: Table,
    model: list[str] | None,
    level: str | None,
    output: Path | None,
    seen: tuple[list[str] | None, str | None],
    *,
    checkpoints: Path | None,
    **asked: Any,
) -> None:
    """Write the page of a command, and print where it is."""
    named = known_models(model)
    kept_below(checkpoints)
    from dlx import reporting
    from dlx.progress import Narrator

    data = reporting.case_of_page(table.data, level, Narrator())
    page = writable(output or Path(data.name)) / reporting.page_of(kind, level)
    models = [opened(name, data, *seen) for name in named] or None
    write = {"report": reporting.report, "audit": reporting.audit_report}[kind]
    command = shlex.join(["dlx", *sys.argv[1:]])
    print(write(data, models=models, path=page, checkpoints=checkpoints, command=command, **asked))


_command()(fix)
_command()(serve)


@_command(kind=WithKeys)
def schema(
    table: Table,
    file: Annotated[Path | None, typer.Option("--output", "-o", help="File to write; printed if left out.")] = None,
) -> None:
    """Write what dlx takes the columns of a table for, as a TOML file to edit and to pass back as `--schema`.

    What was guessed is marked so.

    Example: `dlx schema loans.csv --target default -o loans.toml`
    """
    from dlx.dataset import schema_text
    from dlx.files import write_atomically

    if file is not None and file.exists():
        raise DlxError(f"{file} is there already, and may have been edited; pass another --output, or remove it")
    if file is not None:
        writable(file.parent)
    data = table.data
    text = schema_text(data, command=shlex.join(["dlx", *sys.argv[1:]]), stated=table.stated)
    if file is None:
        print(text, end="")
    else:
        write_atomically(file, text)
        print(file)


def main() -> None:
    """Run the command line: a mistake ends with one line and status 2, an interrupt with status 130."""
    line = ""
    try:
        with sign_of_life():
            status = app(prog_name="dlx", standalone_mode=False)
        if status == INTERRUPTED:  # what typer makes of a KeyboardInterrupt
            line = "dlx: interrupted; what was finished is kept, and the same command goes on from there"
    except typer.TyperException as error:  # an option that does not exist, an argument that is lacking
        context, status = getattr(error, "ctx", None), MISTAKE
        if message := error.format_message():
            line = f"dlx: {one_line(message).rstrip('.')}; see {context.command_path if context else 'dlx'} --help"
        elif context:  # `dlx` alone
            line = context.get_help()
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        told, status = _told(error)
        line = f"dlx: {told}"
    if line:
        print(line, file=sys.stderr)
    sys.exit(status or 0)


def _told(error: Exception) -> tuple[str, int]:
    """Return an error as the line that is said of it, and the status that it ends with."""
    if isinstance(error, DlxError):
        return one_line(error), MISTAKE
    if isinstance(error, OSError):
        return f"{error.strerror or error}: {error.filename or ''}".rstrip(": "), MISTAKE
    step = next((f"the step “{note}”" for note in getattr(error, "__notes__", ())), "the command")
    return str(error if isinstance(error, BugError) else BugError(step, error)), FAULT
