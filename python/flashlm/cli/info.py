# SPDX-License-Identifier: Apache-2.0
"""info.py: ``flashlm info``: what a model is, and what it needs."""

from __future__ import annotations

import contextlib
import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from flashlm import _core
from flashlm.choices import check_memory, check_opening
from flashlm.cli import formats, options, screen
from flashlm.home import outlined

NAME = "info"
EXAMPLES = options.examples("flashlm info model.flash", "flashlm info model.flash --memory 75% --json")


def main(
    source: options.Source,
    *,
    memory: Annotated[
        str | None,
        typer.Option("--memory", "-m", metavar="SIZE", help="Tells too where this memory would go."),
    ] = None,
    context: options.Context = None,
    json: options.Json = False,
) -> None:
    """Tells what a model is and the smallest budget that works; with --memory also where the memory would go.

    Nothing is packed for it: of a model that is not packed yet, the headers are read.
    """
    plan = None
    with contextlib.ExitStack() as stack:
        with screen.progress_bar() as progress:
            folder = stack.enter_context(outlined(source, progress))
        check_opening({"context": context})
        if memory is not None:
            plan = _core.LanguageModel.plan(folder, memory=check_memory(memory), context=context)
        facts = {**_facts(folder), "smallest": _smallest(folder, context)}
    facts["packed"] = folder.exists()
    if not folder.exists():  # it was made for this only
        facts["folder"] = source
    if json:
        screen.print_json(facts if plan is None else {**facts, "memory_plan": plan.to_dict()})
        return
    screen.out.print(_table(facts))
    if plan is not None:
        screen.out.print(screen.plan_table(plan, f"Where the memory goes at --memory {memory}"))


def _smallest(folder: Path, context: int | None) -> int:
    """The smallest budget in bytes."""
    return _core.LanguageModel.plan(folder, memory="100%", context=context).smallest


def _facts(folder: Path) -> dict[str, Any]:
    """What the manifest and the config say, by the names that flashlm uses."""
    manifest = json_module.loads(_core.read_manifest(folder))
    config = json_module.loads((folder / "config.json").read_text(encoding="utf-8"))
    layers = manifest["layers"]
    return {
        "folder": str(folder),
        "architecture": manifest["architecture"],
        "dtype": manifest["dtype"],
        "tensor_dtypes": formats.tensor_dtypes(folder, manifest),
        "bytes": sum(file["bytes"] for file in manifest["files"]),
        "n_layers": len(layers),
        "dim": config["hidden_size"],
        "hidden_dim": manifest["layers"][0]["neurons"],
        "n_heads": config["num_attention_heads"],
        "n_kv_heads": config.get("num_key_value_heads", config["num_attention_heads"]),
        "vocab_size": config["vocab_size"],
        "max_context": config["max_position_embeddings"],
        "neurons_per_bundle": layers[0]["neurons_per_bundle"],
        "bundle_bytes": layers[0]["stride"],
        "selector": layers[0]["selector"],
        "placement": layers[0]["placement"],
        "source": manifest["source"],
    }


def _table(facts: dict[str, Any]) -> Table:
    source = facts["source"]
    when = "" if facts["packed"] else " when packed"
    rows = {
        "architecture": f"{facts['architecture']}, {facts['n_layers']} layers",
        "sizes": f"dim {facts['dim']}, hidden dim {facts['hidden_dim']}, vocabulary {facts['vocab_size']}",
        "attention": f"{facts['n_heads']} heads, {facts['n_kv_heads']} for keys and values",
        "longest context": f"{facts['max_context']} tokens",
        "numbers": f"{_core.format_bytes(facts['bytes'])} in all{when}, {formats.one_line(facts['tensor_dtypes'])}",
        "bundles": f"{facts['neurons_per_bundle']} neurons, {_core.format_bytes(facts['bundle_bytes'])} each",
        "selector": facts["selector"],
        "smallest budget": _core.format_bytes(facts["smallest"]),
        "packed from": f"{source.get('name', '?')} ({source.get('kind', '?')})",
    }
    if types := source.get("tensor_types"):
        rows["its tensors"] = ", ".join(f"{count} {name}" for name, count in types.items())
    if errors := source.get("rounding_error"):
        rows["rounding error"] = f"relative RMS up to {max(errors.values()):.2g}"
    table = Table(title=facts["folder"], title_justify="left", title_style="bold", show_header=False)
    for name, value in rows.items():
        table.add_row(name, value)
    return table
