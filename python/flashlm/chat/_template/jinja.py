# SPDX-License-Identifier: Apache-2.0
"""jinja.py: the sandbox that chat templates run in; imported when the first template is compiled.

The environment is the one of transformers (``apply_chat_template``): an immutable sandbox,
``trim_blocks`` and ``lstrip_blocks``, loop controls, ``{% generation %}`` blocks,
``raise_exception``, ``strftime_now``, and a ``tojson`` that does not escape HTML. A template comes
with a model, so it is foreign code: it has bounds in time and size too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from typing import Any

import jinja2
import jinja2.compiler
import jinja2.ext
import jinja2.filters
import jinja2.nodes
import jinja2.parser
import jinja2.runtime
import jinja2.sandbox
import jinja2.utils
from jinja2.exceptions import SecurityError

from flashlm.chat._template import marked
from flashlm.chat._template.marked import Marked

MAX_TEMPLATE_CHARS = 1 << 20
MAX_OUTPUT_CHARS = 1 << 26
MAX_SECONDS = 10.0  # of computing: a machine that stands still is not the template's fault
_MAX_REPEAT = 1 << 16
_MAX_EXPONENT = 64

_deadline: ContextVar[float] = ContextVar("deadline", default=float("inf"))


class Refused(jinja2.TemplateError):
    """The template called ``raise_exception``."""


class Exhausted(jinja2.TemplateError):
    """The template took too long or wrote too much."""


def _check_time() -> None:
    if time.thread_time() > _deadline.get():
        raise Exhausted(f"it ran longer than {MAX_SECONDS:g} s")


class _Generation(jinja2.ext.Extension):
    """``{% generation %}...{% endgeneration %}``: marks what the assistant wrote.

    Here it only has its own scope.
    """

    tags = {"generation"}  # noqa: RUF012 - as Extension declares it

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


class _Namespace(jinja2.utils.Namespace):
    """``namespace(...)`` without names that begin with an underscore.

    Those lead to Python's insides.
    """

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, *rest = args
        values = dict(*rest, **kwargs)
        for name in values:
            _Namespace._check(name)
        jinja2.utils.Namespace.__init__(self, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _Namespace._check(name)
        super().__setitem__(name, value)

    @staticmethod
    def _check(name: object) -> None:
        if isinstance(name, str) and name.startswith("_"):
            raise SecurityError(
                f"a namespace holds no name with a leading underscore, got {name!r}"
            )


class _Environment(jinja2.sandbox.ImmutableSandboxedEnvironment):
    """The sandbox, with a clock at every call and look-up, and a bound on ``*`` and ``**``."""

    intercepted_binops = frozenset(("*", "**"))

    def call(self, __context: jinja2.runtime.Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: PYI063
        _check_time()
        return super().call(__context, __obj, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        _check_time()
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        _check_time()
        return super().getitem(obj, argument)

    def call_binop(
        self, context: jinja2.runtime.Context, operator: str, left: Any, right: Any
    ) -> Any:
        for value, other in ((left, right), (right, left)):
            repeats = (
                operator == "*" and isinstance(value, (str, list, tuple)) and isinstance(other, int)
            )
            if repeats and len(value) * other > _MAX_REPEAT:
                raise Exhausted(f"'*' would make {len(value) * other} characters or items")
        if operator == "**" and isinstance(right, (int, float)) and abs(right) > _MAX_EXPONENT:
            raise Exhausted(f"'**' has the exponent {right}")
        return super().call_binop(context, operator, left, right)


class _MarkedCode(jinja2.compiler.CodeGenerator):
    """Code in which what the template itself says is marked as such."""

    def _output_const_repr(self, group: Any) -> str:
        return f"environment.ours({super()._output_const_repr(group)})"

    def visit_Const(self, node: jinja2.nodes.Const, frame: jinja2.compiler.Frame) -> None:  # noqa: N802
        value = node.as_const(frame.eval_ctx)
        if isinstance(value, (str, list, tuple, dict)):
            self.write(f"environment.ours({value!r})")
        else:
            super().visit_Const(node, frame)

    def visit_Concat(self, node: jinja2.nodes.Concat, frame: jinja2.compiler.Frame) -> None:  # noqa: N802
        self.write("environment.tied((")
        for item in node.nodes:
            self.visit(item, frame)
            self.write(", ")
        self.write("))")


class _Formatter(jinja2.sandbox.SandboxedFormatter):
    """Keeps what it writes for each field."""

    def __init__(self, environment: jinja2.Environment) -> None:
        super().__init__(environment)
        self.written: list[str] = []

    def format_field(self, value: Any, format_spec: str) -> str:
        text = (
            value
            if isinstance(value, Marked) and not format_spec
            else super().format_field(value, format_spec)
        )
        self.written.append(str(text))
        return str(text)


class _MarkedEnvironment(_Environment):
    """The same sandbox, whose texts know who wrote them."""

    code_generator_class = _MarkedCode
    concat = staticmethod(marked.joined)
    ours = staticmethod(marked.ours)

    @staticmethod
    def tied(values: tuple[Any, ...]) -> Marked:
        """What ``~`` makes of its operands."""
        return marked.joined([str(value) for value in values])

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._format_of(obj, attribute) or super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._format_of(obj, argument) or super().getitem(obj, argument)

    def _format_of(self, obj: Any, name: Any) -> Callable[..., Marked] | None:
        """``format`` and ``format_map`` of a text."""
        if not isinstance(obj, Marked) or name not in ("format", "format_map"):
            return None

        def form(*args: Any, **kwargs: Any) -> Marked:
            if name == "format_map":
                (kwargs,), args = args, ()
            formatter = _Formatter(self)
            text = formatter.vformat(obj, args, kwargs)
            pieces: list[str | None] = []
            for literal, field, _, _ in formatter.parse(obj):
                pieces += [literal] if field is None else [literal, None]
            return marked.formatted(obj, text, pieces, formatter.written)

        return form


def _join(
    environment: jinja2.Environment, value: Any, d: str = "", attribute: str | int | None = None
) -> Marked:
    if attribute is not None:
        value = map(jinja2.filters.make_attrgetter(environment, attribute), value)
    joined: Marked = marked.marked(str(d)).join([str(item) for item in value])
    return joined


def _replace(s: Any, old: Any, new: Any, count: int | None = None) -> Marked:
    replaced: Marked = marked.marked(str(s)).replace(
        str(old), str(new), -1 if count is None else count
    )
    return replaced


def _raise_exception(message: str) -> None:
    raise Refused(message)


def _strftime_now(form: str) -> str:
    return datetime.now().astimezone().strftime(form)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def compile_template(text: str) -> Callable[[Mapping[str, Any]], str]:
    """Compiles a chat template; the result renders it with variables.

    Raises jinja2.TemplateError from both.
    """
    return _compiled(text, _Environment)


def compile_marked(text: str) -> Callable[[Mapping[str, Any]], Marked]:
    """The same, with a mark for each character of what is rendered.

    The variables come with their marks.
    """
    return _compiled(text, _MarkedEnvironment)


def _compiled(text: str, kind: type[_Environment]) -> Callable[[Mapping[str, Any]], Any]:
    if len(text) > MAX_TEMPLATE_CHARS:
        raise Exhausted(f"it has {len(text)} characters, at most {MAX_TEMPLATE_CHARS} are read")
    environment = kind(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals.update(
        raise_exception=_raise_exception, strftime_now=_strftime_now, namespace=_Namespace
    )
    if kind is _MarkedEnvironment:
        environment.filters.update(join=jinja2.pass_environment(_join), replace=_replace)
    template = environment.from_string(text)

    def render(variables: Mapping[str, Any]) -> Any:
        token = _deadline.set(time.thread_time() + MAX_SECONDS)
        try:
            pieces: list[str] = []
            size = 0
            for piece in template.generate(variables):
                _check_time()
                size += len(piece)
                if size > MAX_OUTPUT_CHARS:
                    raise Exhausted(f"it wrote more than {MAX_OUTPUT_CHARS} characters")
                pieces.append(piece)
            return environment.concat(pieces)
        finally:
            _deadline.reset(token)

    return render
