"""Imports go one way, and the core needs three packages only."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "lastclick"

CORE_PACKAGES = {"attrs", "lastclick", "pydantic", "pydantic_core", "typing_extensions"}
#: What a file may import besides: the extra that is named for it.
EXTRAS = {
    "cli.py": {"rich", "typer"},
    "__main__.py": {"rich", "typer"},
    "pytest_plugin.py": {"pytest"},
    "sinks/http.py": {"urllib3"},
    "sinks/_receiver.py": {"compression"},  # Python's own, from 3.14 on
    "collect/_app.py": {"prometheus_client", "starlette"},
    "collect/_metrics.py": {"prometheus_client"},
    "collect/_server.py": {"starlette", "uvicorn"},
    "engines/_pack.py": {"duckdb"},
    "engines/_parquet.py": {"duckdb"},
    "engines/_server.py": {"urllib3"},
    "engines/spark.py": {"py4j", "pyspark"},
    "engines/duckdb.py": {"duckdb"},
    "integrations/_identity.py": {"itsdangerous"},
    "integrations/flask.py": {"flask", "click"},
    "page/_babel.py": {"babel"},
}

#: They meet in events and below, and nowhere else. What stands above both may use both.
WRITE_HALF = {"privacy", "sinks", "_parts", "_settings", "_holdout", "_checkout", "_funnel"}
ABOVE_BOTH = {
    "testing",
    "pytest_plugin",
    "_demo",
    "collect",
    "integrations",
    "cli",
    "__main__",
    "__init__",
}
SEAM = {"errors", "_money", "events"}


def half(module: str) -> str | None:
    """The half that a file is of: `sinks/_file.py` is of "write"; None for what is of neither."""
    room = Path(module).parts[0].removesuffix(".py")
    if room in SEAM | ABOVE_BOTH:
        return None
    return "write" if room in WRITE_HALF else "read"


def imports(path: Path) -> Iterator[str]:
    """The full names of all that a file imports, anywhere in it: `lastclick.events.Step`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules() -> list[str]:
    """All files of the library, from its root."""
    return sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.py"))


def test_imports_keep_to_the_contracts() -> None:
    """A module imports from the layers below it only, as pyproject.toml draws them."""
    pytest.importorskip("importlinter.cli")
    lint = (
        "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    )

    # In a process of its own: import-linter switches off the loggers that it finds.
    done = subprocess.run(
        [sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("module", modules())
def test_a_module_imports_core_packages_and_its_own_extra_only(module: str) -> None:
    """Whatever is not pydantic, attrs, typing-extensions or Python's own belongs to an extra."""
    own = {"asgiref", "django"} if module.startswith("integrations/django/") else set()
    allowed = CORE_PACKAGES | EXTRAS.get(module, own) | sys.stdlib_module_names

    foreign = {name for name in imports(SOURCE / module) if name.split(".")[0] not in allowed}

    assert not foreign


@pytest.mark.parametrize("module", modules())
def test_the_halves_do_not_import_each_other(module: str) -> None:
    """What writes knows nothing of what reads, and the other way round: only events join them."""
    own = half(module)
    inner = {name for name in imports(SOURCE / module) if name.startswith("lastclick.")}

    others = {half(name.removeprefix("lastclick.").split(".")[0]) for name in inner} - {own, None}

    assert own is None or not others


@pytest.mark.parametrize("module", modules())
def test_no_module_below_the_rim_imports_the_root(module: str) -> None:
    """The root hands out what the modules hold; importing it from within would go in a circle."""
    rooms = {f"lastclick.{path.stem}" for path in SOURCE.iterdir()}
    own = {name for name in imports(SOURCE / module) if name.split(".")[0] == "lastclick"}

    from_root = {name for name in own if ".".join(name.split(".")[:2]) not in rooms}

    rim = module in {"cli.py", "_demo.py"} or module.startswith("integrations/")
    assert not from_root or rim
