# SPDX-License-Identifier: Apache-2.0
"""flashlm.smolagents: the model's contract on scripted answers and on the tiny model.

Tools and their round trip are tested too.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flashlm
from fake_hub import FakeHub, fake_hub
from flashlm.papers import net, pdf
from scripted_model import ScriptedSession, call

smolagents = pytest.importorskip("smolagents")
models = pytest.importorskip("smolagents.models")
from flashlm.smolagents import (  # noqa: E402
    DownloadPaper,
    FlashModel,
    ReadPdf,
    TopDailyPapers,
    flatten_messages,
    paper_tools,
)

# The tiny model's template knows no tools, and these messages do not speak of them.
pytestmark = pytest.mark.filterwarnings(r"ignore:\[chat_template\] tools")
USER = [{"role": "user", "content": "Hello"}]
needs_papers = pytest.mark.skipif(
    not (net.available() and pdf.available()), reason="built without curl or poppler"
)


class Add(smolagents.Tool):  # type: ignore[misc, name-defined]
    """Adds two numbers."""

    name = "add"
    description = "Adds two numbers."
    inputs = {  # noqa: RUF012
        "x": {"type": "integer", "description": "One."},
        "y": {"type": "integer", "description": "The other.", "nullable": True},
    }
    output_type = "integer"

    def forward(self, x: int, y: int | None = None) -> int:
        return x + (y or 0)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A fake hub that the environment names."""
    with fake_hub() as server:
        for name, value in server.environment(str(tmp_path / "hf")).items():
            monkeypatch.setenv(name, value)
        yield server


def scripted(
    lm: flashlm.LanguageModel, *answers: Any, **settings: Any
) -> tuple[FlashModel, ScriptedSession]:
    session = ScriptedSession(lm, answers)
    return FlashModel(session, **settings), session


def test_flashlm_itself_needs_no_smolagents() -> None:
    program = "import sys; sys.modules['smolagents'] = None; import flashlm, flashlm._cli.app, flashlm.papers"
    subprocess.run([sys.executable, "-c", program], check=True)
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; sys.modules['smolagents'] = None; import flashlm.smolagents",
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert "pip install 'flashlm[agents]'" in said.stderr


def test_an_answer_carries_text_usage_and_plain_data(lm: flashlm.LanguageModel) -> None:
    model = FlashModel(lm)
    message = model.generate(USER, max_new_tokens=5)
    assert message.content == lm.chat(USER, max_new_tokens=5)
    assert message.role == models.MessageRole.ASSISTANT
    assert message.tool_calls is None
    assert message.token_usage.input_tokens == len(
        lm.tokenizer.encode(lm.chat_template.render(USER), add_special=False)
    )
    assert 1 <= message.token_usage.output_tokens <= 5
    assert json.loads(json.dumps(message.raw))["out"] == message.content
    assert model(USER, max_new_tokens=5).content == message.content


def test_a_stream_ends_with_all_of_the_usage(lm: flashlm.LanguageModel) -> None:
    model = FlashModel(lm, max_new_tokens=6)
    deltas = list(model.generate_stream(USER))
    assert [delta.token_usage for delta in deltas[:-1]] == [None] * (len(deltas) - 1)
    assert deltas[-1].content == ""
    message = models.agglomerate_stream_deltas(deltas)
    whole = model.generate(USER)
    assert message.content == whole.content
    assert message.token_usage == whole.token_usage


@pytest.mark.parametrize("stream", [False, True])
def test_stop_texts_are_removed(lm: flashlm.LanguageModel, stream: bool) -> None:
    model, _ = scripted(lm, "Thought: so.\n<code>\nprint(1)\n</code> and more")
    stops = ["Observation:", "Calling tools:", "</code>"]
    if stream:
        message = models.agglomerate_stream_deltas(
            list(model.generate_stream(USER, stop_sequences=stops))
        )
    else:
        message = model.generate(USER, stop_sequences=stops)
    assert message.content == "Thought: so.\n<code>\nprint(1)\n"


