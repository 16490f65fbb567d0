# SPDX-License-Identifier: Apache-2.0
"""Hostile values for every parameter of the public API.

Each ends with an error of flashlm's in one line, or with none.
"""

from __future__ import annotations

import ast
import inspect
import json
import math
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import flashlm
from fake_hub import fake_hub
from flashlm import papers
from flashlm.bench.planted import planted_source
from flashlm.bench.report import Report as BenchReport
from flashlm.papers import net
from public_api import public_objects

LONGEST_MESSAGE = 500
LEAST_CALLS = 4000  # a walk that finds fewer parameters has lost its way
CAFE, MENDED = "caf\udce9", "caf\ufffd"  # what os.fsdecode makes of Latin-1, and what a model reads


class Unfriendly:
    """An object that fails wherever it is looked at."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    def __fspath__(self) -> str:
        raise RuntimeError("no path")

    def __index__(self) -> int:
        raise RuntimeError("no index")

    def __float__(self) -> float:
        raise RuntimeError("no float")


class Three:
    """Stands for a number, as numpy's do."""

    def __index__(self) -> int:
        return 3


HOSTILE: dict[str, Any] = {
    "None": None,
    "surrogate": CAFE,
    "high surrogate": "\ud800",
    "zero byte": "a\0b",
    "empty": "",
    "long": "x" * 5000,
    "tilde": "~nobody-of-that-name/x",
    "lines": "a\nb\r\nc",
    "bytes": b"caf\xe9",
    "nan": math.nan,
    "inf": math.inf,
    "minus": -1,
    "half": 2.5,
    "huge": 2**70,
    "digits": 10**5000,
    "true": True,
    "list": [],
    "list of None": [None],
    "list of surrogates": [CAFE],
    "list of bytes": [b"x"],
    "huge list": [2**70],
    "mapping": {CAFE: math.nan},
    "object": object(),
    "unfriendly": Unfriendly(),
    "numpy": np.float32(2.5),
    "array": np.zeros(3),
    "function": lambda *_, **__: None,
}

# Made by flashlm for users to read; what they take is what flashlm put there.
RESULTS = {
    "flashlm.Step",
    "flashlm.LayerReport",
    "flashlm.TrainReport",
    "flashlm.LanguageModel",
    "flashlm.Session",
}
NEVER_CALLED = {
    "flashlm.demo.fetch_gguf",
    "flashlm.demo.prepare",
}  # download; they take a callback only


def schema_tool() -> dict[str, Any]:
    return {
        "type": "function",
        "function": {"name": "f", "description": "d", "parameters": {"type": "object"}},
    }


def add(a: int) -> int:
    """Adds."""
    return a


