# SPDX-License-Identifier: Apache-2.0
"""hub.py: fetches from the Hugging Face hub the few files of a model that packing needs."""

from __future__ import annotations

import errno
import re
from pathlib import Path

from flashlm._core import Error, FormatError, IoError
from flashlm.packing.gpt2_tokenizer import MERGES, VOCAB
from flashlm.packing.huggingface import INDEX_FILE, SINGLE_FILE
from flashlm.packing.source import Progress
from flashlm.template_files import FILES as TEMPLATE_FILES
from flashlm.template_files import NAMED_FOLDER

# Never pickle files (.bin, .pt, .pth), never other copies of the weights (original/, onnx/, consolidated.*).
FILES = (
    "tokenizer.json",
    *TEMPLATE_FILES,
    f"{NAMED_FOLDER}/*.jinja",
    VOCAB,
    MERGES,
    "added_tokens.json",
    SINGLE_FILE,
    INDEX_FILE,
    "model-*-of-*.safetensors",
)
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9_][\w.-]{0,95}", re.ASCII)


def is_hub_id(text: str) -> bool:
    """Whether `text` has the form of a hub id, owner/name.

    Example:
        >>> is_hub_id("HuggingFaceTB/SmolLM2-135M"), is_hub_id("./folder/model.gguf"), is_hub_id("model")
        (True, False, False)
    """
    return _HUB_ID.fullmatch(text) is not None and not text.endswith((".gguf", ".flash", ".safetensors"))


def fetch(hub_id: str, progress: Progress | None = None) -> Path:
    """The folder of the model in the local hub cache, after the missing ones of `FILES` are downloaded into it.

    Args:
        hub_id: owner/name.
        progress: Told "download" when it begins and ends (huggingface_hub shows its own bars).

    Raises:
        IoError: The hub cannot be reached, does not know the model, or does not let this user have it.
        FormatError: The model has no safetensors.
    """
    from huggingface_hub import errors as hub
    from huggingface_hub import snapshot_download

    where = f"https://huggingface.co/{hub_id}"
    if progress is not None:
        progress("download", 0, 1)
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=list(FILES)))
    except hub.GatedRepoError as error:
        raise _error(
            f"{hub_id} is gated: accept its terms at {where} and log in with `hf auth login`", errno.EACCES, hub_id
        ) from error
    except (hub.RepositoryNotFoundError, hub.HFValidationError) as error:
        raise _error(
            f"no file or folder {hub_id!r} here, and no such model on the hub ({where}), or it is private: "
            "log in with `hf auth login`",
            errno.ENOENT,
            hub_id,
        ) from error
    except Error:
        raise
    except Exception as error:  # httpx, requests, OSError and hub errors: all mean that the files did not come
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise _error(f"no space left for the download of {hub_id}: {error}", errno.ENOSPC, hub_id) from error
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise _error(
            f"no file or folder {hub_id!r} here, and the hub cannot be reached for it: {reason}. "
            "Without a network, pass the path of a GGUF file or of a Hugging Face folder",
            errno.EHOSTUNREACH,
            hub_id,
        ) from error
    if progress is not None:
        progress("download", 1, 1)
    if not (folder / SINGLE_FILE).exists() and not (folder / INDEX_FILE).exists():
        raise FormatError(
            f"[hub] weights: {hub_id} has no {SINGLE_FILE}. If it holds GGUF files ({where}/tree/main), download one "
            "and pass its path."
        )
    return folder


def _error(message: str, code: int, hub_id: str) -> IoError:
    result = IoError(f"[hub] {message}.")
    result.errno, result.filename = code, hub_id
    return result
