# SPDX-License-Identifier: Apache-2.0
"""The notebooks run from top to bottom on the real model."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_hub import fake_hub
from flashlm import net, pdf

# What the outputs of each say when all went well.
SAID = {
    "01_quickstart": "equal, bit for bit",
    "05_agent_reads_papers": "made of pages 1-8",
    "06_your_own_tools": "'population': ",
}
NOTEBOOKS = sorted((Path(__file__).resolve().parent.parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, real: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if path.stem == "05_agent_reads_papers" and not (net.available() and pdf.available()):
        pytest.skip("flashlm was built without libcurl or poppler")
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("FLASHLM_HOME", str(real.parent))
    notebook = nbformat.read(path, as_version=4)
    with fake_hub() as hub:
        for name, value in hub.environment(str(tmp_path / "hf")).items():
            monkeypatch.setenv(name, value)
        nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any(SAID[path.stem] in output.get("text", "") for output in outputs)
