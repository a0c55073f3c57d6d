"""``hms serve``: the service."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer


def serve(
    host: Annotated[str | None, typer.Option("--host", metavar="ADDRESS", help="Address [HMS_HOST, else 127.0.0.1].", show_default=False)] = None,
    port: Annotated[int | None, typer.Option("--port", metavar="N", help="Port; 0: any free one [HMS_PORT, else 8000].", show_default=False)] = None,
    data_dir: Annotated[
        Path | None, typer.Option("--data-dir", metavar="DIR", help="Folder for database, journal and models [HMS_DATA_DIR].", show_default=False)
    ] = None,
    no_start: Annotated[bool, typer.Option("--no-start", help="Start no run; one that was interrupted goes on all the same.")] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Let everybody who reaches the address do everything, where there is no key. For networks of your own.")
    ] = False,
    open_browser: Annotated[bool, typer.Option("--open", help="Show the page in a browser, if there is one.")] = False,
) -> None:
    """Run the service: a continuous run, its API and its live stream. Every setting is an HMS_... variable: see .env.example."""
    from hybrid_ml_scheduler.service.server import run
    from hybrid_ml_scheduler.service.settings import ServiceSettings

    given: dict[str, Any] = {name: value for name, value in {"host": host, "port": port, "data_dir": data_dir}.items() if value is not None}
    settings = ServiceSettings.load(**given)
    # Models are kept there too, and who looks for them asks the environment.
    os.environ["HMS_DATA_DIR"] = str(settings.folder)
    run(settings, start=not no_start, open_browser=open_browser, insecure=insecure)
