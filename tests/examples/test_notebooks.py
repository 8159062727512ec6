"""The notebooks run, and what they show is what they give."""

from pathlib import Path
from typing import Any

import pytest

from examples.notebooks import __main__ as notebooks

EVERY = notebooks.notebooks()


def test_there_are_three() -> None:
    """A first look, a comparison, and a holdout."""
    assert [path.stem for path in EVERY] == ["first_look", "holdout", "two_weeks"]


@pytest.mark.untraced
@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_notebook_gives_what_it_shows(path: Path, tmp_path: Path) -> None:
    """Every cell runs, in order and in an empty folder; the module renews what differs."""
    pytest.importorskip("typer")  # the log comes from `lastclick demo`
    pytest.importorskip("pandas")
    notebook = notebooks.read(path)

    given = notebooks.run(notebook, tmp_path)

    shown = [cell["outputs"] for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert given == shown


@pytest.mark.parametrize("path", EVERY, ids=lambda path: path.stem)
def test_a_notebook_is_one(path: Path) -> None:
    """It has the parts that format 4.5 asks for, and is small enough to be read in a review."""
    notebook = notebooks.read(path)

    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    assert {cell["cell_type"] for cell in notebook["cells"]} == {"markdown", "code"}
    assert path.stat().st_size < 50_000


def test_a_cell_shows_what_it_prints_and_what_its_last_line_is_worth() -> None:
    """As Jupyter does: nothing for None, text for all, HTML for what has it."""

    class Shown:
        def __repr__(self) -> str:
            return "plain"

        def _repr_html_(self) -> str:
            return "<b>rich</b>"

    names: dict[str, Any] = {"shown": Shown()}

    assert notebooks.outputs("x = 1", 1, names) == []
    assert notebooks.outputs("print('a')\nNone", 2, names) == [
        {"name": "stdout", "output_type": "stream", "text": ["a\n"]}
    ]
    assert notebooks.outputs("x\nshown", 3, names) == [
        {
            "data": {"text/plain": ["plain"], "text/html": ["<b>rich</b>"]},
            "execution_count": 3,
            "metadata": {},
            "output_type": "execute_result",
        }
    ]
    with pytest.raises(ZeroDivisionError):
        notebooks.outputs("1 / 0", 4, names)
