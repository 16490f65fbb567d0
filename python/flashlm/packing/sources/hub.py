# SPDX-License-Identifier: Apache-2.0
"""hub.py: fetches from the Hugging Face hub the few files of a model that packing needs."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flashlm._core import Error, FormatError, IoError
from flashlm._engine.files import read_object
from flashlm.chat._template.files import FILES as TEMPLATE_FILES
from flashlm.chat._template.files import NAMED_FOLDER
from flashlm.packing.formats.weight import Bytes, Weight
from flashlm.packing.sources.huggingface import INDEX_FILE, SINGLE_FILE
from flashlm.packing.sources.source import Progress
from flashlm.packing.tokenizers.gpt2_tokenizer import MERGES, VOCAB

# Never pickle files (.bin, .pt, .pth), never other copies of the weights (original/, onnx/,
# consolidated.*).
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
        >>> is_hub_id("HuggingFaceTB/SmolLM2-135M"), is_hub_id("./model.gguf"), is_hub_id("model")
        (True, False, False)
    """
    return _HUB_ID.fullmatch(text) is not None and not text.endswith(
        (".gguf", ".flash", ".safetensors")
    )


def fetch(hub_id: str, progress: Progress | None = None) -> Path:
    """The folder of the model in the local hub cache.

    The missing ones of `FILES` are downloaded into it first.

    Args:
        hub_id: owner/name.
        progress: Told "download" when it begins and ends (huggingface_hub shows its own bars).

    Raises:
        IoError: The hub cannot be reached, does not know the model, or does not let this user have
            it.
        FormatError: The model has no safetensors.
    """
    with _errors(hub_id):
        folder = _snapshot(hub_id, FILES, progress)
    if not (folder / SINGLE_FILE).exists() and not (folder / INDEX_FILE).exists():
        raise _no_weights(hub_id)
    return folder


def headers(hub_id: str, progress: Progress | None = None) -> tuple[Path, list[Weight] | None]:
    """What can be known of a model without its weights.

    Args:
        hub_id: owner/name.
        progress: As for `fetch`.

    Returns:
        The folder of the small files in the local hub cache, and its tensors, whose numbers cannot
        be read; None for them where the files of weights are in the folder.

    Raises:
        IoError: As `fetch`.
        FormatError: The model has no safetensors, or their headers are broken.
    """
    from huggingface_hub import errors as hub
    from huggingface_hub import get_safetensors_metadata

    with _errors(hub_id):
        folder = _snapshot(
            hub_id, [name for name in FILES if not name.endswith(".safetensors")], progress
        )
        if _has_weights(folder):
            return folder, None
        try:
            found = get_safetensors_metadata(hub_id)
        except hub.NotASafetensorsRepoError as error:
            raise _no_weights(hub_id) from error
        except hub.SafetensorsParsingError as error:
            raise FormatError(f"[hub] weights: {str(error).splitlines()[0]} ({hub_id})") from error
    tensors: list[Weight] = []
    for name, file in found.files_metadata.items():
        for tensor, each in file.tensors.items():
            shape, (begin, end) = tuple(each.shape), each.data_offsets
            row_bytes = (end - begin) // (shape[0] or 1 if len(shape) > 1 else 1)
            tensors.append(
                RemoteWeight(tensor, Path(hub_id) / name, each.dtype, shape, begin, row_bytes)
            )
    return folder, tensors


class RemoteWeight(Weight):
    """A tensor of which only the header is here."""

    def stored(self, begin: int, end: int) -> Bytes:
        """Raises IoError."""
        raise _error(
            f"only the header of {self.name} is here, not its rows {begin} to {end}",
            errno.ENODATA,
            self.name,
        )

    def equals(self, other: Weight) -> bool:
        """Takes two of one shape and kind for the same, as the config says of tied ones."""
        return (self.shape, self.kind) == (other.shape, other.kind)


def _has_weights(folder: Path) -> bool:
    if (folder / SINGLE_FILE).is_file():
        return True
    if not (folder / INDEX_FILE).is_file():
        return False
    names = read_object(folder / INDEX_FILE).get("weight_map")
    return isinstance(names, dict) and all(
        (folder / str(name)).is_file() for name in set(names.values())
    )


def _snapshot(hub_id: str, files: Sequence[str], progress: Progress | None) -> Path:
    from huggingface_hub import snapshot_download

    if progress is not None:
        progress("download", 0, 1)
    folder = Path(snapshot_download(hub_id, allow_patterns=list(files)))
    if progress is not None:
        progress("download", 1, 1)
    return folder


def _no_weights(hub_id: str) -> FormatError:
    return FormatError(
        f"[hub] weights: {hub_id} has no {SINGLE_FILE}. If it holds GGUF files "
        f"(https://huggingface.co/{hub_id}/tree/main), download one and pass its path."
    )


@contextmanager
def _errors(hub_id: str) -> Iterator[None]:
    """Errors of the hub and of the network as flashlm's."""
    from huggingface_hub import errors as hub

    where = f"https://huggingface.co/{hub_id}"
    try:
        yield
    except hub.GatedRepoError as error:
        raise _error(
            f"{hub_id} is gated: accept its terms at {where} and log in with `hf auth login`",
            errno.EACCES,
            hub_id,
        ) from error
    except (hub.RepositoryNotFoundError, hub.HFValidationError) as error:
        raise _error(
            f"no file or folder {hub_id!r} here, and no such model on the hub ({where}), or it is "
            f"private: "
            "log in with `hf auth login`",
            errno.ENOENT,
            hub_id,
        ) from error
    except Error:
        raise
    except (
        Exception
    ) as error:  # httpx, requests, OSError and hub errors: all mean that the files did not come
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise _error(
                f"no space left for the download of {hub_id}: {error}", errno.ENOSPC, hub_id
            ) from error
        reason = (str(error) or type(error).__name__).splitlines()[0].rstrip(".")
        raise _error(
            f"no file or folder {hub_id!r} here, and the hub cannot be reached for it: {reason}. "
            "Without a network, pass the path of a GGUF file or of a Hugging Face folder",
            errno.EHOSTUNREACH,
            hub_id,
        ) from error


def _error(message: str, code: int, hub_id: str) -> IoError:
    result = IoError(f"[hub] {message}.")
    result.errno, result.filename = code, hub_id
    return result
