"""The command ``hms``: what it knows, and how it fails.

Nothing heavy is imported before a command runs: ``hms --help`` must answer at once.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from hybrid_ml_scheduler import __version__
from hybrid_ml_scheduler.cli import (
    bench,
    compare,
    db,
    explain,
    fill,
    keys,
    models,
    policies,
    profile,
    serve,
    simulate,
    testing,
    train,
    users,
    workload,
)
from hybrid_ml_scheduler.cli.environment import set_cache_folders
from hybrid_ml_scheduler.core.errors import HmsError

INTERRUPTED = 130
"""Exit code after Ctrl-C: 128 + SIGINT, as shells count."""
READER_GONE = 141
"""Exit code when the reader of our output has gone: 128 + SIGPIPE."""

app = typer.Typer(
    name="hms",
    help="Compare scheduling policies on real and generated workloads.",
    epilog="Start here: hms compare steady",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
app.command("compare", short_help="Compare policies: same tasks, same noise, same cluster.")(compare.compare)
app.command("simulate", short_help="Run one policy and write its schedule.")(simulate.simulate)
app.command("explain", short_help="Show why a task was placed where it was.")(explain.explain)
app.command("fill", short_help="Fill a GPU cluster under placement policies.")(fill.fill)
app.command("policies", short_help="List the policies, with references.")(policies.policies)
app.add_typer(workload.app, name="workload")
app.add_typer(models.app, name="models")
app.add_typer(db.app, name="db")
app.add_typer(keys.app, name="keys")
app.add_typer(users.app, name="users")
app.command("serve", short_help="Run the service: a continuous run, its API and its live stream.")(serve.serve)
app.command("train", short_help="Train a learned policy: a model, stored as its next version.")(train.train)
app.command("profile", short_help="Measure this machine: a cluster file and kernel times.")(profile.profile)
app.command("bench", short_help="Measure speed on this machine, next to the targets.")(bench.bench)
app.command("test", short_help="Run linters, types, layers and tests.", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    testing.run_checks
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"hms {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")] = False,
) -> None:
    """Compare scheduling policies on real and generated workloads."""
    if context.invoked_subcommand is None and not version:
        typer.echo(context.get_help())


def run(arguments: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        What follows ``hms`` on the command line.

    Returns
    -------
    int
        Exit code: 0, or that of the error. Errors that we expect are one line on standard error; any other is our own defect and is raised.
    """
    try:
        result = app(args=list(arguments), prog_name="hms", standalone_mode=False)
        sys.stdout.flush()
    except typer.TyperException as error:
        context = getattr(error, "ctx", None)
        _complain(f"{error.format_message().rstrip('.')} (see '{context.command_path if context else 'hms'} --help')")
        return error.exit_code
    except HmsError as error:
        _complain(str(error))
        return error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        result = INTERRUPTED
    except BrokenPipeError:
        # Otherwise the interpreter would try to write what is left when it exits, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return READER_GONE
    if result == INTERRUPTED:
        _complain("interrupted")
    return result if isinstance(result, int) else 0


def _complain(message: str) -> None:
    """Write one line to standard error, whatever stands in the message: names and values out of files may carry control characters."""
    line = " ".join(message.split())
    sys.stderr.write("hms: " + "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line) + "\n")


def main() -> None:
    """Run ``hms`` and leave with its exit code."""
    set_cache_folders()
    sys.exit(run(sys.argv[1:]))
