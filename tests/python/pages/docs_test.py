# SPDX-License-Identifier: Apache-2.0
"""Every public name has a docstring, and every example in it runs."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
import types
from pathlib import Path

import pytest

import flashlm
from flashlm import home
from public_api import public_objects

FLAGS = doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL
WITHOUT_EXAMPLE = (BaseException, str)  # errors are raised, not called


OBJECTS = dict(public_objects())


@pytest.mark.parametrize("name", OBJECTS)
def test_a_public_name_has_a_docstring(name: str) -> None:
    value = OBJECTS[name]
    if not isinstance(value, str):
        assert (getattr(value, "__doc__", None) or "").strip()


@pytest.mark.parametrize(
    "name", [n for n, v in OBJECTS.items() if ">>>" in (getattr(v, "__doc__", None) or "")]
)
def test_an_example_runs(
    name: str, tiny: Path, tiny_source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.flash").symlink_to(tiny)
    shutil.copytree(tiny_source, tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLASHLM_HOME", str(tmp_path / "home"))
    names: dict[str, object] = {"flashlm": flashlm, "home": home.home, "Path": Path}
    with flashlm.LanguageModel.from_pretrained("tiny.flash", memory="50%") as lm:
        names["lm"] = lm
        example = doctest.DocTestParser().get_doctest(
            getattr(OBJECTS[name], "__doc__", ""), dict(names), name, None, None
        )
        said: list[str] = []
        doctest.DocTestRunner(optionflags=FLAGS).run(example, out=said.append)
        assert not said, "".join(said)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, value in OBJECTS.items()
        if isinstance(value, (types.FunctionType, property, type, classmethod))
        and not (isinstance(value, type) and issubclass(value, WITHOUT_EXAMPLE))
        and not getattr(inspect.unwrap(value), "__module__", "").endswith("_core")  # type: ignore[arg-type]
    ],
)
def test_what_python_defines_has_an_example(name: str) -> None:
    owner = name.split(".")[1]
    if owner in {"LanguageModel", "Session", "ChatTemplate", "pack", "verify"}:
        assert ">>>" in (OBJECTS[name].__doc__ or "")


ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))], ids=lambda path: path.stem
)
def test_a_page_whose_commands_draw_installs_what_draws(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    if "--plot" in text:
        assert re.search(r"pip install '[^']*\[[^]]*\bplot\b[^]]*\]'", text)
