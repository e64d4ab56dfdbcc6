"""What several commands ask for, and what they make of it."""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from dlx.errors import DlxError, listed

if TYPE_CHECKING:
    from dlx.dataset import Dataset
    from dlx.model import Model

OWN = "A table of your own"
_SPECIAL = re.compile(r"(?P<column>.+)=\s*(?P<code>[-+.\deE]+)\s*:\s*(?P<meaning>.*\S)\s*", re.DOTALL)
Seed = Annotated[int, typer.Option(help="Seed of everything random.", min=0, max=2**32 - 1)]
Device = Annotated[str, typer.Option(help="Where nets compute: cpu, cuda or auto, which takes a GPU that is worth its start.")]
PeopleInPage = Annotated[
    str | None,
    typer.Option(
        help="Whose rows the page may hold, to be looked up and changed in it: 0, nobody's; featured, of those whom it tells "
        "of; all, of the test rows (the default for shipped cases; featured for your own).",
        show_default=False,
    ),
]
Background = Annotated[int, typer.Option(help="Training rows that serve as the reference of every method.", min=1)]
PEOPLE = "How many test rows to explain, a .csv or .parquet file of people, or a folder of .parquet files."
ENGINE = (
    "Who explains a folder of people: local, the cores of this machine; ray, a Ray cluster (pip install 'dlx[ray]'), that of "
    "RAY_ADDRESS or one of these cores; or its address, as ray://host:10001."
)
PLACES = "Folder of trained models, and the only place to look; by default ./checkpoints, then the shipped ones."
Checkpoints = Annotated[Path | None, typer.Option(help=PLACES, show_default=False)]
OWN_MODELS = (
    "Model: one of `dlx list models`, or your own: file.py:object or package.module:object, whose code is run; .onnx; .json or "
    ".ubj of XGBoost, .txt of LightGBM, .cbm of CatBoost; .skops; Lightning's weights.ckpt:file.py:Class."
)
ToldModels = Annotated[list[str] | None, typer.Option("--model", "-m", help=f"{OWN_MODELS} Repeat; seven of ours by default.")]
Trust = Annotated[list[str] | None, typer.Option(help="A type that a .skops file may hold, beside those skops trusts; repeat.")]
TrainedOn = Annotated[
    str | None,
    typer.Option(help="What models of your own were trained on: train, the training rows of the split; or a file of rows."),
]
WithAudit = Annotated[bool, typer.Option(help="Tell also where models err, are unfair, what would help: twice the time.")]
Thorough = Annotated[
    bool,
    typer.Option(
        help="Measure it all: noise floors, causes of disagreement, training seeds, faithfulness. Takes many minutes; "
        "a report writes its quick page first."
    ),
]
Into = Annotated[
    str | None,
    typer.Option(
        "--range",
        "--into",
        metavar="LOW:HIGH|LEVEL",
        help="Where people want to be predicted: of a value a range, as :150 or 100:150; of several classes another class.",
    ),
]
OneClass = Annotated[str | None, typer.Option("--class", metavar="LEVEL", help="Which of several classes is explained.")]
ToldClass = Annotated[
    str | None,
    typer.Option("--class", metavar="LEVEL", help="Which of several classes it tells of; the most frequent by default."),
]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of a mistake or a fault.")]
Output = Annotated[Path | None, typer.Option(help="Folder to write to; named after the case by default.")]


def _own(help_: str) -> Any:
    return typer.Option(help=help_, rich_help_panel=OWN)


