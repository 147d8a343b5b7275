"""Turn a settings model into a Typer command: the one place where options are made."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Mapping
from typing import Annotated, Any, TypeVar

import typer
from pydantic import BaseModel

from rsforge import durable
from rsforge.cli.config_files import Entry, entries
from rsforge.cli.dry_run import describe_dry_run
from rsforge.cli.failures import interruption
from rsforge.cli.help import HelpfulCommand, HelpfulGroup
from rsforge.cli.layers import Layers, complete
from rsforge.cli.leaves import Leaf, leaves
from rsforge.cli.output_places import check_names, check_outputs, take_back_empty_folders
from rsforge.cli.resolve import resolve
from rsforge.cli.sources import environment, from_environment, from_sets
from rsforge.cli.terminal import TerminalConsole
from rsforge.cli.tree import COMMAND_LINE, COMMANDS, COMMON, Command, common_options
from rsforge.errors import RsforgeError
from rsforge.process_protocol import exit_folder
from rsforge.settings.sections import DEFAULT, anchor, unset

S = TypeVar("S", bound=BaseModel)


def _common(name: str) -> inspect.Parameter:
    kind, options, text = COMMON[name]
    metavar = {"config": "FILE", "set": "K=V"}.get(name, "")
    info = typer.Option(*options, help=text, metavar=metavar, rich_help_panel="Every command")
    default: Any = False if kind is bool else []
    return inspect.Parameter(
        f"common_{name}", inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _parameter(leaf: Leaf) -> inspect.Parameter:
    """The Typer parameter of one leaf; text throughout, so that the model alone judges values."""
    required = leaf.field.is_required()
    text = _help(leaf)
    default: Any = None if required else leaf.default()
    kind: Any = leaf.kind
    if kind is not bool:
        kind = list[str] if leaf.many else str
        default = [str(v) for v in default or ()] if leaf.many else None if default is None else str(default)
    info = (_argument if leaf.argument else _option)(leaf, text)
    if leaf.argument and not required:
        kind = kind | None
    default = inspect.Parameter.empty if leaf.argument and required else default
    return inspect.Parameter(
        leaf.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info]
    )


def _help(leaf: Leaf) -> str:
    # Aliases are replaced in argv and listed here: Typer would cut a column of long names short.
    others = [*leaf.options[1:], *leaf.flags]
    variable = leaf.variable and f"Also the variable {leaf.variable}."
    notes = [leaf.limits, f"also {', '.join(others)}" if others else ""]
    brackets = [f"[{note}]" for note in notes if note]
    parts = [leaf.field.description, variable, _when_absent(leaf), *brackets]
    return " ".join(p.replace("[", r"\[") for p in parts if p)


def _when_absent(leaf: Leaf) -> str:
    if "absent" in leaf.extra:
        return f"When absent {leaf.extra['absent']}."
    if "made" in leaf.extra:
        return f"When absent {leaf.extra['made']}, which `rsforge {leaf.extra['by']}` makes."
    return "Required." if leaf.field.is_required() and not leaf.argument else ""


def _argument(leaf: Leaf, text: str) -> Any:
    return typer.Argument(help=text, metavar=leaf.name.upper())


def _option(leaf: Leaf, text: str) -> Any:
    if leaf.kind is bool:
        return typer.Option(f"{leaf.option}/--no-{leaf.option[2:]}", help=text, metavar="", rich_help_panel=leaf.panel)
    complete = (lambda: leaf.choices) if leaf.choices else None
    return typer.Option(
        leaf.option,
        help=text,
        metavar=leaf.metavar,
        rich_help_panel=leaf.panel,
        autocompletion=complete,
        show_default="absent" not in leaf.extra,
    )


def command(
    app: typer.Typer,
    path: str,
    model: type[S],
    *,
    writes: bool = False,
    tunable: bool = True,
    group: bool = False,
    method: Callable[[], Any] | None = None,
    inputs: Callable[[Mapping[str, Any]], tuple[Mapping[str, Any], str]] | None = None,
    **extra: Any,
) -> Callable[[Callable[[S, TerminalConsole], Any]], Callable[[S, TerminalConsole], Any]]:
    """Make ``run(settings, console)`` the command ``path`` of ``app``, with one option per leaf of ``model``.

    ``writes`` adds --dry-run; ``tunable`` adds --config, --set and the environment; ``group`` makes it what the
    group ``app`` does when no subcommand is named; ``method`` and ``inputs`` as in ``Command``. Paths reach ``run``
    joined to ``base_dir``.
    """
    spec = COMMANDS[tuple(path.split())] = Command(tuple(path.split()), model, writes, tunable, method, inputs)

    def decorate(run: Callable[[S, TerminalConsole], Any]) -> Callable[[S, TerminalConsole], Any]:
        def call(ctx: typer.Context, **values: Any) -> Any:
            if ctx.invoked_subcommand is not None:
                return None
            settings, console = _read_settings(ctx, spec, values)
            try:
                anchored = anchor(settings)
                check_names(anchored)
                if console.dry_run:
                    check_outputs(anchored)
                with take_back_empty_folders(anchored):
                    result = run(anchored, console)
                return describe_dry_run(result, settings, console) if console.dry_run else result
            except KeyboardInterrupt as error:
                raise interruption(error, console.command) from None

        call.__doc__ = run.__doc__
        call.spec = spec  # type: ignore[attr-defined]
        context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
        params = [context, *map(_parameter, leaves(model).values()), *map(_common, common_options(spec))]
        call.__signature__ = inspect.Signature(params)  # type: ignore[attr-defined]
        call.__annotations__ = {p.name: p.annotation for p in params}
        if group:
            app.callback(invoke_without_command=True, cls=HelpfulGroup, **extra)(call)
        else:
            app.command(spec.path[-1], cls=HelpfulCommand, **extra)(call)
        return run

    return decorate


def _read_settings(ctx: typer.Context, spec: Command, values: dict[str, Any]) -> tuple[Any, TerminalConsole]:
    common = {name: values.pop(f"common_{name}", None) for name in COMMON}
    typed = [Entry((k,), v, "option") for k, v in values.items() if _was_typed(ctx, k)]
    variables = environment() if spec.tunable else {}
    files = [entries(source) for source in common["config"] or ()]
    own = from_environment(spec.model, variables) if spec.tunable else []
    try:
        layers, lines = complete(spec, Layers(files, own, from_sets(common["set"] or ()), typed))
        settings, origins = resolve(spec.model, layers)
        settings = unset(settings, {name for name, origin in origins.items() if origin.startswith(f"{DEFAULT}:")})
    except RsforgeError as error:
        error.fix = error.fix.replace("COMMAND", spec.name)
        raise
    console = TerminalConsole(
        command=shlex.join(["rsforge", *COMMAND_LINE.argv]),
        argv=list(COMMAND_LINE.argv),
        origins=origins,
        dry_run=bool(common["dry_run"]),
        quiet=bool(common["quiet"]),
        follows=COMMAND_LINE.follows,
    )
    durable.warn = console.warn
    if exit_folder() is None:  # a launcher has said them already
        _say_launch(quiet=bool(common["quiet"]))
        for line in lines:
            console.say(line)
    return settings, console


def _say_launch(*, quiet: bool) -> None:
    """What was believed of the environment, in every process: the first may be the one that is waited for."""
    launch = COMMAND_LINE.launch
    if launch is not None and launch.size > 1 and not launch.hosted:
        place = f"rank {launch.rank} of {launch.size} by RANK and WORLD_SIZE"
        meeting = f"all meet at {launch.address}:{launch.port}"
        TerminalConsole(quiet=quiet).say(f"processes  {place}; {meeting}, and each waits for the others")


def _was_typed(ctx: typer.Context, name: str) -> bool:
    source = ctx.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