@pytest.fixture(scope="module")
def place(
    tiny: Path, tiny_source: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Right values by the names of parameters, and by classes the objects with the methods."""
    folder = tmp_path_factory.mktemp("values")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HOME", str(folder / "hf"))
        shutil.copytree(tiny, folder / "tiny.flash")
        shutil.copytree(tiny_source, folder / "tiny")
        (folder / "note.md").write_text("# Title")
        lm = flashlm.LanguageModel.from_pretrained("tiny.flash")
        probe = flashlm.probe(
            ".",
            seconds=0.01,
            chunk_bytes=[4096],
            depths=[1],
            scratch_bytes=1 << 16,
            page_cache=True,
        )
        agent = flashlm.Agent(lambda *_: "Final Answer: 4", [add], max_steps=1)
        layer = flashlm.LayerReport(0, 32, -1.5, 0.9, 0.2, 0.98, 0.99, 0.5, 0.05)
        train = flashlm.TrainReport(Path("p"), "q8_0", 0.99, 8192, (layer,), 20.0, 20.1)
        bench = BenchReport(
            "s", "f16", "50%", "dense", 8, 4, {"bytes_per_token": 1}, {}, [1.0], True, [1.0], 1
        )
        yield {
            "lm": lm,
            "agent": agent,
            "probe result": probe,
            "train": train,
            "bench": bench,
            "source": planted_source("tiny/config.json", "f32"),
        }
        lm.close()


def owners(place: Mapping[str, Any]) -> dict[str, Any]:
    """An object of each public class."""
    lm = place["lm"]
    found = {
        "LanguageModel": lm,
        "Agent": place["agent"],
        "ChatTemplate": lm.chat_template,
        "Tokenizer": lm.tokenizer,
        "Generation": lambda: lm.stream("Hi", max_new_tokens=1),
        "MemoryPlan": lm.memory_plan,
        "Stats": lm.stats,
        "DiskProbe": place["probe result"],
        "TrainReport": place["train"],
        "LayerReport": place["train"].layers[0],
    }
    if "FlashModel" in dir(flashlm_smolagents()):
        found["FlashModel"] = flashlm_smolagents().FlashModel(lm, max_new_tokens=1)
    return found


def flashlm_smolagents() -> Any:
    try:
        from flashlm import smolagents
    except ModuleNotFoundError:
        return None
    return smolagents


def right_values(place: Mapping[str, Any], name: str) -> dict[str, Any]:
    """What a parameter of that name is given while another one gets a hostile value."""
    lm = place["lm"]
    message = [{"role": "user", "content": "Hi"}]
    values: dict[str, Any] = {
        "prompt": "Hi",
        "text": "Hello, moon.",
        "topic": "LLM",
        "task": "Say 4.",
        "title": "T",
        "name": "n",
        "max_new_tokens": 1,
        "messages": message,
        "special_tokens": ["<|im_end|>"],
        "token_ids": [5, 6],
        "tools": [],
        "tokenizer": lm.tokenizer,
        "ids": [5, 6],
        "id": 5,
        "parts": [("a", True)],
        "token": "a",
        "on_layer": lambda *_: None,
        "path": "note.md",
        "folder": "tiny.flash",
        "schema": '{"type": "null"}',
        "json": json.dumps({}),
        "bytes": 5,
        "function": add,
        "description": "d",
        "parameters": {},
        "model": lm,
        "saved": place["agent"].save(),
        "files": {"chat_template.jinja": b"x"},
        "before": [5],
        "document": None,
        "choice": None,
        "paper_id": "2312.11514",
        "papers": papers.Papers(offline=True, cache="nothing"),
        "error": flashlm.IoError("x"),
        "file_path": "note.md",
        "what": "p",
        "plan": lm.memory_plan,
        "threads": 1,
        "probe": place["probe result"],
        "report": place["train"],
        "writer": lm,
        "size": 1 << 12,
        "shape": "tiny",
        "format": "gguf",
        "config": {},
        "n": 3,
        "longest": 1,
        "url": "ftp://127.0.0.1",
        "vocab_size": 300,
        "model_id": lm,
        "source": "tiny",
        "model_dictionary": {"model_id": lm},
        "seconds": 0.01,
        "context": 64,
        "num_papers": 1,
        "max_steps": 1,
    }
    values["document"] = papers.Document(Path("a.pdf"), "pdf", 1, (papers.Page(1, "Flash."),))
    if flashlm_smolagents() is not None:
        from smolagents.models import ChatMessage, MessageRole

        values["message"] = ChatMessage(MessageRole.ASSISTANT, '{"name": "f", "arguments": {}}')
    # Nothing is trained, packed or measured here: with these the checks come, and then a file that
    # is not there.
    special: dict[str, dict[str, Any]] = {
        "flashlm.Session.save": {"path": "talk.kv"},
        "flashlm.LanguageModel.load_session": {"path": "missing.kv"},
        "flashlm.LanguageModel.from_pretrained": {"source": "tiny.flash"},
        "flashlm.Tokenizer.open": {"path": "missing.json"},
        "flashlm.ChatTemplate": {
            "source": "{{ messages[0].content }}",
            "special_tokens": {"bos_token": "<s>"},
        },
        "flashlm.add_thresholds": {"folder": "missing.flash"},
        "flashlm.add_gates": {"folder": "missing.flash"},
        "flashlm.verify": {"folder": "tiny.flash"},
        "flashlm.pack": {"source": "missing", "folder": "new.flash"},
        "flashlm.home.packed": {"source": "tiny.flash"},
        "flashlm.train": {"source": "missing", "text": "missing.txt"},
        "flashlm.probe": {
            "path": ".",
            "seconds": 0.001,
            "chunk_bytes": [4096],
            "depths": [1],
            "scratch_bytes": 1 << 16,
            "page_cache": True,
        },
        "flashlm.demo.run": {"folder": "tiny.flash"},
        "flashlm.bench.floors.disk_bytes_per_second": {
            "path": "tiny.flash/flashlm.json",
            "seconds": 0.001,
        },
        "flashlm.bench.run": {"tokens": 1, "prompt": 1, "keep": "note.md"},
        "flashlm.bench.export": {"path": "note.md"},
        "flashlm.bench.synthesize": {"folder": "note.md"},
        "flashlm.bench.planted.plant_predictor": {"folder": "missing", "source": place["source"]},
        "flashlm.bench.planted.planted_text": {"source": place["source"]},
        "flashlm.bench.planted.aggregated_windows": {"source": place["source"]},
        "flashlm.bench.planted.planted_source": {"shape": "tiny/config.json", "dtype": "f32"},
        "flashlm.bench.synthetic.synthetic_source": {"shape": "tiny/config.json", "dtype": "f32"},
        "flashlm.papers.find": {"source": "daily"},
        "flashlm.plot.disk_probe": {"probe": place["probe result"]},
    }
    return {**values, **special.get(name, {})}


# A parameter with a default that is left alone unless it is the one under test would make these
# take long.
NEEDED = {
    "max_new_tokens",
    "seconds",
    "chunk_bytes",
    "depths",
    "scratch_bytes",
    "page_cache",
    "tokens",
    "keep",
    "size",
}
NEEDED |= {"papers", "prompt", "max_steps"}


# These are right, and take their time.
SLOW = {
    ("flashlm.probe", "seconds"): {"None", "half", "numpy", "true"},
    ("flashlm.bench.run", "keep"): {"None", "tilde"},
}


def parameters_of(function: Any) -> dict[str, bool]:
    """The names of the parameters, and whether each is needed; `self` is left out."""
    try:
        signature = inspect.signature(function)
        found = {
            name: parameter.default is parameter.empty
            for name, parameter in signature.parameters.items()
            if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        }
        if "kwargs" in signature.parameters or "sampling" in signature.parameters:
            found.update(dict.fromkeys(("temperature", "top_k", "seed", "max_new_tokens"), False))
    except ValueError:  # of an extension module
        line = (function.__doc__ or "").splitlines()[0]
        (node,) = ast.parse(f"def {line}: ...").body
        assert isinstance(node, ast.FunctionDef)
        plain = node.args.args
        n_needed = len(plain) - len(node.args.defaults)
        found = {argument.arg: index < n_needed for index, argument in enumerate(plain)}
        found.update(
            {
                argument.arg: default is None
                for argument, default in zip(
                    node.args.kwonlyargs, node.args.kw_defaults, strict=True
                )
            }
        )
    found.pop("self", None)
    return found


def callables(place: Mapping[str, Any]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Each public function and method, and what gives it, bound to an object of its class."""
    instances = owners(place)
    for name, value in public_objects():
        is_error = inspect.isclass(value) and issubclass(value, BaseException)
        if (
            name in RESULTS | NEVER_CALLED
            or is_error
            or inspect.ismodule(value)
            or not is_called(value)
        ):
            continue
        owner, member = name.split(".")[-2:]
        if isinstance(value, (staticmethod, classmethod)):
            yield name, partial(getattr, class_named(owner), member)
        elif owner in instances:
            yield name, partial(bound, instances[owner], member)
        elif inspect.isclass(value) or owner[0].islower():
            yield name, partial(identity, value)
    yield (
        "flashlm.Session.save",
        partial(getattr, place["lm"].session(), "save"),
    )  # its other methods are the model's
    if net.available():
        for member in ("http_get", "paper_id"):
            yield f"flashlm.papers.net.{member}", partial(getattr, net, member)


def is_called(value: object) -> bool:
    """Whether users call it.

    Classes of the extension module without a constructor are made by flashlm.
    """
    if inspect.isclass(value):
        return not (
            type(value).__name__ == "pybind11_type"
            and (value.__init__.__doc__ or "").startswith("Init")
        )
    return callable(value) or isinstance(value, (staticmethod, classmethod))


def class_named(name: str) -> Any:
    return getattr(flashlm, name, None) or getattr(flashlm_smolagents(), name)


def bound(instance: Any, member: str) -> Any:
    """A method; of an object of its own where a function makes it."""
    return getattr(instance() if inspect.isfunction(instance) else instance, member)


def identity(value: Any) -> Any:
    return value


def complaint(given: Callable[[], Any], arguments: Mapping[str, Any]) -> str:
    """What is wrong with how a call ends.

    It is nothing for an end without an error or with one of flashlm's.
    """
    try:
        result = given()(**arguments)
        if inspect.isgenerator(result) or isinstance(result, flashlm.Generation):
            list(result)
        if isinstance(result, flashlm.LanguageModel):
            result.close()
    except (flashlm.Error, NotImplementedError, ImportError) as error:
        message = str(error)
        if (
            "incompatible" in message
            or "\n" in message
            or len(message) > LONGEST_MESSAGE
            or message[:1] != "["
        ):
            return f"{type(error).__name__}: {message[:200]!r} of {len(message)} characters"
    except Exception as error:  # noqa: BLE001 - what the test is about
        return f"{type(error).__name__}: {str(error)[:200]!r}"
    return ""


def test_hostile_values_end_in_an_error_of_flashlm_or_none(place: dict[str, Any]) -> None:
    wrong: list[str] = []
    n_calls = 0
    for name, given in callables(place):
        values = right_values(place, name)
        parameters = parameters_of(given())
        base = {
            key: values[key]
            for key, needed in parameters.items()
            if needed or (key in NEEDED and key in values)
        }
        for parameter in parameters:
            for kind, value in {"right": values.get(parameter), **HOSTILE}.items():
                if kind in SLOW.get((name, parameter), ()) or (
                    kind == "right" and parameter not in base
                ):
                    continue
                n_calls += 1
                text = complaint(given, {**base, parameter: value})
                if text:
                    wrong.append(f"{name}({parameter}={kind}) {text}")
    assert n_calls > LEAST_CALLS
    assert not wrong, f"{len(wrong)} of {n_calls}:\n" + "\n".join(wrong)


@pytest.fixture
def lm(place: dict[str, Any]) -> flashlm.LanguageModel:
    """The model of the walk."""
    model: flashlm.LanguageModel = place["lm"]
    return model


def test_a_text_that_is_no_utf8_is_read_with_replacement_characters(
    lm: flashlm.LanguageModel,
) -> None:
    talk: list[dict[str, Any]] = [
        {"role": "system", "content": CAFE},
        {"role": "user", "content": [{"type": "text", "text": CAFE}]},
    ]
    mended = json.loads(json.dumps(talk).replace("\\udce9", "\\ufffd"))
    assert lm.tokenizer.encode(CAFE) == lm.tokenizer.encode(MENDED)
    assert lm.tokenizer.encode_parts([(CAFE, True), (CAFE, False)]) == lm.tokenizer.encode_parts(
        [(MENDED * 2, True)]
    )
    assert lm.tokenizer.encode("\ud83d and \ude00") == lm.tokenizer.encode("\ufffd and \ufffd")
    assert lm.generate(CAFE, max_new_tokens=6) == lm.generate(MENDED, max_new_tokens=6)
    assert "".join(lm.stream(CAFE, max_new_tokens=6)) == lm.generate(MENDED, max_new_tokens=6)
    assert lm.session().generate(CAFE, max_new_tokens=6) == lm.generate(MENDED, max_new_tokens=6)
    assert lm.perplexity(CAFE) == lm.perplexity(MENDED)
    assert lm.chat_template.render(talk) == lm.chat_template.render(mended)
    assert lm.chat(talk, max_new_tokens=6) == lm.chat(mended, max_new_tokens=6)
    variables = {CAFE: [CAFE]}
    assert lm.chat(
        talk, template_variables=variables, documents=[{"title": CAFE}], max_new_tokens=6
    ) == lm.chat(mended, max_new_tokens=6)


def test_stop_texts_and_schemas_that_are_no_utf8_are_mended_too(lm: flashlm.LanguageModel) -> None:
    free = lm.generate("Hi", max_new_tokens=24)
    assert "\ufffd" in free
    for stop in ("\udce9", ["\udce9"], ("never", "\udce9")):
        assert lm.generate("Hi", max_new_tokens=24, stop=stop) == free[: free.index("\ufffd")]
    expected = json.dumps(MENDED, ensure_ascii=False)
    assert lm.generate("Hi", json_schema={"const": CAFE}) == expected
    assert lm.generate("Hi", json_schema=f'{{"const": "{CAFE}"}}') == expected
    form = {"type": "json_schema", "json_schema": {"schema": {"enum": [CAFE]}}}
    assert lm.chat([{"role": "user", "content": "Hi"}], response_format=form) == expected


def test_results_of_tools_and_tasks_that_are_no_utf8_reach_the_model() -> None:
    def look() -> str:
        """Looks."""
        return CAFE

    asked: list[list[Mapping[str, str]]] = []
    answers = ['{"name": "look", "arguments": {}}', f"Final Answer: {CAFE}"]

    def answer(messages: list[Mapping[str, str]], _schema: str) -> str:
        asked.append(messages)
        return answers.pop(0)

    agent = flashlm.Agent(
        answer, [flashlm.Tool("look", CAFE, {"type": "object", "title": CAFE}, look)]
    )
    assert agent.run(CAFE) == MENDED
    assert agent.steps[0].observations[0]["text"] == MENDED
    assert all(MENDED in json.dumps(messages, ensure_ascii=False) for messages in asked)
    again = flashlm.Agent(answer, [look])
    again.load({**agent.save(), "task": CAFE})
    assert again.messages[1]["content"] == MENDED


@pytest.mark.skipif(not net.available(), reason="flashlm was built without libcurl")
def test_a_topic_that_is_no_utf8_asks_for_the_mended_one(tmp_path: Path) -> None:
    offline = papers.Papers(offline=True, cache=tmp_path)
    said = []
    for topic in (CAFE, MENDED):
        with pytest.raises(flashlm.IoError) as caught:
            papers.find(topic, papers=offline, source="search")
        said.append(str(caught.value))
    assert said[0] == said[1]
    assert "caf%EF%BF%BD" in said[0]


@pytest.mark.skipif(not net.available(), reason="flashlm was built without libcurl")
def test_headers_of_the_web_that_are_no_utf8_can_be_read() -> None:
    with fake_hub() as hub:
        hub.broken = {"/page": (200, {"X-Place": "caf\xe9"}, b"hello")}  # sent as Latin-1
        assert net.http_get(f"{hub.url}/page").headers["x-place"] == MENDED


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"seed": -1}, "[language_model] seed: expected 0 or more, got -1."),
        ({"seed": 2**70}, f"[language_model] seed: expected 0 to {2**64 - 1}, got {2**70}."),
        (
            {"max_new_tokens": 2.5},
            "[language_model] max_new_tokens: expected a whole number, got 2.5.",
        ),
        (
            {"max_new_tokens": True},
            "[language_model] max_new_tokens: expected a whole number, got True.",
        ),
        (
            {"max_new_tokens": np.float32(2)},
            "[language_model] max_new_tokens: expected a whole number, got np.float32",
        ),
        ({"top_k": "5"}, "[language_model] top_k: expected a whole number, got '5'."),
        (
            {"temperature": None},
            "[language_model] temperature: expected a finite number, got None.",
        ),
        (
            {"temperature": math.nan},
            "[language_model] temperature: expected a finite number, got nan.",
        ),
        (
            {"temperature": 10**400},
            "[language_model] temperature: expected a finite number, got 1000",
        ),
        ({"top_p": "0.5"}, "[language_model] top_p: expected a finite number, got '0.5'."),
        ({"stop": [1]}, "[language_model] stop[0]: expected a text, got 1."),
        (
            {"stop": [b"x"]},
            "[language_model] stop[0]: expected a text, got b'x'. Decode the bytes first: ",
        ),
        ({"stop": 5}, "[language_model] stop: expected a text or a list of texts, got 5."),
        ({"on_prefill": 5}, "[language_model] on_prefill: expected a function or None, got 5."),
    ],
)
def test_generate_stream_and_chat_refuse_the_same(
    lm: flashlm.LanguageModel, arguments: Any, said: str
) -> None:
    talk = [{"role": "user", "content": "Hi"}]
    for call in (
        partial(lm.generate, "Hi"),
        partial(lm.stream, "Hi"),
        partial(lm.chat, talk),
        partial(lm.stream_chat, talk),
        partial(lm.session().chat, talk),
    ):
        with pytest.raises(flashlm.ArgumentError) as caught:
            call(**arguments)
        assert str(caught.value).startswith(said)