@dataclass(frozen=True)
class Table:
    """A shipped case, or a table of one's own with what says how to read it."""

    case: Annotated[str, typer.Argument(help="A shipped case, or a table: .csv, .tsv, .xlsx, .parquet.", show_default=False)]
    target: Annotated[str | None, _own("Column to predict.")] = None
    positive: Annotated[str | None, _own("The outcome that counts as positive.")] = None
    schema: Annotated[Path | None, _own("TOML file that describes the columns.")] = None
    name: Annotated[str | None, _own("Name of the case and of its folders; the file's by default.")] = None
    delimiter: Annotated[str | None, _own("What separates the fields: comma, semicolon, tab, pipe or a character.")] = None
    encoding: Annotated[str | None, _own("How the text is encoded, for example cp1252.")] = None
    missing: Annotated[list[str] | None, _own("A text that means missing; repeat; '' for the empty cell alone.")] = None
    keep: Annotated[list[str] | None, _own("A column that is a feature, although it looks like an id; repeat.")] = None
    categorical: Annotated[list[str] | None, _own("A column whose numbers are levels; repeat for several.")] = None
    drop: Annotated[list[str] | None, _own("A column that is no feature; repeat.")] = None
    id: Annotated[list[str] | None, _own("A column that tells cases apart, and is no feature; repeat.")] = None
    special: Annotated[list[str] | None, _own("A code that is no number: COLUMN=CODE:meaning; repeat.")] = None
    protected: Annotated[list[str] | None, _own("A column that the law protects; repeat.")] = None
    weights: Annotated[str | None, _own("The column that says how much each row counts.")] = None
    split: Annotated[str | None, _own("What is tested on: random, time:COLUMN, group:COLUMN or column:COLUMN.")] = None
    test: Annotated[Path | None, _own("A file of its own with the test rows.")] = None

    has_own_folder: bool = False  # for what is made of it: no --output was given

    @functools.cached_property
    def data(self) -> Dataset:
        """The case, told where it is not plainly what it is."""
        return _told(self.read) if self.read.source else self.read

    @functools.cached_property
    def read(self) -> Dataset:
        """The case; an error where options do not belong to it."""
        from dlx import cases
        from dlx.dataset import read_table, refuse_claimed

        case = self.case
        if case not in cases.names() and Path(case).suffixes:
            names = ("target", "positive", "schema", "name", "split", "test", "weights")
            whole: dict[str, Any] = {name: getattr(self, name) for name in names}
            for name in ("keep", "categorical", "drop", "protected"):
                whole[name] = distinct(getattr(self, name), f"--{name}")
            whole |= {"ids": distinct(self.id, "--id"), "special": _meanings(self.special)}
            data = read_table(case, **whole, **self._text)
            if self.has_own_folder:
                refuse_claimed(data.name, data, "pass --output, or another --name")
            return data
        data = cases.load(case)
        if given := [f"--{name}" for name, value in vars(self).items() if name not in ("case", "has_own_folder") and value]:
            raise DlxError(
                f"{', '.join(given)}: options like --target and --schema describe a table of your own, but {case} is shipped"
            )
        return data

    @property
    def stated(self) -> dict[str, set[str]] | None:
        """The keys of a schema that the options state, by column; None where a schema says all."""
        if self.schema is not None or self.data.source == "":
            return None
        found: dict[str, set[str]] = {str(self.target): {"levels"} if self.positive is not None else set()}
        for key, names in {"kind": self.categorical, "protected": self.protected, "special": _meanings(self.special)}.items():
            for name in names or ():
                found.setdefault(name, set()).add(key)
        return found

    def people(self, data: Dataset, people: str) -> Dataset:
        """Return the first test rows, if people is a number, or else those of a file."""
        from dlx.dataset import read_people

        if people.isdecimal() and int(people):
            return data.test[: int(people)]
        if people.isdecimal() or not Path(people).suffixes:
            raise DlxError(f"--people takes a number from 1 on, or a .csv or .parquet file, got {people!r}")
        return _told(read_people(people, data, **self._text))

    @property
    def _text(self) -> dict[str, Any]:
        return {"delimiter": self.delimiter, "encoding": self.encoding, "missing": self.missing}


def with_shared_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with --debug, which `main` looks for, and with the options of a `Table` in place of its `table`."""
    own = inspect.signature(command, eval_str=True).parameters
    every = [*inspect.signature(Table, eval_str=True).parameters.values()][:-1] if "table" in own else []
    of_table = [option for option in every if option.name not in own]  # dlx fix leaves columns out in its own way

    @functools.wraps(command)
    def typed(**given: Any) -> None:
        from dlx.dataset import claim

        del given["debug"]
        asked = {option.name: given.pop(option.name) for option in of_table}
        if not of_table:
            return command(**given)
        table = Table(**asked, has_own_folder=given.get("output", "") is None)
        command(table=table, **given)
        if table.has_own_folder:
            claim(table.data.name, table.data)

    debug = inspect.Parameter("debug", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Debug)
    first, *others = [*of_table[:1], *(option for option in own.values() if option.name != "table"), *of_table[1:], debug]
    after = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in others]
    typed.__dict__["__signature__"] = inspect.Signature([first, *after])
    typed.__annotations__ = {option.name: option.annotation for option in (first, *others)}
    return typed


class Strict(TyperCommand):
    """A command whose options are given once, unless they may be repeated: none is overruled in silence."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Return what is left of the arguments, or raise if an option that is taken once was given again."""
        _, _, given = self.make_parser(ctx).parse_args(args=list(args))
        for option in given:
            if not option.multiple and option.nargs == 1 and given.count(option) > 1:
                name = max((*option.opts, *option.secondary_opts), key=len)
                ctx.fail(f"{name} is taken once, but given {given.count(option)} times")
        return super().parse_args(ctx, args)


