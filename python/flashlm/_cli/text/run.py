# SPDX-License-Identifier: Apache-2.0
"""run.py: ``flashlm run``: continues one text."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from flashlm import ArgumentError, Session
from flashlm._cli.terminal import options, screen
from flashlm._cli.text.saved_talk import Messages, load_messages, open_talk, save_talk

NAME = "run"
EXAMPLES = options.examples(
    'flashlm run model.flash -p "The moon is"',
    'flashlm run model.flash -p "The moon is" --memory 75% -n 16 --stats',
    'flashlm run model.flash --chat -p "Why is the sky blue?" -n 16',
    'flashlm run model.flash --chat -p "Hello" -n 16 --save-session talk.kv',
    'flashlm run model.flash --chat -p "Go on." -n 16 --load-session talk.kv',
    'echo "Once upon a time" | flashlm run model.flash -p - -n 16 --json',
)


@options.takes({**options.OPENING, **options.SAMPLING})
def main(
    source: options.Source,
    *,
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", metavar="TEXT", help="The text; - reads it from stdin.")
    ],
    chat: Annotated[
        bool, typer.Option("--chat", help="Takes the text as a message, and answers it.")
    ] = False,
    max_new_tokens: options.MaxNewTokens = 128,
    json_schema: options.JsonSchema = None,
    load_session: options.LoadSession = None,
    save_session: options.SaveSession = None,
    stats: Annotated[
        bool, typer.Option("--stats", help="Ends with tables of memory, bytes and time.")
    ] = False,
    json: options.Json = False,
    **given: Any,
) -> None:
    """Continues a text, and streams what the model writes.

    With --load-session the prompt is added to the text of the session, with --chat to its messages.
    """
    text = sys.stdin.read() if prompt == "-" else prompt
    schema = (
        None if json_schema is None else json_schema.read_text(encoding="utf-8", errors="replace")
    )
    lm = options.open_source(source, **options.opening_of(given), quiet=json)
    with lm:
        speaker = open_talk(lm, load_session, save_session)
        settings = {"max_new_tokens": max_new_tokens, **options.sampling_of(given)}
        messages: Messages = []
        if chat:
            messages = load_messages(load_session) if load_session is not None else []
            messages.append({"role": "user", "content": text})
            generation = speaker.stream_chat(
                messages, response_format=_format_of(schema), **settings
            )
        else:
            before = lm.tokenizer.decode(speaker.tokens) if isinstance(speaker, Session) else ""
            generation = speaker.stream(
                before + text, add_special=not before, json_schema=schema, **settings
            )

        def save(answer: str) -> None:
            if save_session is not None:
                said = [*messages, {"role": "assistant", "content": answer}] if chat else None
                save_talk(speaker, save_session, said)

        if json:
            answer = generation.rest()
            save(answer)
            screen.print_json(
                {
                    "text": answer,
                    "finish_reason": generation.finish_reason,
                    "token_ids": generation.tokens,
                    **speaker.stats.to_dict(),
                    "memory_plan": lm.memory_plan.to_dict(),
                }
            )
            return
        pieces: list[str] = []
        try:
            for piece in generation:
                pieces.append(piece)
                screen.write(piece)
        finally:
            screen.write("\n")
        save("".join(pieces))
        if stats:
            screen.err.print(
                screen.plan_table(lm.memory_plan), screen.stats_table(speaker.stats), sep="\n"
            )
        else:
            screen.err.print(screen.summary(speaker.stats), style="dim")


def _format_of(schema: str | None) -> dict[str, Any] | None:
    """The response format of a schema's text."""
    if schema is None:
        return None
    from json import loads

    try:
        return {"type": "json_schema", "json_schema": {"schema": loads(schema)}}
    except ValueError as error:
        raise ArgumentError(f"[json_schema] schema: expected JSON: {error}.") from error
