"""Imports go one way, and the core needs three packages only."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "lastclick"

CORE_PACKAGES = {"attrs", "lastclick", "pydantic", "pydantic_core", "typing_extensions"}
#: What a file may import besides: the extra that is named for it.
EXTRAS = {"cli.py": {"rich", "typer"}}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module
            yield node.module


def modules() -> list[str]:
    return sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))


def test_imports_keep_to_the_contracts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layers, and the wall between the two halves, stand as pyproject.toml draws them."""
    importlinter = pytest.importorskip("importlinter.cli")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "path", list(sys.path))

    assert importlinter.lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_core_packages_and_its_own_extra_only(module: str) -> None:
    """Whatever is not pydantic, attrs, typing-extensions or Python's own belongs to an extra."""
    allowed = CORE_PACKAGES | EXTRAS.get(module, set()) | sys.stdlib_module_names

    foreign = {name for name in imports(SOURCE / module) if name.split(".")[0] not in allowed}

    assert not foreign


@pytest.mark.parametrize("module", modules())
def test_no_module_below_the_rim_imports_the_root(module: str) -> None:
    """The root hands out what the modules hold; importing it from within would go in a circle."""
    assert "lastclick" not in imports(SOURCE / module) or module in {"cli.py", "_demo.py"}
