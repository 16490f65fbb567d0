# SPDX-License-Identifier: Apache-2.0
"""Models that call tools until they know an answer."""

from __future__ import annotations

from flashlm.agents._agent import Agent
from flashlm.agents._step import Step
from flashlm.agents._tool import Tool

__all__ = ["Agent", "Step", "Tool"]
