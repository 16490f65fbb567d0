# SPDX-License-Identifier: Apache-2.0
"""The formats of blocks against the `gguf` package: every value, and the packed folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import pytest

import flashlm
import random_gguf
import random_llama
from flashlm import _core
from flashlm.packing.formats.gguf_header import read_header

BLOCKS = {each.name: each for each in _core.number_formats() if each.is_block}
CASE = random_llama.Case("wide", 7, dim=256, hidden_dim=512, context=64)
# What a k-quant mix has: the type of most matrices, and of some.
MIXES = [
    *(("Q4_K", "Q6_K"), ("Q5_K", "Q6_K"), ("Q6_K", "Q8_0"), ("Q5_0", "Q4_K"), ("IQ4_NL", "Q5_K")),
    *(("Q2_K", "Q3_K"), ("Q3_K", "Q5_K"), ("IQ4_XS", "Q5_K")),
]


def ours(blocks: Any, name: str) -> Any:
    """The numbers of rows of blocks, as flashlm reads them."""
    return _core.requantise(np.ascontiguousarray(blocks), name, "f32")[0]


def theirs(blocks: Any, name: str) -> Any:
    """The same, as the `gguf` package reads them."""
    tensor_type = gguf.GGMLQuantizationType[name.upper()]
    with np.errstate(all="ignore"):
        return np.asarray(gguf.quants.dequantize(blocks, tensor_type), np.float32)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_value_is_that_of_the_gguf_package_bit_for_bit(name: str) -> None:
    blocks = random_gguf.random_blocks(name.upper(), 400, 1024, seed=1)
    expected = theirs(blocks, name)
    assert np.isfinite(expected).all()
    assert np.array_equal(ours(blocks, name).view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("name", BLOCKS)
def test_extreme_blocks_have_the_same_values(name: str) -> None:
    size = BLOCKS[name].bytes
    rows = [np.full(size, byte, np.uint8) for byte in (0x00, 0x7F, 0x80, 0xFF, 0x55, 0xAA)]
    blocks = []
    for row in rows:
        # Zeros of both signs, the least half, the largest subnormal, 1, and the largest.
        for half in (0x0000, 0x8000, 0x0001, 0x83FF, 0x3C00, 0x7BFF, 0xFBFF):
            block = row.copy()
            for at in random_gguf.halves(name.upper()):
                block[at : at + 2] = (half & 255, half >> 8)
            blocks.append(block)
        for exponent in range(253) if name == "mxfp4" else ():
            block = row.copy()
            block[0] = exponent
            blocks.append(block)
    together = np.stack([block for block in blocks if name != "mxfp4" or block[0] < 253])
    expected = theirs(together, name)
    assert np.array_equal(ours(together, name).view(np.uint32), expected.view(np.uint32))


@pytest.mark.parametrize("name", BLOCKS)
def test_scales_that_are_no_numbers_are_seen(name: str) -> None:
    for at in random_gguf.halves(name.upper()) or (0,):
        for half in (0x7C00, 0xFC00, 0x7E00) if name != "mxfp4" else (255,):
            block = np.full((1, BLOCKS[name].bytes), 0x55, np.uint8)
            for other in random_gguf.halves(name.upper()):
                block[0, other : other + 2] = (0x00, 0x3C)
            block[0, at] = half & 255
            if name != "mxfp4":
                block[0, at + 1] = half >> 8
            assert not np.isfinite(_core.requantise(block, name, name)[1])


@pytest.mark.parametrize("name", [name for name, each in BLOCKS.items() if each.can_round])
def test_numbers_are_rounded_by_little(name: str) -> None:
    numbers = np.random.default_rng(2).standard_normal((16, 1024)).astype(np.float32)
    blocks, _, squares, errors = _core.requantise(numbers, "f32", name)
    assert np.array_equal(theirs(blocks, name), ours(blocks, name))
    bits = 8 * BLOCKS[name].bytes / BLOCKS[name].numbers
    assert np.sqrt(errors / squares) < 1.6 * 2.0 ** (-bits + 1)
    again = _core.requantise(ours(blocks, name), "f32", name)
    assert np.sqrt(again[3] / again[2]) < 1.6 * 2.0 ** (-bits + 1)


@pytest.mark.parametrize(("most", "some"), MIXES)
def test_a_mix_is_kept_as_it_is_in_the_bytes_that_it_had(
    most: str, some: str, tmp_path: Path
) -> None:
    kinds = {
        "token_embd.weight": some,
        "output.weight": some,
        "blk.0.ffn_down.weight": some,
        "blk.1.attn_v.weight": some,
    }
    path = random_gguf.write(CASE, tmp_path / "m.gguf", most, kinds=kinds)
    folder = flashlm.pack(path, tmp_path / "m.flash")
    manifest: dict[str, Any] = json.loads(_core.read_manifest(str(folder)))
    assert "rounding_error" not in manifest["source"]
    assert manifest["dtype"] == "mixed"
    header = read_header(path)
    before = sum(tensor.n_bytes for tensor in header.tensors.values())
    after = sum(
        file["bytes"] - file["header_bytes"] for file in manifest["files"] if "header_bytes" in file
    )
    assert after <= before + (1 << 12) * 20  # tensors begin at pages
    down = header.tensors["blk.0.ffn_down.weight"]
    data = np.fromfile(path, np.uint8, down.n_bytes, offset=down.offset)
    file = _core.Safetensors(str(folder / "ffn-00000.safetensors"))
    assert file.metadata()["dtype.layers.0.down"] == some.lower()
    expected = _core.to_tiles(data.reshape(down.shape[0], -1), some.lower())
    assert np.array_equal(file.read("layers.0.down").reshape(-1), expected.reshape(-1))


@pytest.mark.parametrize(("most", "some"), [*MIXES, ("MXFP4", "Q8_0"), ("Q4_1", "Q5_1")])
def test_logits_are_near_those_of_the_same_numbers_in_f32(
    most: str, some: str, tmp_path: Path
) -> None:
    path = random_gguf.write(CASE, tmp_path / "m.gguf", most, kinds={"output.weight": some})
    tokens = list(CASE.tokens)
    logits = []
    for dtype in ("source", "f32"):
        folder = flashlm.pack(path, tmp_path / f"{dtype}.flash", dtype=dtype)
        with flashlm.LanguageModel.from_pretrained(folder, memory="100%") as lm:
            logits.append(lm.logits(tokens))
            # One token after the other computes what a batch computes.
            session = [lm.logits(tokens[: n + 1])[-1] for n in range(3)]
            assert np.array_equal(np.stack(session), logits[-1][:3])
    exact = logits[1]
    assert np.abs(logits[0] - exact).max() < 0.05 * np.abs(exact).max()


def with_type_of_a_query(path: Path, kind: int) -> None:
    """Writes another type id at one tensor of Q4_K."""
    name = "blk.0.attn_q.weight"
    data = bytearray(path.read_bytes())
    at = data.index(name.encode()) + len(name) + 4 + 16  # name, dimensions, two lengths, type
    assert int.from_bytes(data[at : at + 4], "little") == gguf.GGMLQuantizationType.Q4_K
    data[at : at + 4] = kind.to_bytes(4, "little")
    path.write_bytes(data)


@pytest.mark.parametrize("kind", [38, 97, 1 << 31])
def test_an_unknown_type_id_names_tensor_and_file(kind: int, tmp_path: Path) -> None:
    path = random_gguf.write(CASE, tmp_path / "m.gguf", "Q4_K")
    with_type_of_a_query(path, kind)
    with pytest.raises(flashlm.FormatError, match=f"{kind} is not known") as caught:
        flashlm.pack(path, tmp_path / "m.flash")
    assert str(path) in str(caught.value)
    assert "blk.0.attn_q.weight" in str(caught.value)
    assert not list(tmp_path.glob("*.flash*"))


def test_a_type_that_only_the_gguf_package_reads_becomes_f16_and_says_so(tmp_path: Path) -> None:
    path = random_gguf.write(CASE, tmp_path / "m.gguf", "Q4_K")
    with_type_of_a_query(path, gguf.GGMLQuantizationType.NVFP4)  # blocks of as many bytes a number
    told: list[str] = []
    flashlm.pack(path, tmp_path / "m.flash", tell=told.append)
    assert "times as much, since NVFP4 becomes f16" in told[0]
