"""Runs every code block of the README, the docs and the docstrings as a test.

In documents, `python` blocks run (those with `>>>` are compared with what they show), the lines
after `$` in `console` blocks run in bash (what they show is compared, `...` stands for anything),
`json` and `toml` blocks are parsed. A document shares its names from block to block, and its
blocks run in one empty folder. Docstrings start with the names of the root and of their module, and
with `funnel`, `events` and `now`: a small log for the examples of what reads one.
"""

import contextlib
import importlib
import json
import os
import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path

import pytest

ROOT = Path(__file__).parent

# The one Django project of a test process: that of tests/integrations, read when it is first used.
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.integrations.djangoshop.settings")


def renew_coverage_lock() -> None:
    """A fork beside busy threads may copy coverage's lock while it is held, for ever."""
    measuring = sys.modules["coverage"].Coverage.current()
    if measuring is not None and measuring._collector is not None:
        measuring._collector.data_lock = threading.Lock()


if "coverage" in sys.modules:  # registered before lastclick is imported, so it runs first
    os.register_at_fork(after_in_child=renew_coverage_lock)


@pytest.fixture(scope="module")
def empty_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder that the examples of one document run in."""
    folder = tmp_path_factory.mktemp("example")
    with contextlib.chdir(folder):
        yield folder


def run_console(commands: str) -> str | None:
    """Run the lines after `$ ` and say how what happens differs from what is shown."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "COLUMNS": "120", "TERM": "dumb"}
    for part in re.split(r"^\$ ", commands, flags=re.MULTILINE)[1:]:
        lines = re.split(r"(?<!\\)\n", part, maxsplit=1)
        command, shown = lines[0], "".join(lines[1:])
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        same = OutputChecker().check_output(shown, done.stdout, ELLIPSIS) or not shown.strip()
        if done.returncode or not same:
            return f"$ {command}\n{done.stdout}\nexit code {done.returncode}, shown was\n{shown}"
    return None


try:
    from sybil import Sybil
    from sybil.document import PythonDocStringDocument
    from sybil.integration.pytest import SybilItem
    from sybil.integration.pytest import example_module_path as evaluated_in
    from sybil.parsers import myst, rest
except ImportError:  # the environment without extras runs only tests/
    collect_ignore_glob = ["src/*", "docs/*", "README.md"]
else:

    def small_log() -> dict[str, object]:
        """A funnel, three attempts (bought, lost, in flight), and an instant ten minutes later."""
        from lastclick import Funnel
        from lastclick.sinks import MemorySink

        noon, minute = datetime(2026, 10, 1, 12, tzinfo=UTC), timedelta(minutes=1)
        now = noon + timedelta(days=14, minutes=10)
        sink = MemorySink()
        funnel = Funnel("checkout", steps=("cart", "payment"), sink=sink, clock=lambda: now)
        bought = funnel.checkout("c-1", "u-1", {"device": "desktop"})
        bought.enter("cart", ("59.90", "EUR"), at=noon)
        bought.enter("payment", ("64.80", "EUR"), at=noon + 2 * minute)
        bought.complete("o-981", ("64.80", "EUR"), at=noon + 3 * minute)
        left = funnel.checkout("c-2", "u-2", {"device": "mobile"})
        left.enter("cart", ("120.00", "EUR"), at=noon + 5 * minute)
        left.fail("payment", "card_declined", at=noon + 6 * minute)
        here = funnel.checkout("c-3", attributes={"device": "mobile"})
        here.enter("cart", ("15.00", "EUR"), at=noon + timedelta(days=14))
        return {"funnel": funnel, "events": sink.records, "now": now}

    class ModuleDocstrings(PythonDocStringDocument):
        """The docstrings of one module, whose examples know the root's and the module's names."""

        @classmethod
        def parse(cls, path, *parsers, encoding="utf-8"):
            document = super().parse(path, *parsers, encoding=encoding)
            parts = Path(path).relative_to(ROOT / "src").with_suffix("").parts
            if "django" in parts:  # whose parts cannot be imported before
                importlib.import_module("django").setup()
            module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
            root = importlib.import_module("lastclick")
            document.namespace.update(small_log())
            document.namespace.update({name: getattr(root, name) for name in root.__all__})
            document.namespace.update(vars(module))
            return document

    def cut_traceback(_: SybilItem, excinfo: pytest.ExceptionInfo[BaseException]) -> object:
        """Sybil's own filter fails at an exception with a cause, and pytest would stop there."""
        return excinfo.traceback.cut(path=evaluated_in) or excinfo.traceback

    SybilItem._traceback_filter = cut_traceback

    docstrings = Sybil(
        parsers=[rest.DocTestParser(ELLIPSIS), rest.PythonCodeBlockParser(), rest.SkipParser()],
        patterns=["src/lastclick/*.py", "src/lastclick/*/*.py", "src/lastclick/*/*/*.py"],
        document_types={".py": ModuleDocstrings},
        fixtures=["empty_folder"],
    )
    documents = Sybil(
        parsers=[
            myst.PythonCodeBlockParser(doctest_optionflags=ELLIPSIS),
            myst.CodeBlockParser("console", lambda example: run_console(example.parsed)),
            myst.CodeBlockParser("json", lambda example: json.loads(example.parsed) and None),
            myst.CodeBlockParser("toml", lambda example: tomllib.loads(example.parsed) and None),
            myst.SkipParser(),
        ],
        patterns=["README.md", "docs/*.md", "docs/*/*.md"],
        fixtures=["empty_folder"],
    )
    pytest_collect_file = (docstrings + documents).pytest()
