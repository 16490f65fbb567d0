# SPDX-License-Identifier: Apache-2.0
"""final_message.py: a conversation whose last message goes on.

It does what transformers' ``continue_final_message`` does.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from flashlm._core import ArgumentError
from flashlm.chat._template.messages import REASONING


@dataclass(frozen=True)
class FinalMessage:
    """The message that goes on, and the mark that says in the rendered text where it ends.

    The mark is of digits that nobody can guess; the blank behind it is lost where the template
    trims contents.
    """

    text: str
    mark: str

    @classmethod
    def of(
        cls, messages: list[dict[str, Any]], wanted: bool | str, add_generation_prompt: bool | None
    ) -> FinalMessage | None:
        """Puts a mark behind the text that goes on, in `messages`; None where none is to.

        Raises:
            ArgumentError: An answer is to begin as well, or the message has no such text.
        """
        if not wanted:
            return None
        if add_generation_prompt:
            raise ArgumentError(
                "[chat_template] continue_final_message: expected no add_generation_prompt beside "
                "it, got both: "
                "one goes on with a message, the other begins one."
            )
        key = wanted if isinstance(wanted, str) else "content"
        final = messages[-1]
        text = final.get(key)
        if not isinstance(text, str):
            raise ArgumentError(
                f"[chat_template] continue_final_message: expected the last message to have a text "
                f"{key!r}, "
                f"got {sorted(final)}."
            )
        mark = str(10**23 + secrets.randbelow(10**24))
        for name in REASONING if key in REASONING else (key,):
            if final.get(name) == text:  # each copy: the template may read any of them
                final[name] = f"{text}{mark} "
        return cls(text, mark)

    def cut(self, text: str, name: str) -> str:
        """The text up to where the message ends.

        Raises:
            ArgumentError: The template left the message out, or changed it.
        """
        at = text.rfind(self.mark)
        if at < 0 or self.text.strip() not in text:
            raise ArgumentError(
                "[chat_template] continue_final_message: expected the template to write the last "
                "message as it is, "
                f"got a text without it ({name})."
            )
        kept = text[at : at + len(self.mark) + 1] == f"{self.mark} "
        begin = text[:at].replace(f"{self.mark} ", "").replace(self.mark, "")
        return begin if kept else begin.rstrip()
