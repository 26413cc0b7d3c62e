"""What holds for every test: generated cases are never judged by time, and a failure prints what replays it."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("short", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", settings.get_profile("short"), max_examples=20_000)
settings.load_profile(os.environ.get("TENURE_TESTS", "short"))