class WithKeys(Strict):
    """A command whose help lists the keys of a schema file."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help, then each key with its type and what it says."""
        from dlx.cli.printing import print_keys
        from dlx.dataset.writing import keys

        super().format_help(ctx, formatter)
        print_keys(keys())


def distinct(values: Iterable[str] | None, option: str) -> list[str]:
    """Return the values of an option that may be repeated, or raise if one of them is."""
    values = list(values or ())
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice is not None:
        raise DlxError(f"{option} {twice} is given {values.count(twice)} times; leave out all but one")
    return values


def one_class(case: Dataset, level: str | None) -> Dataset:
    """Return a case, of several classes the one that was asked for; raise where nobody said which."""
    target = case.schema.target
    if level is None and target.kind == "multiclass":
        raise DlxError(
            f"{target.name!r} has {len(target.levels)} classes; say which with --class, one of {listed(target.levels)}"
        )
    return case if level is None else case.of_class(level)


def _meanings(given: Iterable[str] | None) -> dict[str, dict[str, str]]:
    """Return the special values that --special names, by column: codes with what they mean."""
    found: dict[str, dict[str, str]] = {}
    for text in given or ():
        match = _SPECIAL.fullmatch(text)
        if not match:
            raise DlxError(f"--special takes COLUMN=CODE:meaning, for example 'burden=-9:no record', got {text!r}")
        codes = found.setdefault(match["column"], {})
        if match["code"] in codes:
            raise DlxError(f"--special {match['column']}={match['code']} is given more than once; leave out all but one")
        codes[match["code"]] = match["meaning"]
    return found


def by_name(given: Iterable[str] | None, option: str, between: str, value: Callable[[str], Any], form: str) -> dict[str, Any]:
    """Return the values of an option that is given as name=value, by name, or raise if it has no such form or comes twice."""
    found: dict[str, Any] = {}
    for text in given or ():
        name, _, said = text.rpartition(between)
        if name in found:
            raise DlxError(f"{option} {name} is given more than once; leave out all but one")
        try:
            found[name] = value(said)
        except (ValueError, KeyError) as error:
            raise DlxError(f"{option} takes {form}, got {text!r}") from error
    return found


def known_models(names: Iterable[str] | None, *, task: str = "") -> list[str]:
    """Return the models that --model names; raise if there is no such one, or one comes twice.

    A task is what only the architectures of dlx can be asked for: "train".
    """
    from dlx import architectures
    from dlx.model.opening import is_own, refuse_unopenable

    asked = distinct(names, "--model")
    for name in asked:
        if is_own(name) and task:
            raise DlxError(f"dlx can {task} its own models only, {', '.join(architectures.names())}; {name} is yours")
        (refuse_unopenable if is_own(name) else architectures.architecture)(name)
    return asked


def opened(name: str, case: Dataset, trust: Iterable[str] | None, trained_on: str | None = None) -> str | Model:
    """Return a model of the user's own, opened, with the rows that it was trained on; the name of any other.

    Types of a skops file are asked about at a terminal.
    """
    from dlx.model import is_own, open_model
    from dlx.model.model_files import UntrustedError

    if not is_own(name):
        return name
    trusted = list(trust or ())
    try:
        return open_model(name, case, trusted=trusted, trained_on=trained_on)
    except UntrustedError as error:
        listed = "".join(f"\n  {name}" for name in error.types)
        if not sys.stdin.isatty() or not typer.confirm(f"{name} holds types that may run code:{listed}\nTrust them?", err=True):
            raise
        return open_model(name, case, trusted=[*trusted, *error.types], trained_on=trained_on)


def loaded(name: str, case: Dataset, trust: Iterable[str] | None, *, seed: int, checkpoints: Path | None) -> Model:
    """Return a model of the user's own, opened, or a trained one of dlx's."""
    from dlx.checkpoint import load_model

    found = opened(name, case, trust)
    return load_model(case, found, seed=seed, checkpoints=checkpoints) if isinstance(found, str) else found


def writable(folder: Path, remedy: str = "pass another --output") -> Path:
    """Return the folder, or raise before any work is done if results could not be written to it."""
    from dlx.files import refuse_unwritable

    refuse_unwritable(folder, remedy)
    return folder


def _told(data: Dataset) -> Dataset:
    """Return a table that was read, after printing what of it is not plainly what it is."""
    for line in data.reading.lines():
        print(line, file=sys.stderr)
    return data


def kept_below(folder: Path | None) -> None:
    """Raise, before any data are read, if the folder of models that was given is none and cannot be made."""
    if folder is not None and not folder.is_dir():  # one that is there may hold all that is asked for
        writable(folder, "pass another --checkpoints")