def test_numbers_that_stand_for_others_are_taken(lm: flashlm.LanguageModel) -> None:
    expected = lm.generate("Hi", max_new_tokens=3, temperature=0.5, seed=3)
    numbers: list[Any] = [Three(), np.int64(3), np.uint8(3)]
    half: Any = np.float32(0.5)
    for three in numbers:
        assert lm.generate("Hi", max_new_tokens=three, temperature=half, seed=three) == expected
    ids = lm.tokenizer.encode("Hi")
    array: Any = np.array(ids)
    assert lm.tokenizer.decode(array) == lm.tokenizer.decode(list(array)) == "Hi"
    assert (lm.logits(array) == lm.logits(ids)).all()


def test_no_seed_draws_other_tokens_each_time(lm: flashlm.LanguageModel) -> None:
    texts = {lm.generate("Hi", max_new_tokens=12, temperature=2.0, seed=None) for _ in range(6)}
    assert len(texts) > 1
    generation = lm.stream("Hi", max_new_tokens=12, temperature=2.0, seed=None)
    assert "".join(generation) == lm.generate(
        "Hi", max_new_tokens=12, temperature=2.0, seed=generation.seed
    )
    assert lm.stream("Hi", seed=7).seed == 7


def test_a_json_object_with_a_schema_is_held_to_it(lm: flashlm.LanguageModel) -> None:
    talk = [{"role": "user", "content": "Hi"}]
    schema = {
        "type": "object",
        "properties": {"a": {"enum": ["x"]}},
        "required": ["a"],
        "additionalProperties": False,
    }
    assert lm.chat(talk, response_format={"type": "json_object", "schema": schema}) == '{"a": "x"}'
    for form, key in (
        ({"type": "json_object", "shema": schema}, "shema"),
        ({"type": "text", "schema": schema}, "schema"),
        ({"type": "json_schema", "json_schema": {"schema": schema}, "schema": schema}, "schema"),
        ({"type": "json_schema", "json_schema": {"schema": schema, "stict": True}}, "stict"),
    ):
        with pytest.raises(flashlm.ArgumentError, match=f"got the unknown key '{key}'"):
            lm.chat(talk, response_format=form)
    named = {"type": "json_schema", "json_schema": {"name": "n", "strict": True, "schema": schema}}
    assert lm.chat(talk, response_format=named) == '{"a": "x"}'


