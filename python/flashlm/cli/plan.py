# SPDX-License-Identifier: Apache-2.0
"""plan.py: ``flashlm plan``: where the memory of a model would go."""

from __future__ import annotations

import flashlm
from flashlm.cli import options, screen

NAME = "plan"
EXAMPLES = options.examples(
    "flashlm plan model.flash",
    "flashlm plan model.flash --memory 75% --context 64 --parallel 2 --json",
)


def main(
    source: options.Source,
    *,
    memory: options.Memory = "auto",
    context: options.Context = None,
    parallel: options.Parallel = 1,
    threads: options.Threads = None,
    selector: options.Selector = "auto",
    policy: options.Policy = "auto",
    window: options.Window = None,
    json: options.Json = False,
) -> None:
    """Tells where the memory of a model would go. Nothing is packed, and no weights are read."""
    plan = flashlm.plan(
        source,
        memory=memory,
        context=context,
        parallel=parallel,
        threads=threads,
        selector=selector,
        policy=policy,
        window=window,
    )
    if json:
        screen.print_json(plan.to_dict())
    else:
        screen.out.print(screen.plan_table(plan, f"Where the memory goes at --memory {memory}"))
