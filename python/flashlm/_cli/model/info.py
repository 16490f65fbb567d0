# SPDX-License-Identifier: Apache-2.0
"""info.py: ``flashlm info``: what a model is, and what it needs."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from flashlm import FormatError, _core
from flashlm._cli.model import formats
from flashlm._cli.model.graph_words import graph_words
from flashlm._cli.terminal import options, screen
from flashlm._engine.opening_options import check_memory, check_opening
from flashlm.home import outlined
from flashlm.packing.detect import headers_of
from flashlm.packing.graph import Graph
from flashlm.packing.graph.tensors import tensors_of
from flashlm.packing.upgrade import manifest_of, upgraded
from flashlm.packing.writer import bytes_by_kind

NAME = "info"
EXAMPLES = options.examples(
    "flashlm info model.flash",
    "flashlm info model.gguf",
    "flashlm info model.flash --memory 75% --json",
)


def main(
    source: options.Source,
    *,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory", "-m", metavar="SIZE", help="Tells too where this memory would go."
        ),
    ] = None,
    context: options.Context = None,
    json: options.Json = False,
) -> None:
    """Tells what a model is, whether it runs, how large it gets, and the smallest budget.

    Nothing is packed for it, and no weights are read: of a model that is not packed yet, the
    headers say it all, those of a hub id too. With --memory also where the memory would go.
    """
    check_opening({"context": context})
    if memory is not None:
        check_memory(memory)
    plan = None
    with contextlib.ExitStack() as stack:
        try:
            with screen.progress_bar() as progress:
                folder = stack.enter_context(outlined(source, progress))
        except FormatError as error:
            refused = headers_of(source)
            if refused is None:
                raise
            _tell_refused(
                {"folder": source, "runs": False, "reason": str(error), **refused}, json=json
            )
            return
        if memory is not None:
            plan = _core.LanguageModel.plan(
                folder, memory=check_memory(memory), context=context, manifest=upgraded(folder)
            )
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
    return _core.LanguageModel.plan(
        folder, memory="100%", context=context, manifest=upgraded(folder)
    ).smallest


def _facts(folder: Path) -> dict[str, Any]:
    """What the manifest says, by the names that flashlm uses."""
    manifest = manifest_of(folder)
    graph, layers = Graph.of_json(manifest["graph"]), manifest["layers"]
    dtypes = formats.tensor_dtypes(folder, manifest)
    layer = layers[0] if layers else {}
    per_bundle = layer.get("neurons_per_bundle")
    return {
        "folder": str(folder),
        "runs": True,
        "family": manifest["family"],
        "graph": graph_words(graph),
        "dtype": manifest["dtype"],
        "tensor_dtypes": dtypes,
        "bytes": sum(file["bytes"] for file in manifest["files"]),
        "bytes_by_kind": bytes_by_kind(tensors_of(graph, folder), dtypes, per_bundle),
        "n_layers": len(graph.layers),
        "dim": graph.dim,
        "hidden_dim": graph.ffn.hidden,
        "n_heads": graph.attention.heads,
        "n_kv_heads": graph.attention.kv_heads,
        "vocab_size": graph.vocab_size,
        "max_context": graph.max_context,
        "neurons_per_bundle": per_bundle,
        "bundle_bytes": layer.get("stride"),
        "selector": layer.get("selector", "dense"),
        "placement": layer.get("placement", "source"),
        "source": manifest["source"],
    }


_KINDS = {
    "rows": "embedding",
    "head": "head",
    "matrix": "attention",
    "neurons": "network",
    "table": "positions",
    "vector": "norms and biases",
}


def _table(facts: dict[str, Any]) -> Table:
    source = facts["source"]
    when = "" if facts["packed"] else " when packed"
    kinds = facts["bytes_by_kind"]
    rows = {
        "runs": f"yes, as {facts['family']}",
        **facts["graph"],
        "numbers": f"{_core.format_bytes(facts['bytes'])} in all{when}, "
        f"{formats.one_line(facts['tensor_dtypes'])}",
        "of these": ", ".join(
            f"{_KINDS[kind]} {_core.format_bytes(kinds[kind])}" for kind in _KINDS if kind in kinds
        ),
        "bundles": "none"
        if facts["neurons_per_bundle"] is None
        else f"{facts['neurons_per_bundle']} neurons, "
        f"{_core.format_bytes(facts['bundle_bytes'])} each",
        "selector": facts["selector"],
        "smallest budget": _core.format_bytes(facts["smallest"]),
        "packed from": f"{source.get('name', '?')} ({source.get('kind', '?')})",
    }
    if types := source.get("tensor_types"):
        rows["its tensors"] = _types(types)
    if errors := source.get("rounding_error"):
        rows["rounding error"] = f"relative RMS up to {max(errors.values()):.2g}"
    return _rows(facts["folder"], rows)


def _tell_refused(facts: dict[str, Any], *, json: bool) -> None:
    """What the headers of a model say that does not run, and why it does not."""
    if json:
        screen.print_json(facts)
        return
    rows = {
        "runs": f"no: {facts['reason']}",
        "architecture": facts["architecture"] or "none is named",
        "weights": f"{_core.format_bytes(facts['bytes'])}, {facts['parameters']:,} numbers",
        "its tensors": _types(facts["tensor_types"]),
    }
    screen.out.print(_rows(facts["folder"], rows))


def _types(types: dict[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in types.items())


def _rows(title: str, rows: dict[str, str]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_header=False)
    for name, value in rows.items():
        table.add_row(name, escape(value))
    return table
