# SPDX-License-Identifier: Apache-2.0
"""tokens.py: where a text begins and ends, from config.json and generation_config.json."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flashlm._core import FormatError
from flashlm.packing.formats.fields import brief


@dataclass(frozen=True)
class Tokens:
    """Ids of the token that begins a text, and of those that end one."""

    bos: int | None = None
    eos: tuple[int, ...] = ()

    @classmethod
    def read(
        cls, config: Mapping[str, Any], generation: Mapping[str, Any], n_rows: int, folder: Path
    ) -> Tokens:
        """The ids; generation_config.json has the last word on the ends.

        Args:
            config: The content of config.json.
            generation: That of generation_config.json.
            n_rows: Of the embedding.
            folder: For messages.

        Raises:
            FormatError: An id that is used has no row; names file and key.

        Example:
            >>> config = {"bos_token_id": 1, "eos_token_id": 2}
            >>> Tokens.read(config, {"eos_token_id": [2, 7]}, 9, Path("."))
            Tokens(bos=1, eos=(2, 7))
        """
        bos = _ids(config, "bos_token_id", n_rows, folder / "config.json")
        eos = _ids(generation, "eos_token_id", n_rows, folder / "generation_config.json")
        if generation.get("eos_token_id") is None:
            eos = _ids(config, "eos_token_id", n_rows, folder / "config.json")
        return cls(bos[0] if bos else None, tuple(eos))

    def to_json(self) -> dict[str, Any]:
        """The field `tokens` of flashlm.json."""
        return {"bos": self.bos, "eos": list(self.eos)}


def _ids(config: Mapping[str, Any], key: str, n_rows: int, path: Path) -> list[int]:
    value = config.get(key)
    values = [] if value is None else value if isinstance(value, list) else [value]
    for each in values:
        if not isinstance(each, int) or isinstance(each, bool) or not 0 <= each < n_rows:
            raise FormatError(
                f"[pack] config: expected {key} below {n_rows}, which is how many rows the "
                f"embedding has, got "
                f"{brief(each)} ({path})"
            )
    return values
