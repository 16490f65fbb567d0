# SPDX-License-Identifier: Apache-2.0
"""conftest.py: where FLASHLM_REQUIRE_LIVE=1 is set, as in CI, live, torch, real and privileged tests must run.

No test fails for want of time: what limits it is a hang, far above what a slow machine needs.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator

import hypothesis
import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns their skips into failures; others may skip, such as those that need an absent compiler."""
    report = yield
    required = os.environ.get("FLASHLM_REQUIRE_LIVE", "") not in ("", "0")
    marked = any(item.get_closest_marker(name) for name in ("live", "torch", "real", "privileged"))
    if required and marked and report.skipped:
        report.outcome = "failed"
        why = call.excinfo and call.excinfo.value
        report.longrepr = f"FLASHLM_REQUIRE_LIVE is set, but {item.name} was skipped: {why}"
    return report


def pytest_configure() -> None:
    """Takes Ctrl-C again where the shell has told it to be ignored, and takes the clock from hypothesis.

    Jobs in the background ignore Ctrl-C. The programs that tests start would inherit that, and
    could not be stopped.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hypothesis.settings.register_profile(
        "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("patient")
