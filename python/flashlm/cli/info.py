# SPDX-License-Identifier: Apache-2.0
"""info.py: ``flashlm info``: what a model is, and what it needs."""

from __future__ import annotations

import json as json_module
from typing import Any

from rich.table import Table

from flashlm import LanguageModel, _core
from flashlm.cli import options, screen

NAME = "info"
EXAMPLES = options.examples("flashlm info model.flash", "flashlm info model.flash --memory 75% --json")


def main(
    source: options.Source,
    *,
    memory: options.Memory = "50%",
    context: options.Context = None,
    json: options.Json = False,
) -> None:
    """Tells what a model is, how it is packed, and where the memory would go."""
    with screen.progress_bar() as progress:
        lm = LanguageModel.from_pretrained(source, memory=memory, context=context, progress=progress)
    with lm:
        manifest = json_module.loads(_core.read_manifest(str(lm.folder)))
        facts: dict[str, Any] = {
            "folder": str(lm.folder),
            **lm.config,
            "bytes": sum(file["bytes"] for file in manifest["files"]),
            "neurons_per_bundle": manifest["layers"][0]["neurons_per_bundle"],
            "source": manifest["source"],
        }
        if json:
            screen.print_json({**facts, "memory_plan": lm.memory_plan.to_dict()})
            return
        table = Table(title=lm.folder.name, title_justify="left", title_style="bold", show_header=False)
        for name, value in facts.items():
            shown = _core.format_bytes(value) if name == "bytes" else value
            if isinstance(value, dict):
                shown = "\n".join(f"{key}: {item}" for key, item in value.items())
            table.add_row(name.replace("_", " "), str(shown))
        screen.out.print(
            table, screen.plan_table(lm.memory_plan, f"Where the memory goes at --memory {memory}"), sep="\n"
        )
