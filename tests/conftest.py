"""Settings that all tests share."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# "ci" is the default and repeats the same cases on every machine; "fast" is a tenth of it (./hms test --fast);
# "explore" looks for new ones, by hand:
#     HYPOTHESIS_PROFILE=explore pytest tests/properties
settings.register_profile("ci", derandomize=True, deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fast", settings.get_profile("ci"), max_examples=10)
settings.register_profile("explore", deadline=None, database=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
