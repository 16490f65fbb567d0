# SPDX-License-Identifier: Apache-2.0
"""conftest.py: where FLASHLM_REQUIRE_LIVE=1 is set, as in CI, a skipped test is a failed test."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns skips into failures; a test that needs rights of the machine may still skip."""
    report = yield
    required = os.environ.get("FLASHLM_REQUIRE_LIVE", "") not in ("", "0")
    if required and report.skipped and item.get_closest_marker("privileged") is None:
        report.outcome = "failed"
        report.longrepr = (
            f"FLASHLM_REQUIRE_LIVE is set, but {item.name} was skipped: {call.excinfo and call.excinfo.value}"
        )
    return report