def test_a_call_of_another_shape_is_a_type_error_as_of_python_itself(
    lm: flashlm.LanguageModel,
) -> None:
    encode: Any = lm.tokenizer.encode
    with pytest.raises(
        TypeError, match=r"Tokenizer.encode\(\) missing a required argument: 'text'"
    ):
        encode()
    with pytest.raises(
        TypeError, match=r"Tokenizer.encode\(\) got an unexpected keyword argument 'txt'"
    ):
        encode("a", txt="a")
    generate: Any = lm.generate
    with pytest.raises(TypeError, match="unexpected keyword argument"):
        generate("Hi", tokens=5)


def test_an_error_that_a_callback_raises_comes_through_as_it_is(lm: flashlm.LanguageModel) -> None:
    calls = []

    def fail(done: int, total: int) -> None:
        calls.append((done, total))
        raise TypeError("stream(): incompatible function arguments, says another library")

    with pytest.raises(TypeError, match="says another library"):
        lm.generate("A new prompt", max_new_tokens=1, on_prefill=fail)
    assert len(calls) == 1


def test_a_message_is_one_line_that_can_be_printed_however_long_and_strange_its_value() -> None:
    error = flashlm.FormatError(f"[x] {CAFE}\n\x1b[31m\u2028" + "y" * 10_000 + " (end).")
    text = str(error)
    assert text.startswith(f"[x] {MENDED}\\n\\x1b[31m\\u2028yyy")
    assert text.endswith("y (end).")
    assert len(text) <= LONGEST_MESSAGE
    assert text.encode().decode().isprintable()
    assert error.args[0] != text


