# SPDX-License-Identifier: Apache-2.0
"""Run language models larger than DRAM, straight from flash storage.

import flashlm

lm = flashlm.LanguageModel.from_pretrained("owner/name", memory="50%")
print(lm.generate("The moon is", max_new_tokens=32))
"""

import typing as _typing

from flashlm import _core
from flashlm._core import (
    ArgumentError,
    BudgetError,
    DiskProbe,
    Error,
    FormatError,
    Generation,
    Grammar,
    IoError,
    MemoryPlan,
    ShapeError,
    Stats,
    Tokenizer,
    format_bytes,
    probe,
)
from flashlm.agents import Agent, Step, Tool
from flashlm.language_model import LanguageModel
from flashlm.packing import add_gates, pack, verify
from flashlm.planning import plan
from flashlm.session import Session
from flashlm.training import LayerReport, TrainReport, add_thresholds, train

if _typing.TYPE_CHECKING:
    from flashlm import bench, plot  # noqa: F401 - modules, brought in when they are first used
    from flashlm.chat.chat_template import ChatTemplate

__version__: str = _core.version

__all__ = [
    "Agent",
    "ArgumentError",
    "BudgetError",
    "ChatTemplate",
    "DiskProbe",
    "Error",
    "FormatError",
    "Generation",
    "Grammar",
    "IoError",
    "LanguageModel",
    "LayerReport",
    "MemoryPlan",
    "Session",
    "ShapeError",
    "Stats",
    "Step",
    "Tokenizer",
    "Tool",
    "TrainReport",
    "__version__",
    "add_gates",
    "add_thresholds",
    "format_bytes",
    "pack",
    "plan",
    "probe",
    "train",
    "verify",
]


def _rename(value: object) -> None:
    """Tracebacks and help say flashlm.LanguageModel, where users find it, not its own module."""
    if getattr(value, "__module__", None) is not None:
        value.__module__ = "flashlm"


def __getattr__(name: str) -> _typing.Any:
    """The names that need further imports, brought in when they are first used."""
    if name == "ChatTemplate":
        from flashlm.chat.chat_template import ChatTemplate

        _rename(ChatTemplate)
        globals()[name] = ChatTemplate
        return ChatTemplate
    if name in ("bench", "plot"):
        import importlib

        return importlib.import_module(f"flashlm.{name}")
    raise AttributeError(f"module 'flashlm' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "bench", "plot"})


for _name in __all__:
    if _name in globals() and not _name.startswith("_"):
        _rename(globals()[_name])
del _name
