# SPDX-License-Identifier: Apache-2.0
"""chat_templates.py: makes chat_templates.json, the prompts that transformers makes of the same messages.

python tests/python/golden/chat_templates.py        (needs transformers; see its version in the file)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).with_suffix(".json")
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}

SMOLLM2 = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' "
    "+ '\n'}}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
BLOCKS = """\
{%- if tools %}
    {{- bos_token ~ 'Tools:\\n' }}
    {%- for tool in tools %}
        {{- tool | tojson(indent=2) }}
    {%- endfor %}
{%- endif %}
    {% for message in messages %}
    {% if message.role == 'note' %}{% continue %}{% endif %}
    {% generation %}
[{{ message.role | upper }}] {{ message.content | trim }}{{ eos_token }}
    {% endgeneration %}
    {% endfor %}
{% if add_generation_prompt %}
[ASSISTANT]
{%- endif %}
"""
NAMESPACE = (
    "{% set ns = namespace(system='', n=0) %}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{% set ns.system = m['content'] %}{% elif ns.n < 2 %}{% set ns.n = ns.n + 1 %}{{ ns.n }}. "
    "{{ m['content'] }}\n"
    "{% else %}{% break %}{% endif %}{% endfor %}({{ ns.system }}|{{ missing is defined }}|{{ enable_thinking }})"
)
CALLS = (
    "{% for m in messages %}{% if m.tool_calls %}{% for call in m.tool_calls %}<tool_call>{{ call.function.name }} "
    "{{ call.function.arguments | tojson }}</tool_call>{% endfor %}{% else %}{{ m.content }}{% endif %}{% endfor %}"
    "{% for d in documents or [] %}[{{ d.title }}: {{ d.text }}]{% endfor %}"
)
USER = {"role": "user", "content": "Why <is> the sky & sea blue? \u00fc \U0001f30a"}
TALK = [
    {"role": "system", "content": "Be brief."},
    USER,
    {"role": "note", "content": "seen"},
    {"role": "assistant", "content": "  Rayleigh.\n"},
    {"role": "user", "content": "And 'dusk'?"},
]
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Wetter \u2013 f\u00fcr <Ort>",
        "parameters": {
            "type": "object",
            "properties": {"place": {"type": "string"}},
            "required": ["place"],
        },
    },
}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [
        {
            "type": "function",
            "function": {"name": "weather", "arguments": {"place": "K\u00f6ln", "n": 1}},
        }
    ],
}

CASES: dict[str, dict[str, Any]] = {
    "smollm2 adds its system prompt": {"template": SMOLLM2, "messages": [USER]},
    "smollm2 keeps a given system prompt": {"template": SMOLLM2, "messages": TALK},
    "smollm2 without the beginning of an answer": {
        "template": SMOLLM2,
        "messages": [USER],
        "options": {"add_generation_prompt": False},
    },
    "blocks are trimmed, a generation block is transparent": {"template": BLOCKS, "messages": TALK},
    "tools are written as JSON without escapes": {
        "template": BLOCKS,
        "messages": [USER],
        "options": {"tools": [TOOL]},
    },
    "namespaces, break and other variables": {
        "template": NAMESPACE,
        "messages": TALK,
        "options": {"enable_thinking": False},
    },
    "tool calls and documents": {
        "template": CALLS,
        "messages": [USER, CALL],
        "options": {"documents": [{"title": "A", "text": "b"}]},
    },
}


def by_transformers(case: dict[str, Any]) -> str:
    """The prompt that transformers makes of a case."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **SPECIAL)
    options = {"add_generation_prompt": True, **case.get("options", {})}
    prompt = tokenizer.apply_chat_template(
        case["messages"], chat_template=case["template"], tokenize=False, **options
    )
    assert isinstance(prompt, str)
    return prompt


def main() -> None:
    """Writes the file beside this script."""
    import transformers

    prompts = {name: by_transformers(case) for name, case in CASES.items()}
    golden = {"transformers": transformers.__version__, "prompts": prompts}
    GOLDEN.write_text(json.dumps(golden, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
