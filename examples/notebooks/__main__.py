"""Runs the notebooks beside this file and writes what their cells show into them.

    python -m examples.notebooks

The cells of a notebook run in one namespace and in an empty folder, without Jupyter: what they
print and what their last line is worth are kept as Jupyter keeps them. The tests do the same and
compare (`tests/examples/test_notebooks.py`), so what a notebook shows here is what it gives.
"""

import ast
import contextlib
import io
import json
import tempfile
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def notebooks() -> list[Path]:
    return sorted(FOLDER.glob("*.ipynb"))


def read(path: Path) -> dict[str, Any]:
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return notebook


def run(notebook: dict[str, Any], folder: Path) -> list[list[dict[str, Any]]]:
    """The outputs of the code cells, in order."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    with contextlib.chdir(folder):
        return [
            outputs("".join(cell["source"]), number, namespace)
            for number, cell in enumerate(code, start=1)
        ]


def outputs(source: str, number: int, namespace: dict[str, Any]) -> list[dict[str, Any]]:
    """Run a cell; return what it prints, and what its last line is worth."""
    name = f"<cell {number}>"
    body = ast.parse(source, name).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    value = None
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(ast.Module(body, []), name, "exec"), namespace)  # noqa: S102 - our own cells
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), name, "eval"), namespace)
    found: list[dict[str, Any]] = []
    if printed.getvalue():
        found.append({"name": "stdout", "output_type": "stream", "text": lines(printed.getvalue())})
    if value is not None:
        data = {"text/plain": lines(repr(value))}
        if hasattr(value, "_repr_html_"):
            data["text/html"] = lines(value._repr_html_())
        result = {"data": data, "execution_count": number, "metadata": {}}
        found.append({**result, "output_type": "execute_result"})
    return found


def lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main() -> None:
    for path in notebooks():
        notebook = read(path)
        with tempfile.TemporaryDirectory() as folder:
            shown = run(notebook, Path(folder))
        code = (cell for cell in notebook["cells"] if cell["cell_type"] == "code")
        for number, (cell, found) in enumerate(zip(code, shown, strict=True), start=1):
            cell.update(execution_count=number, outputs=found)
        text = json.dumps(notebook, indent=1, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8")
        print(path.name)


if __name__ == "__main__":
    main()
