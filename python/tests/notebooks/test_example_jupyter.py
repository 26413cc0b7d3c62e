"""The notebook among the examples, run as a whole in a kernel of its own, twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[3] / "examples" / "jupyter" / "catalogue.ipynb"


def shown(cell: Any) -> str:
    return "".join(it.text if it.output_type == "stream" else it.data["text/plain"] for it in cell.outputs)


def test_the_notebook_fills_its_database_once_however_often_it_runs(tmp_path: Path) -> None:
    """F3"""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert all(not cell.outputs for cell in notebook.cells if cell.cell_type == "code"), "commit it without outputs"
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}})
    runs = []
    with client.setup_kernel():
        for _ in range(2):
            for index, cell in enumerate(notebook.cells):
                client.execute_cell(cell, index)
            runs.append([shown(cell) for cell in notebook.cells if cell.cell_type == "code"])
    first, second = runs
    kinds, prices = first[2], first[4]
    assert kinds.startswith("filled in ")
    assert "('clover', " in kinds
    assert prices == "[80, 80]"
    assert second[2] == kinds[kinds.index("[") :]
    assert second[4] == prices
    for table in (first[5], second[5]):
        # Name, entries, hits, misses, hit rate and its sign, builds.
        built = {line.split()[0]: line.split()[6] for line in table.splitlines()[1:]}
        assert built == {"catalogue": "1", "price_service": "1"}, table
