# SPDX-License-Identifier: Apache-2.0
"""The notebooks run from top to bottom on real models."""

from __future__ import annotations

from pathlib import Path

import pytest

from fake_hub import fake_hub
from flashlm.papers import net, pdf

# What the outputs of each say when all went well.
SAID = {
    "01_quickstart": "equal, bit for bit",
    "02_sparsity_and_predictors": "equal, bit for bit",
    "03_window_and_policies": "equal, bit for bit",
    "05_agent_reads_papers": "made of pages 1-8",
    "06_your_own_tools": "'population': ",
}
ROOT = Path(__file__).resolve().parents[3]
ON_TINY_OPT = {"02_sparsity_and_predictors", "03_window_and_policies"}  # tests/models
NOTEBOOKS = [
    pytest.param(path, id=path.stem) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
]


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_notebook_runs(
    path: Path, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if path.stem == "05_agent_reads_papers" and not (net.available() and pdf.available()):
        pytest.skip("flashlm was built without libcurl or poppler")
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    if path.stem not in ON_TINY_OPT:
        monkeypatch.setenv("FLASHLM_HOME", str(request.getfixturevalue("real").parent))
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    notebook = nbformat.read(path, as_version=4)
    with fake_hub() as hub:
        for name, value in hub.environment(str(tmp_path / "hf")).items():
            monkeypatch.setenv(name, value)
        # The times are those after which something hangs: what a cell prints may come late.
        nbclient.NotebookClient(
            notebook,
            timeout=3600,
            startup_timeout=1200,
            iopub_timeout=1200,
            resources={"metadata": {"path": str(tmp_path / "notebooks")}},
        ).execute()
    outputs = [
        output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    ]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any(SAID[path.stem] in output.get("text", "") for output in outputs)