def run_command(
    *words: str | bytes, stdin: bytes = b"", **environment: str
) -> tuple[int, bytes, str]:
    """The command line in a process of its own: only there are bytes in the arguments."""
    done = subprocess.run(
        [sys.executable, "-m", "flashlm", *words], input=stdin, capture_output=True, check=False,
        env={**os.environ, **environment},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr.decode()


def test_the_command_line_takes_bytes_that_are_no_utf8(place: dict[str, Any]) -> None:
    expected = place["lm"].generate(MENDED, max_new_tokens=6)
    run = ("run", "tiny.flash", "-n", "6", "--json", "-p")
    for given in (
        run_command(*run, b"caf\xe9", "--stop", b"\xe9never"),
        run_command(*run, "-", stdin=b"caf\xe9"),
    ):
        code, out, error = given
        assert (code, json.loads(out)["text"]) == (0, expected), error
    code, out, error = run_command(
        "chat", "tiny.flash", "-n", "4", "--system", b"caf\xe9", stdin=b"caf\xe9\n"
    )
    assert (code, "Traceback" in error, "unexpected" in error) == (0, False, False), error


def test_a_terminal_without_unicode_shows_escapes(place: dict[str, Any]) -> None:
    del place
    code, out, error = run_command(
        "run", "tiny.flash", "-n", "6", "-p", "caf\xe9", PYTHONIOENCODING="ascii"
    )
    assert code == 0, error
    assert out.isascii()
