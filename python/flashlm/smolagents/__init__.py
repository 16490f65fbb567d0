# SPDX-License-Identifier: Apache-2.0
"""flashlm.smolagents: a model from flash for smolagents' agents, and tools for papers.

from smolagents import CodeAgent
from flashlm.smolagents import FlashModel, paper_tools

agent = CodeAgent(tools=paper_tools(), model=FlashModel("owner/name"))
agent.run("Summarize today's top paper about LLMs.")
"""

from __future__ import annotations

try:
    import smolagents.models as _models
    from smolagents.models import ChatMessageToolCallStreamDelta as _  # noqa: F401 - since 1.20
except ImportError as error:
    raise ModuleNotFoundError(
        f"[smolagents] import: flashlm.smolagents needs smolagents>=1.20 ({error}). Try: pip "
        f"install 'flashlm[agents]'",
        name="smolagents",
    ) from error

from flashlm.smolagents._messages import flatten_messages
from flashlm.smolagents._model import FlashModel
from flashlm.smolagents._tools import DownloadPaper, ReadPdf, TopDailyPapers, paper_tools

__all__ = [
    "DownloadPaper",
    "FlashModel",
    "ReadPdf",
    "TopDailyPapers",
    "flatten_messages",
    "paper_tools",
]

# Agents that are loaded again look their model's class up there (smolagents 1.25 and later).
if isinstance(registry := getattr(_models, "MODEL_REGISTRY", None), dict):
    registry["FlashModel"] = FlashModel
