"""Writes the descriptions that the dashboard's types are generated from: ``python -m hybrid_ml_scheduler.service.describe FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from hybrid_ml_scheduler.service.app import create_app
from hybrid_ml_scheduler.service.messages import stream_document
from hybrid_ml_scheduler.service.settings import ServiceSettings


def documents() -> dict[str, dict[str, Any]]:
    """Return the OpenAPI document of the API and that of the live stream, by name. Nothing is opened for that."""
    return {"api": create_app(ServiceSettings.load()).openapi(), "stream": stream_document()}


def main() -> None:
    """Write one file of JSON per document into the folder that the command line names."""
    folder = Path(sys.argv[1])
    for name, document in documents().items():
        (folder / f"{name}.json").write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
