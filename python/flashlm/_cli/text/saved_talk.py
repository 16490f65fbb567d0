# SPDX-License-Identifier: Apache-2.0
"""saved_talk.py: a session in a file, and the messages that it is of in another beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flashlm import ArgumentError, FormatError, LanguageModel, Session
from flashlm.chat._template.messages import check_messages

Messages = list[dict[str, Any]]


def open_talk(lm: LanguageModel, load: Path | None, save: Path | None) -> LanguageModel | Session:
    """Who speaks: the model itself, or a session where one is loaded or to be saved.

    Raises:
        ArgumentError: The file to save to is in a folder that does not exist.
        Error: As `LanguageModel.load_session`.
    """
    if (
        save is not None and not save.absolute().parent.is_dir()
    ):  # better known before an hour of talk than behind it
        raise ArgumentError(
            f"[session] save_session: expected a file in a folder that exists, got {str(save)!r}."
        )
    if load is not None:
        return lm.load_session(load)
    return lm if save is None else lm.session()


def load_messages(path: Path) -> Messages:
    """The messages of a session that was saved.

    Raises:
        ArgumentError: It was saved without any.
        FormatError: Their file is damaged.
    """
    beside = _beside(path)
    if not beside.is_file():
        raise ArgumentError(
            f"[session] load_session: expected {beside.name} beside it, which `flashlm chat "
            f"--save-session` writes, "
            f"got none ({path}). A text without messages goes on with `flashlm run`."
        )
    try:
        return check_messages(json.loads(beside.read_text(encoding="utf-8"))["messages"])
    except (ValueError, KeyError, TypeError, ArgumentError) as error:
        raise FormatError(f"[session] messages: {error} ({beside}).") from error


def save_talk(speaker: LanguageModel | Session, path: Path, messages: Messages | None) -> None:
    """Saves a session, and its messages if it is a conversation.

    Raises:
        IoError: A file cannot be written.
    """
    assert isinstance(speaker, Session), "open_talk made one"  # noqa: S101
    beside = _beside(path)
    beside.unlink(missing_ok=True)  # what it says would not be of the session
    speaker.save(path)
    if messages is not None:
        part = beside.with_name(beside.name + ".part")
        part.write_text(
            json.dumps({"messages": messages}, ensure_ascii=False) + "\n", encoding="utf-8"
        )
        part.replace(beside)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
