# SPDX-License-Identifier: Apache-2.0
"""pre_tokenizers.py: how vocabularies of GGUF files cut text, by the names of llama.cpp.

The regexes are those of the models' own tokenizer.json.
"""

from __future__ import annotations

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
_FRONT = r"[^\r\n\p{L}\p{N}]?"
_UPPER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]"
_LOWER = r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_OTHERS = r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"

LLAMA3 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + _SPACES
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = (
    _CONTRACTIONS
    + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
    + _SPACES
)
O200K = (
    f"{_FRONT}{_UPPER}*{_LOWER}+{_CONTRACTIONS}?|{_FRONT}{_UPPER}+{_LOWER}*{_CONTRACTIONS}?"
    r"|\p{N}{1,3}" + _OTHERS + _SPACES
)
TEKKEN = f"{_FRONT}{_UPPER}*{_LOWER}+|{_FRONT}{_UPPER}+{_LOWER}*" + r"|\p{N}" + _OTHERS + _SPACES
_DEEPSEEK3 = (
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"
    r"|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*" + _SPACES
)
_LETTERS = (
    "A-Za-z\u00b5\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u01ba\u01bc-\u01bf\u01c4-\u0293\u0295-"
    "\u02af\u0370-\u0373\u0376\u0377\u037b-\u037d\u037f\u0386\u0388-\u038a\u038c\u038e-"
    "\u03a1\u03a3-\u03f5\u03f7-\u0481\u048a-\u052f\u0531-\u0556\u10a0-\u10c5\u13a0-\u13f5"
    "\u13f8-\u13fd\u1c90-\u1cba\u1cbd-\u1cbf\u1d00-\u1d2b\u1d6b-\u1d77\u1d79-\u1d9a\u1e00"
    "-\u1f15\u1f18-\u1f1d\u1f20-\u1f45\u1f48-\u1f4d\u1f50-\u1f57\u1f59\u1f5b\u1f5d\u1f5f-"
    "\u1f7d\u1f80-\u1fb4\u1fb6-\u1fbc\u1fbe\u1fc2-\u1fc4\u1fc6-\u1fcc\u1fd0-\u1fd3\u1fd6-"
    "\u1fdb\u1fe0-\u1fec\u1ff2-\u1ff4\u1ff6-\u1ffc\u2102\u2107\u210a-\u2113\u2115\u2119-"
    "\u211d\u2124\u2126\u2128\u212a-\u212d\u212f-\u2134\u2139\u213c-\u213f\u2145-\u2149"
    "\u214e\u2183\u2184\u2c00-\u2c7b\u2c7e-\u2ce4\u2ceb-\u2cee\u2cf2\u2cf3\ua640-\ua66d"
    "\ua680-\ua69b\ua722-\ua76f\ua771-\ua787\ua78b-\ua78e\uab70-\uabbf\ufb00-\ufb06\ufb13"
    "-\ufb17\uff21-\uff3a\uff41-\uff5a\U00010400-\U0001044f\U000104b0-\U000104d3"
    "\U000104d8-\U000104fb\U00010c80-\U00010cb2\U00010cc0-\U00010cf2\U000118a0-\U000118df"
    "\U0001e900-\U0001e943"
)
_PUNCTUATION = "!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002"
_CHINESE = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"

Step = dict[str, object]


def byte_level(*, use_regex: bool, add_prefix_space: bool = False) -> Step:
    """The step of tokenizer.json that turns bytes into GPT-2's characters."""
    return {
        "type": "ByteLevel",
        "add_prefix_space": add_prefix_space,
        "trim_offsets": True,
        "use_regex": use_regex,
    }


def _sequence(*steps: Step) -> Step:
    return {"type": "Sequence", "pretokenizers": list(steps)}


def _split(regex: str) -> Step:
    return {
        "type": "Split",
        "pattern": {"Regex": regex},
        "behavior": "Isolated",
        "invert": False,
    }


def _splits(*regexes: str) -> Step:
    return _sequence(*map(_split, regexes), byte_level(use_regex=False))


def _digits(*, one_by_one: bool) -> Step:
    return {"type": "Digits", "individual_digits": one_by_one}


_GPT2 = byte_level(use_regex=True)
_DIGITS = _sequence(_digits(one_by_one=True), byte_level(use_regex=True))
_FALCON = _sequence(
    {"type": "Punctuation", "behavior": "Contiguous"},
    byte_level(use_regex=True),
    _digits(one_by_one=False),
    _split("[0-9][0-9][0-9]"),
)
_DEEPSEEK_LLM = _sequence(
    _split(r"[\r\n]"),
    _split(rf"\s?[{_LETTERS}]+"),
    _split(rf"\s?[{_PUNCTUATION}]+"),
    _split(r"\s+$"),
    _split(_CHINESE),
    _digits(one_by_one=True),
    byte_level(use_regex=False),
)
_DEEPSEEK_CODER = _sequence(
    _split(r"[\r\n]"),
    _split(r"\s?\p{L}+"),
    _split(r"\s?\p{P}+"),
    _split(_CHINESE),
    _digits(one_by_one=True),
    byte_level(use_regex=False),
)
_DEEPSEEK_V3 = _splits(r"\p{N}{1,3}", "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+", _DEEPSEEK3)

# By tokenizer.ggml.pre. Names of one step differ only in what PLAIN and WITH_BOS say.
PRE_TOKENIZERS: dict[str, Step] = {
    **dict.fromkeys(
        ("gpt-2", "phi-2", "mpt", "olmo", "jais", "exaone4", "gigachat", "mellum", "trillion"),
        _GPT2,
    ),
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
        _DIGITS,
    ),
    **dict.fromkeys(
        ("llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "lfm2"),
        _splits(LLAMA3),
    ),
    **dict.fromkeys(("smaug-bpe", "dbrx", "glm4", "glm5", "chatglm-bpe"), _splits(LLAMA3)),
    **dict.fromkeys(
        ("qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "solar-open"),
        _splits(QWEN2),
    ),
    "qwen35": _splits(QWEN35),
    **dict.fromkeys(("gpt-4o", "llama4", "kanana2", "minimax-m2"), _splits(O200K)),
    "tekken": _splits(TEKKEN),
    **dict.fromkeys(("deepseek-v3", "hunyuan-dense", "joyai-llm"), _DEEPSEEK_V3),
    "deepseek-llm": _DEEPSEEK_LLM,
    "deepseek-coder": _DEEPSEEK_CODER,
    "falcon": _FALCON,
}

# Whole words of the vocabulary are tokens, whatever the merges say.
WHOLE_WORDS = frozenset(
    [
        "llama3",
        "llama-v3",
        "llama-bpe",
        "falcon3",
        "falcon-h1",
        "pixtral",
        "lfm2",
        "glm4",
        "glm5",
        "tekken",
    ]
)
# A text begins with BOS unless the file says otherwise.
WITH_BOS = WHOLE_WORDS - {"glm4", "glm5"}
