"""The entry point: global options, and the edge where every error becomes words and a code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, NoReturn

import click

from mainspring import __version__
from mainspring.cli import faults
from mainspring.cli.lazy import LazyGroup
from mainspring.errors import MainspringError


class Root(LazyGroup):
    """The command itself. Running it always ends in `SystemExit` with one of the exit codes."""

    def main(self, *args: Any, **extra: Any) -> Any:
        typed = args[0] if args and args[0] is not None else extra.get("args") or sys.argv[1:]
        group = next((word for word in typed if not word.startswith("-")), "")
        try:
            code = super().main(*args, **extra | {"standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as problem:
            click.echo(problem.format_message())
            code = 0
        except click.ClickException as problem:
            faults.tell_usage(problem)
            code = faults.USAGE
        except _interruptions():
            code = faults.INTERRUPTED
        except BrokenPipeError:
            # the reader (head, less) has gone; nothing more can be written, not even at exit
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except MainspringError as error:
            faults.tell(error, group)
            code = faults.exit_code(error)
        except Exception as error:  # noqa: BLE001 - the edge: people see words, never our traceback
            code = _unexpected(error)
        sys.exit(code if isinstance(code, int) else 0)


def _interruptions() -> tuple[type[BaseException], ...]:
    """With what an event loop raises, if one was loaded: it is half of what `--help` takes."""
    found: tuple[type[BaseException], ...] = (click.Abort, KeyboardInterrupt)
    loaded = sys.modules.get("asyncio")
    return found if loaded is None else (*found, loaded.CancelledError)


def _unexpected(error: Exception) -> int:
    if os.environ.get("MAINSPRING_DEBUG"):
        traceback.print_exception(error)
    else:
        faults.say(
            f"Unexpected {type(error).__name__}: {str(error) or 'no text'}",
            "This is a bug in mainspring; please report it with the traceback.",
            "the same command with --debug after `mainspring`, which shows the traceback",
        )
    return faults.UNEXPECTED


def _debug(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        os.environ["MAINSPRING_DEBUG"] = "1"  # child processes say more as well


@click.group(
    cls=Root,
    help="Durable background jobs: write a function, put @task on it, and it runs to its end.",
    epilog="First steps: mainspring init, then mainspring dev.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, "-V", "--version", message="mainspring %(version)s")
@click.option(
    "--debug",
    is_flag=True,
    expose_value=False,
    callback=_debug,
    help="Show the traceback of an unexpected error. Environment: MAINSPRING_DEBUG.",
)
def root() -> None:
    """Run the command given on the command line."""


def main() -> NoReturn:
    """What `mainspring` on the command line calls."""
    root.main(prog_name="mainspring")
    raise AssertionError("Root.main always exits")