def test_stop_texts_work_whatever_the_model_is_called(lm: flashlm.LanguageModel) -> None:
    model, _ = scripted(lm)
    model.model_id = "xai-org/grok-2"
    assert model.supports_stop_parameter


def test_stop_texts_do_not_cut_structured_output(lm: flashlm.LanguageModel) -> None:
    answer = json.dumps({"thought": "t", "code": "<code>\nfinal_answer(5)\n</code>"})
    model, session = scripted(lm, answer)
    response_format = {
        "type": "json_schema",
        "json_schema": {"name": "a", "schema": {"type": "object"}},
    }
    assert (
        model.generate(USER, stop_sequences=["</code>"], response_format=response_format).content
        == answer
    )
    assert session.asked[0]["response_format"] == response_format


@pytest.mark.parametrize("stream", [False, True])
def test_several_calls_have_different_ids(lm: flashlm.LanguageModel, stream: bool) -> None:
    text = (
        f"<tool_call>{call('add', x=1)}</tool_call>\n<tool_call>{call('add', x=2, y=3)}</tool_call>"
    )
    model, session = scripted(lm, text, text, tool_choice="auto")
    ids: list[str] = []
    for _ in range(2):
        if stream:
            deltas = list(model.generate_stream(USER, tools_to_call_from=[Add()]))
            message = model.parse_tool_calls(models.agglomerate_stream_deltas(deltas))
        else:
            message = model.generate(USER, tools_to_call_from=[Add()])
        assert [each.function.arguments for each in message.tool_calls] == [
            {"x": 1},
            {"x": 2, "y": 3},
        ]
        assert message.content == ""
        ids += [each.id for each in message.tool_calls]
    assert len(set(ids)) == 4
    assert ids == sorted(ids)
    assert "response_format" not in session.asked[0]
    assert session.asked[0]["tools"][0]["function"]["name"] == "add"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        ('I add.\n<tool_call>{"name": "add", "arguments": {"x": 1}}</tool_call>', "I add."),
        ('<think>Is {"name": "no"} it?</think>\n```json\n{"name": "add", "arguments": {"x": 1}}\n```\nDone.',
         '<think>Is {"name": "no"} it?</think>\nDone.'),
        ('So: [TOOL_CALLS][{"name": "add", "arguments": {"x": 1}}]', "So:"),
        ('a < b\n<function=add>{"x": 1}</function>', "a < b"),
        ('<|python_tag|>{"name": "add", "parameters": {"x": 1}}', ""),
        ("Thought [1]: no call {}.", "Thought [1]: no call {}."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("stream", [True, False])
def test_under_auto_a_call_is_cut_out_of_the_text(
    lm: flashlm.LanguageModel, text: str, content: str, stream: bool
) -> None:
    model, _ = scripted(lm, text)
    if stream:
        deltas = list(model.generate_stream(USER, tools_to_call_from=[Add()], tool_choice="auto"))
        message = models.agglomerate_stream_deltas(deltas)
    else:
        message = model.generate(USER, tools_to_call_from=[Add()], tool_choice="auto")
        assert message.raw["out"] == text
    assert message.content.strip() == content
    assert len(message.tool_calls or []) == (0 if content == text else 1)


def test_what_is_no_call_is_streamed_at_once(lm: flashlm.LanguageModel) -> None:
    text = "<think>a { b </think> The answer is four, and no call comes."
    model, _ = scripted(lm, text)
    deltas = list(model.generate_stream(USER, tools_to_call_from=[Add()], tool_choice="auto"))
    assert "".join(delta.content or "" for delta in deltas) == text
    assert len(deltas) > 5


def test_no_messages_at_all_are_answered(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(lm, "a", "b")
    assert model.generate([]).content == "a"
    assert models.agglomerate_stream_deltas(list(model.generate_stream([]))).content == "b"
    assert session.asked[0]["messages"] == [{"role": "user", "content": ""}]


def test_completion_settings_are_those_of_smolagents(lm: flashlm.LanguageModel) -> None:
    message = [models.ChatMessage(models.MessageRole.USER, [{"type": "text", "text": "Hello"}])]
    prepare = FlashModel(lm, max_tokens=100, temperature=0.5)._prepare_completion_kwargs
    settings = prepare(message, max_tokens=50, top_p=0.9)
    assert (settings["max_tokens"], settings["temperature"], settings["top_p"]) == (100, 0.5, 0.9)
    removed = FlashModel(lm, max_tokens=models.REMOVE_PARAMETER, temperature=0.7)
    assert "max_tokens" not in removed._prepare_completion_kwargs(message, max_tokens=200)
    for choice in ("auto", "add", {"type": "function", "function": {"name": "add"}}):
        settings = FlashModel(lm)._prepare_completion_kwargs(
            message, tools_to_call_from=[Add()], tool_choice=choice
        )
        assert settings["tool_choice"] == choice
    plain = FlashModel(lm)._prepare_completion_kwargs
    assert plain(message, tools_to_call_from=[Add()])["tool_choice"] == "required"
    assert "tool_choice" not in plain(message, tools_to_call_from=[Add()], tool_choice=None)
    assert "tool_choice" not in plain(message)


def test_the_models_settings_come_before_a_calls_but_for_its_length(
    lm: flashlm.LanguageModel,
) -> None:
    model, session = scripted(lm, *"abcd", temperature=0.5, max_new_tokens=7)
    model.generate(USER, temperature=1.0, top_k=3)
    assert {name: session.asked[0][name] for name in ("temperature", "top_k", "max_new_tokens")} == {
        "temperature": 0.5, "top_k": 3, "max_new_tokens": 7,
    }  # fmt: skip
    model.generate(USER, max_tokens=9)
    assert session.asked[1]["max_new_tokens"] == 9
    other, asked = scripted(lm, *"ab", temperature=models.REMOVE_PARAMETER, max_tokens=11)
    other.generate(USER, temperature=1.0)
    assert "temperature" not in asked.asked[0]
    assert asked.asked[0]["max_new_tokens"] == 11


def test_without_a_tool_choice_a_tool_may_be_called_or_not(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(lm, "no", call("add", x=1))
    assert model.generate(USER, tools_to_call_from=[Add()], tool_choice=None).content == "no"
    assert "response_format" not in session.asked[0]
    tools = [Add(), smolagents.FinalAnswerTool()]
    model.generate(USER, tools_to_call_from=tools, tool_choice="add")
    assert [tool["function"]["name"] for tool in session.asked[1]["tools"]] == ["add"]


def test_arguments_of_transformers_models_are_taken_and_ignored_with_one_warning(
    tiny: Path,
) -> None:
    with pytest.warns(
        UserWarning, match="device_map, torch_dtype, trust_remote_code, model_kwargs: ignored"
    ) as told:
        model = FlashModel(
            str(tiny), device_map="auto", torch_dtype="float16", trust_remote_code=True, model_kwargs={"a": 1},
            max_new_tokens=2, do_sample=False, apply_chat_template_kwargs={"enable_thinking": False},
        )  # fmt: skip
    assert [warning.filename for warning in told] == [__file__]
    assert model.template_variables == {"enable_thinking": False}
    assert model.generate(USER).token_usage.output_tokens <= 2
    assert "device_map" not in model.to_dict()
    model.close()


def test_a_required_call_is_held_to_the_tools_schema(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(lm, call("add", x=1), call("add", x=1))
    message = model.generate(USER, stop_sequences=["Observation:"], tools_to_call_from=[Add()])
    assert message.tool_calls[0].function.name == "add"
    schema = session.asked[0]["response_format"]["json_schema"]["schema"]
    assert schema["properties"]["name"] == {"const": "add"}
    assert schema["properties"]["arguments"]["required"] == ["x"]
    assert session.asked[0]["stop"] == []
    model.generate(USER, tools_to_call_from=[Add()], parallel_tool_calls=True)
    assert session.asked[1]["response_format"]["json_schema"]["schema"]["type"] == "array"


def test_the_tiny_model_emits_valid_calls(lm: flashlm.LanguageModel) -> None:
    tools = [Add(), smolagents.FinalAnswerTool()]
    for seed in range(5):
        model = FlashModel(lm, temperature=1.5, seed=seed, max_new_tokens=60)
        message = model.generate([{"role": "user", "content": "x"}], tools_to_call_from=tools)
        called = message.tool_calls[0].function
        if called.name == "add":
            smolagents.tools.validate_tool_arguments(tools[0], called.arguments)
        else:
            assert called.name == "final_answer"


def test_tool_choice_is_kept(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(lm, "no", call("add", x=1))
    assert model.generate(USER, tools_to_call_from=[Add()], tool_choice="none").tool_calls is None
    assert "tools" not in session.asked[0]
    chosen = {"type": "function", "function": {"name": "add"}}
    tools = [Add(), smolagents.FinalAnswerTool()]
    model.generate(USER, tools_to_call_from=tools, tool_choice=chosen)
    assert [tool["function"]["name"] for tool in session.asked[1]["tools"]] == ["add"]
    chosen["function"] = {"name": "other"}
    with pytest.raises(flashlm.ArgumentError, match="expected one of add, final_answer"):
        model.generate(USER, tools_to_call_from=tools, tool_choice=chosen)
    with pytest.raises(flashlm.ArgumentError, match="tool_choice"):
        model.generate(USER, tools_to_call_from=tools, tool_choice="perhaps")


def test_messages_become_texts_with_roles_that_alternate() -> None:
    role = models.MessageRole
    messages = [
        models.ChatMessage(
            role.SYSTEM, [{"type": "text", "text": "Be"}, {"type": "text", "text": "brief."}]
        ),
        {"role": "user", "content": "Task"},
        models.ChatMessage(role.TOOL_CALL, [{"type": "text", "text": "call"}]),
        models.ChatMessage(role.TOOL_RESPONSE, [{"type": "text", "text": "seen"}]),
        {"role": "user", "content": [{"type": "text", "text": "more"}]},
        {"role": "critic", "content": "bad"},
    ]
    assert flatten_messages(messages, {"critic": "user"}) == [
        {"role": "system", "content": "Be\nbrief."},
        {"role": "user", "content": "Task"},
        {"role": "assistant", "content": "call"},
        {"role": "user", "content": "seen\nmore\nbad"},
    ]
    with pytest.raises(flashlm.ArgumentError, match=r"messages\[5\]: expected a role"):
        flatten_messages(messages)
    with pytest.raises(flashlm.ArgumentError, match="Only text can be read"):
        flatten_messages([{"role": "user", "content": [{"type": "image", "image": b""}]}])


def test_roles_of_ones_own_are_given_once_or_per_call(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(lm, "a", "b", custom_role_conversions={"critic": "user"})
    model.generate([{"role": "critic", "content": "x"}])
    model.generate(
        [{"role": "poet", "content": "x"}], custom_role_conversions={"poet": "assistant"}
    )
    assert [asked["messages"][0]["role"] for asked in session.asked] == ["user", "assistant"]


def test_a_model_survives_the_way_through_a_dict(tiny: Path) -> None:
    model = FlashModel(
        str(tiny), memory="75%", context=64, temperature=0.5, seed=3, max_new_tokens=7
    )
    told = json.loads(json.dumps(model.to_dict()))
    again = FlashModel.from_dict(told)
    assert again.to_dict() == model.to_dict()
    assert again.generate(USER).content == model.generate(USER).content
    assert again.language_model.context == 64
    model.close()
    again.close()


def test_an_agent_survives_the_way_through_a_dict(tiny: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(tiny, context=64) as lm:
        agent = smolagents.ToolCallingAgent(tools=[TopDailyPapers()], model=FlashModel(lm))
        again = smolagents.ToolCallingAgent.from_dict(agent.to_dict())
    assert isinstance(again.model, FlashModel)
    assert again.model.language_model.context == 64
    assert "get_hugging_face_top_daily_paper_ids_by_topic" in again.tools
    again.model.close()


def test_the_context_is_the_models_own_as_far_as_the_budget_allows(tiny: Path) -> None:
    model = FlashModel(tiny)
    assert model.language_model.context == 128
    model.close()


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({"num_beams": 4}, "num_beams"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"temperature": -1}, "temperature"),
    ],
)
def test_settings_that_nobody_knows_are_refused(
    lm: flashlm.LanguageModel, settings: Any, name: str
) -> None:
    with pytest.raises(flashlm.ArgumentError, match=name):
        FlashModel(lm, **settings).generate(USER, max_new_tokens=1)


def test_a_conversation_that_is_too_long_says_so(lm: flashlm.LanguageModel) -> None:
    with pytest.raises(flashlm.ShapeError, match="128"):
        FlashModel(lm).generate([{"role": "user", "content": "word " * 200}])


def test_threads_take_turns(lm: flashlm.LanguageModel) -> None:
    model = FlashModel(lm, max_new_tokens=8)
    questions = [[{"role": "user", "content": f"Question {n}"}] for n in range(6)]
    expected = [model.generate(question).content for question in questions]
    got: dict[int, str] = {}

    def ask(index: int) -> None:
        deltas = model.generate_stream(questions[index])
        got[index] = "".join(delta.content or "" for delta in deltas)

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [got[index] for index in range(6)] == expected


def test_a_stream_that_is_left_does_not_block_the_next_question(lm: flashlm.LanguageModel) -> None:
    model = FlashModel(lm, max_new_tokens=8)
    left = model.generate_stream(USER)
    next(left)
    assert model.generate(USER).content == lm.chat(USER, max_new_tokens=8)
    assert list(left)[-1].token_usage.output_tokens < 8
    dropped = model.generate_stream(USER)
    next(dropped)
    dropped.close()
    assert model.generate(USER).content


def test_the_second_step_does_not_compute_the_first_again(lm: flashlm.LanguageModel) -> None:
    model = FlashModel(lm)
    first = model.generate(USER, max_new_tokens=12)
    before = lm.stats.reused_tokens
    later = [
        *USER,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": "On"},
    ]
    model.generate(later, max_new_tokens=1)
    assert lm.stats.reused_tokens - before >= first.token_usage.input_tokens


@pytest.mark.real
def test_the_second_step_computes_its_own_tokens_only(real: Path) -> None:
    with flashlm.LanguageModel.from_pretrained(real, memory="50%", context=1024) as lm:
        model = FlashModel(lm, temperature=1.2, seed=5)
        first = model.generate(
            [{"role": "user", "content": "Tell me about the moon."}], max_new_tokens=60
        )
        before = lm.stats
        said = {"role": "assistant", "content": first.content}
        later = [
            {"role": "user", "content": "Tell me about the moon."},
            said,
            {"role": "user", "content": "Go on."},
        ]
        second = model.generate(later, max_new_tokens=1)
        assert second.raw["reused_tokens"] == first.token_usage.total_tokens - 1
        assert (
            second.raw["computed_tokens"]
            == second.token_usage.input_tokens - second.raw["reused_tokens"]
        )
        # All that was read and written, but the last token, which was never put in.
        assert lm.stats.reused_tokens - before.reused_tokens == first.token_usage.total_tokens - 1
        assert second.token_usage.input_tokens - first.token_usage.total_tokens < 20


@pytest.mark.parametrize("tool", [TopDailyPapers, DownloadPaper, ReadPdf])
def test_a_tool_survives_saving_and_loading(tool: Any, tmp_path: Path) -> None:
    made = tool()
    made.save(tmp_path / "saved", make_gradio_app=tool is not TopDailyPapers)
    code = (tmp_path / "saved" / "tool.py").read_text()
    again = smolagents.Tool.from_code(code)
    assert (again.name, again.inputs, again.output_type) == (
        made.name,
        made.inputs,
        made.output_type,
    )
    with pytest.raises((flashlm.Error, TypeError)):
        again(**dict.fromkeys(again.inputs))


@needs_papers
def test_the_tools_find_download_and_read(hub: FakeHub, tmp_path: Path) -> None:
    top, download, read = paper_tools()
    assert top(topic="LLM", num_papers=1) == ["2611.00001"]
    path = download(paper_id="2611.00001")
    assert Path(path).is_relative_to(tmp_path / "hf")
    text = read(file_path=path)
    assert text.startswith("[page 1 of 3]\nReading LLM Weights from Flash")
    assert "[page 3 of 3]" in text
    assert read(file_path=path, first_page=2, last_page=2).startswith("[page 2 of 3]\nMethod.")
    asked = len(hub.asked)
    assert download(paper_id="2611.00001") == path
    assert len(hub.asked) == asked
    with pytest.raises(flashlm.Error, match="found none"):
        top(topic="quantum chemistry")
    for wrong in ("../../x", "/etc/passwd", "2611.00001/../x", ""):
        with pytest.raises(flashlm.ArgumentError, match="arXiv id"):
            download(paper_id=wrong)
    with pytest.raises(flashlm.IoError, match="404"):
        download(paper_id="2611.09999")
    long = ReadPdf(max_characters=300)(file_path=path)
    assert len(long) < 400
    assert "read them with first_page=" in long


@needs_papers
@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_calling_agent_reads_a_paper(
    lm: flashlm.LanguageModel, hub: FakeHub, stream: bool
) -> None:
    def read(messages: list[dict[str, str]]) -> str:
        path = messages[-1]["content"].split("Observation:")[-1].split()[0]
        return call("read_pdf_file", file_path=path)

    model, session = scripted(
        lm,
        call("get_hugging_face_top_daily_paper_ids_by_topic", topic="LLM", num_papers=1),
        call("download_paper_by_id", paper_id="2611.00001"),
        read,
        call("final_answer", answer="Weights on flash."),
    )
    agent = smolagents.ToolCallingAgent(
        tools=paper_tools(), model=model, stream_outputs=stream, verbosity_level=0, max_steps=5
    )
    result = agent.run("Summarize the top paper about LLMs.", return_full_result=True)
    assert result.output == "Weights on flash."
    assert "Longer reads are faster" in session.asked[3]["messages"][-1]["content"]
    assert result.token_usage.input_tokens > 0
    assert "/pdf/2611.00001" in hub.asked


@needs_papers
@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("structured", [False, True])
def test_a_code_agent_reads_a_paper(lm: flashlm.LanguageModel, structured: bool) -> None:
    lines = [
        "ids = get_hugging_face_top_daily_paper_ids_by_topic(topic='LLM', num_papers=1)",
        "text = read_pdf_file(download_paper_by_id(ids[0]))",
        "final_answer({'url': 'https://arxiv.org/abs/' + ids[0], 'topic': 'LLM', 'pages': text.count('[page ')})",
    ]
    code = "\n".join(lines)
    answer = (
        json.dumps({"thought": "I read.", "code": code})
        if structured
        else f"I read.\n<code>\n{code}\n</code>"
    )
    model, session = scripted(lm, answer)
    agent = smolagents.CodeAgent(
        tools=paper_tools(),
        model=model,
        use_structured_outputs_internally=structured,
        verbosity_level=0,
        max_steps=1,
    )
    result = agent.run("Summarize the top paper about LLMs.")
    assert result == {"url": "https://arxiv.org/abs/2611.00001", "topic": "LLM", "pages": 3}
    assert ("response_format" in session.asked[0]) == structured


@needs_papers
@pytest.mark.real
@pytest.mark.slow
@pytest.mark.usefixtures("hub")
def test_the_real_model_makes_valid_calls_and_ends(real: Path) -> None:
    model = FlashModel(real, max_new_tokens=80)
    assert model.language_model.context == 8192
    agent = smolagents.ToolCallingAgent(
        tools=paper_tools(), model=model, verbosity_level=0, max_steps=3
    )
    result = agent.run(
        "Find the top paper about LLM, download it, read it, and summarize it.",
        return_full_result=True,
    )
    assert result.state in ("success", "max_steps_error")
    assert result.output
    calls = [
        call for step in agent.memory.steps for call in getattr(step, "tool_calls", None) or ()
    ]
    assert calls
    names = {tool.name for tool in paper_tools()} | {"final_answer"}
    assert {call.name for call in calls} <= names
    errors = [step.error for step in agent.memory.steps if getattr(step, "error", None) is not None]
    assert not any(isinstance(error, smolagents.AgentParsingError) for error in errors)
    model.close()


class Bad(smolagents.Tool):  # type: ignore[misc, name-defined]
    """Throws, or returns megabytes."""

    name = "bad"
    description = "Fails."
    inputs = {"how": {"type": "string", "description": "How."}}  # noqa: RUF012
    output_type = "string"

    def forward(self, how: str) -> str:
        if how == "throw":
            raise RuntimeError("out of cheese")
        return "x" * 4_000_000


def test_an_agent_goes_on_after_a_tool_that_throws(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(lm, call("bad", how="throw"), call("final_answer", answer="done"))
    agent = smolagents.ToolCallingAgent(tools=[Bad()], model=model, verbosity_level=0)
    assert agent.run("x") == "done"
    assert "out of cheese" in session.asked[1]["messages"][-1]["content"]


def test_megabytes_from_a_tool_are_cut_with_a_note(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(
        lm, call("bad", how="much"), call("bad", how="much"), call("final_answer", answer="done")
    )
    session.context_size = 20_000
    agent = smolagents.ToolCallingAgent(tools=[Bad()], model=model, verbosity_level=0, max_steps=3)
    assert agent.run("x") == "done"
    second, third = (asked["messages"] for asked in session.asked[1:])
    assert re.search(r"x{100}\n\[cut: the first \d+ of 4000\d+ bytes\]$", second[-1]["content"])
    assert len(lm.tokenizer.encode_parts(lm.chat_template.render_parts(third, []))) < 20_000 - 1024
    assert third[:2] == second[:2]  # the task is not cut


def test_results_are_cut_alike_in_the_next_step(lm: flashlm.LanguageModel) -> None:
    model, session = scripted(lm, "a", "b")
    session.context_size = 1000
    long = [{"role": "user", "content": "Task"}, {"role": "tool-response", "content": "w " * 2000}]
    model.generate(long, max_new_tokens=50)
    model.generate(
        [*long, {"role": "assistant", "content": "a"}, {"role": "user", "content": "On"}],
        max_new_tokens=50,
    )
    first, second = (asked["messages"] for asked in session.asked)
    assert second[0] == first[0]
    assert first[0]["content"].endswith("of 4000 bytes]")
    short = [{"role": "user", "content": "Task"}, {"role": "tool-response", "content": "w " * 10}]
    session.answers.append("c")
    model.generate(short)
    assert session.asked[2]["messages"] == [{"role": "user", "content": "Task\n" + "w " * 10}]


def test_a_model_that_never_answers_ends_with_the_steps(lm: flashlm.LanguageModel) -> None:
    model, _ = scripted(lm, "", "", "")
    agent = smolagents.CodeAgent(tools=[], model=model, verbosity_level=0, max_steps=2)
    result = agent.run("x", return_full_result=True)
    assert result.state == "max_steps_error"
