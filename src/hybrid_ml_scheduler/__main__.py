"""``python -m hybrid_ml_scheduler``: the server alone, as ``hms serve``."""

from __future__ import annotations

import sys

from hybrid_ml_scheduler.cli.environment import set_cache_folders
from hybrid_ml_scheduler.cli.main import run

if __name__ == "__main__":
    set_cache_folders()
    sys.exit(run(["serve", *sys.argv[1:]]))
