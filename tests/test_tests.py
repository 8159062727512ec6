"""What every test owes its reader, and every code block its author."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Run, compared or parsed by the root conftest.py; `text` shows what needs no running.
LANGUAGES = {"python", "console", "json", "toml", "text"}


def test_every_test_says_what_is_true() -> None:
    """A test begins with a sentence, so that a failure reads as the sentence that broke."""
    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]

    assert not silent


def test_every_code_block_is_of_a_kind_that_is_run() -> None:
    """No example goes stale because nothing runs its language."""
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]

    strange = [
        f"{path.relative_to(ROOT)}: {language or 'no language'}"
        for path in documents
        if "_build" not in path.parts
        for language in opened_blocks(path.read_text(encoding="utf-8"))
        if language not in LANGUAGES and not language.startswith("{")
    ]

    assert not strange


def opened_blocks(text: str) -> list[str]:
    """The language of every fenced block: of two fences in a row the first opens."""
    return re.findall(r"^ *(?:```|~~~)(.*)$", text, flags=re.MULTILINE)[::2]
