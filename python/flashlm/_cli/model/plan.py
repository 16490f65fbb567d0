# SPDX-License-Identifier: Apache-2.0
"""plan.py: ``flashlm plan``: where the memory of a model would go."""

from __future__ import annotations

import inspect
from typing import Any

import flashlm
from flashlm._cli.terminal import options, screen

NAME = "plan"
EXAMPLES = options.examples(
    "flashlm plan model.flash",
    "flashlm plan model.flash --memory 75% --context 64 --parallel 2 --json",
)
_OPTIONS = {**options.OPENING, "parallel": options.Parallel}


@options.takes(
    {
        name: _OPTIONS[name]
        for name in inspect.signature(flashlm.plan).parameters
        if name in _OPTIONS
    }
)
def main(source: options.Source, *, json: options.Json = False, **given: Any) -> None:
    """Tells where the memory of a model would go. Nothing is packed, and no weights are read."""
    plan = flashlm.plan(source, **given)
    if json:
        screen.print_json(plan.to_dict())
    else:
        screen.out.print(
            screen.plan_table(plan, f"Where the memory goes at --memory {given['memory']}")
        )
