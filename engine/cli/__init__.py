"""DOOR: the command line. One file per noun; every heavy import stands inside a command.

An error a person can mend is shown as a sentence and its remedy, with the exit code of its kind; a traceback is shown
only with --debug.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from engine import __version__
from engine.cli.opening import Options
from engine.errors import TreuepostError
from engine.interpreter import settle

NOUNS = (
    "init",
    "check",
    "importing",
    "reach",
    "planning",
    "running",
    "logs",
    "preview",
    "send_test",
    "messages",
    "consents",
    "suppress",
    "proof",
    "privacy",
    "wording",
    "stores",
    "audit",
    "doctor",
    "demo",
)
INTERRUPTED = 130
PIPE_CLOSED = 141


class Door(TyperGroup):
    """The outermost command: turns errors into sentences and exit codes."""

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Run the command and end with the exit code of whatever went wrong."""
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort) as stop:
            raise typer.Exit(INTERRUPTED) from stop
        except BrokenPipeError as closed:
            _write_nowhere()
            raise typer.Exit(PIPE_CLOSED) from closed
        except TreuepostError as error:
            raise typer.Exit(_say(error, debug=_debug(ctx))) from error
        except (typer.Exit, TyperException):
            raise
        except Exception as fault:
            if _debug(ctx):
                raise
            raise typer.Exit(_say(_our_fault(fault), debug=False)) from fault


def _say(error: TreuepostError, *, debug: bool) -> int:
    """Print what went wrong and how to mend it; return the exit code."""
    from engine.cli.output import show_error

    if debug:
        traceback.print_exc()
    show_error(error)
    return error.exit_code


def _our_fault(fault: Exception) -> TreuepostError:
    """Return a fault of the program as an error that says so."""
    told = f"{type(fault).__name__}: {fault}"
    return TreuepostError(f"This is a fault in Treuepost, not in your data: {told}", "--debug shows where it happened.")


def _debug(ctx: typer.Context) -> bool:
    return isinstance(ctx.obj, Options) and ctx.obj.debug


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"treuepost {__version__}")
        raise typer.Exit


def build() -> typer.Typer:
    """Return the whole command line."""
    door = typer.Typer(
        cls=Door,
        name="treuepost",
        help="Keeps your existing customers coming back: lawful, personal e-mail on the right day.",
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    door.callback()(_start)
    for noun in NOUNS:
        importlib.import_module(f"engine.cli.{noun}").register(door)
    return door


def _start(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", metavar="FILE", help="The config file (default: ./config.toml).", envvar="TREUEPOST_CONFIG"
        ),
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show a traceback when something goes wrong.")] = False,
    version: Annotated[  # noqa: ARG001  (Typer calls _version)
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    ctx.obj = Options(config=config, debug=debug)


def main() -> None:
    """Run the command line and end the process with its exit code."""
    settle()
    try:
        build()(prog_name="treuepost")
    finally:
        try:
            sys.stdout.flush()  # here, where a closed pipe can still be heard
        except BrokenPipeError:
            _write_nowhere()
            sys.exit(PIPE_CLOSED)


def _write_nowhere() -> None:
    """Let what is still to be printed go nowhere: whoever read it has gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
