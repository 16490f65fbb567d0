# SPDX-License-Identifier: Apache-2.0
"""run.py: ``flashlm run``: continues one text."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from flashlm.cli import options, screen

NAME = "run"
EXAMPLES = options.examples(
    'flashlm run model.flash -p "The moon is"',
    'flashlm run model.flash -p "The moon is" --memory 75% -n 16 --stats',
    'flashlm run model.flash --chat -p "Why is the sky blue?" -n 16',
    'echo "Once upon a time" | flashlm run model.flash -p - -n 16 --json',
)


def main(
    source: options.Source,
    *,
    prompt: Annotated[str, typer.Option("--prompt", "-p", metavar="TEXT", help="The text; - reads it from stdin.")],
    chat: Annotated[bool, typer.Option("--chat", help="Takes the text as a message, and answers it.")] = False,
    memory: options.Memory = "50%",
    context: options.Context = None,
    threads: options.Threads = None,
    reader: options.Reader = "auto",
    selector: options.Selector = "auto",
    policy: options.Policy = "auto",
    window: options.Window = None,
    lock_memory: options.LockMemory = False,
    max_new_tokens: options.MaxNewTokens = 128,
    temperature: options.Temperature = 0.0,
    top_k: options.TopK = 0,
    top_p: options.TopP = 1.0,
    min_p: options.MinP = 0.0,
    repetition_penalty: options.RepetitionPenalty = 1.0,
    seed: options.Seed = 0,
    stop: options.Stop = None,
    json_schema: options.JsonSchema = None,
    stats: Annotated[bool, typer.Option("--stats", help="Ends with tables of memory, bytes and time.")] = False,
    json: options.Json = False,
) -> None:
    """Continues a text, and streams what the model writes."""
    text = sys.stdin.read() if prompt == "-" else prompt
    schema = None if json_schema is None else json_schema.read_text(encoding="utf-8")
    lm = options.open_source(
        source,
        memory=memory,
        context=context,
        threads=threads,
        reader=reader,
        selector=selector,
        policy=policy,
        window=window,
        lock_memory=lock_memory,
    )
    with lm:
        if chat:
            text = lm.chat_template.render([{"role": "user", "content": text}])
        generation = lm.stream(
            text,
            max_new_tokens=max_new_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            stop=stop or (),
            add_special=not chat,
            json_schema=schema,
        )
        if json:
            answer = "".join(generation)
            screen.print_json(
                {
                    "text": answer,
                    "finish_reason": generation.finish_reason,
                    "token_ids": generation.tokens,
                    **lm.stats.to_dict(),
                    "memory_plan": lm.memory_plan.to_dict(),
                }
            )
            return
        try:
            for piece in generation:
                screen.write(piece)
        finally:
            screen.write("\n")
        if stats:
            screen.err.print(screen.plan_table(lm.memory_plan), screen.stats_table(lm.stats), sep="\n")
        else:
            screen.err.print(screen.summary(lm.stats), style="dim")
