"""The documentation keeps up with the library: every name, code and number has its place in it."""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

import attrs
import pytest

from lastclick.events import Event, parse_line
from lastclick.metrics import Contamination, Incremental, Quality, Report, Section, StepFigures

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "lastclick"
PLAIN = (
    "",
    ".analysis",
    ".engines.spark",
    ".sinks",
    ".sinks.bodies",
    ".events",
    ".errors",
    ".logs",
    ".metrics",
    ".page",
    ".privacy",
    ".rolled",
    ".testing",
)
#: Those that need an extra.
EXTRAS = (
    ".sinks.http",
    ".collect",
    ".integrations.django",
    ".integrations.flask",
    ".integrations.asgi",
)
MODULES = (*PLAIN, *EXTRAS)

#: Helpers that make codes of the name they are given: no_<name>, bad_<name>, long_<name>.
CHECKS = {
    "id_text": ("no_", "bad_", "long_"),
    "_optional_id": ("no_", "bad_", "long_"),
    "_code": ("no_", "bad_", "long_"),
    "_id": ("no_",),
    "_present": ("no_",),
    "_as_flaw": ("bad_",),
    "_put": ("bad_",),
}
#: Calls that are given a code, and at which place.
PLACES = {
    "EventError": 1,
    "DeliveryError": 1,
    "SignatureError": 1,
    "Refused": 1,
    "Refusal": 1,
    "Rejected": 1,
    "_write_loss": 0,
    "_count": 1,
    "_losses.count": 1,
    "_REASONS.get": 1,
    "_drop": 2,
    "fault": 0,
    "_counts.add": 1,
}
#: Wrong settings raise ConfigError, whose code is "config".
SETTINGS = {"name", "salt"}


def reference(page: str) -> str:
    """The text of a page of the reference."""
    return (DOCS / "reference" / f"{page}.md").read_text(encoding="utf-8")


def imported(module: str) -> ModuleType:
    """A module of the library, or a skip where its extra is missing."""
    name = f"lastclick{module}"
    return pytest.importorskip(name) if module in EXTRAS else importlib.import_module(name)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_is_in_the_reference(module: str) -> None:
    """What a module hands out is described under a heading of its own, or of its home."""
    names = imported(module).__all__
    described = re.findall(
        r"^\.\. [\w:]+:: lastclick[.\w]*\.(\w+)$", reference("api"), re.MULTILINE
    )

    assert not set(names) - set(described)


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_has_an_example_and_a_version(module: str) -> None:
    """A public class or function shows how it is used, and says since when it is there."""
    home = imported(module)
    # They have no docstring of their own.
    aliases = {"Body", "Event", "ShopperEvent", "current_checkout"}
    texts = {name: getattr(home, name).__doc__ or "" for name in set(home.__all__) - aliases}

    assert not [name for name, text in texts.items() if ">>> " not in text]
    assert not [name for name, text in texts.items() if ".. versionadded:: " not in text]


def test_every_reason_is_on_the_errors_page() -> None:
    """Whatever code a counter may show can be looked up."""
    known = set(re.findall(r"`(\w+)`", reference("errors")))

    unexplained = {code for path in SOURCE.rglob("*.py") for code in reasons(path)} - known

    assert not unexplained


def reasons(path: Path) -> Iterator[str]:
    """The codes that a file gives to errors and losses."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(args=args):
                name, owned = called(node.func)
                place = PLACES.get(owned, PLACES.get(name))
                if place is not None and len(args) > place:
                    yield from constants(args[place])
                elif name in CHECKS:
                    texts = [text for part in args for text in constants(part)]
                    about = next((text for text in texts if text not in SETTINGS), None)
                    yield from (f"{prefix}{about}" for prefix in CHECKS[name] if about)
            case ast.Assign(targets=[ast.Name(id="reason" | "_REASONS")], value=value):
                yield from constants(value)
            case ast.AnnAssign(target=ast.Name(id="reason"), value=ast.Constant(value=str(code))):
                yield code
            case ast.arguments(args=[*_, ast.arg(arg="reason")], defaults=[*_, default]):
                yield from constants(default)


def called(function: ast.expr) -> tuple[str, str]:
    """The name of what is called, alone and with its owner: count, _losses.count."""
    *owner, name = ast.unparse(function).split(".")
    return name, ".".join([*owner[-1:], name])


def constants(node: ast.AST) -> Iterator[str]:
    """The texts in an expression, except those that are made or looked up there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif not isinstance(node, ast.Call | ast.JoinedStr | ast.Subscript):
        for child in ast.iter_child_nodes(node):
            yield from constants(child)


def test_every_number_is_on_the_metrics_page() -> None:
    """Each attribute of a report, of its steps and of its quality has a definition."""
    defined = set(re.findall(r"`(\w+)", reference("metrics")))
    figures = {
        name
        for kind in (Report, StepFigures, Section, Incremental, Contamination, Quality)
        for name in (*(field.name for field in attrs.fields(kind)), *vars(kind))
        if not name.startswith("_")
    }

    assert not figures - defined


def test_every_line_of_the_log_format_page_is_one() -> None:
    """The page shows one line of each type, written just as an event writes itself."""
    lines = re.findall(r"^```json\n(.*)\n```$", reference("log-format"), re.MULTILINE)
    events = [parse_line(line) for line in lines]

    assert [event.line.decode() for event in events] == lines
    assert {type(event) for event in events} == set(get_args(Event))


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_every_field_of_a_line_is_on_the_log_format_page(kind: type) -> None:
    """Each type has its section, in which its own fields are listed."""
    page = reference("log-format")
    name = kind.model_fields["type"].default
    common, own = page.split("## What shops record")[0], page.split(f"### {name}\n")[1]

    listed = set(re.findall(r"`(\w+)`", common + own.split("\n### ")[0]))

    assert not set(kind.model_fields) - listed


def test_links_lead_somewhere() -> None:
    """What the README and the other documents of the root point at is there."""
    dead = [
        f"{name}: {target}"
        for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / name).read_text("utf-8"))
        if not (ROOT / target).exists()
    ]

    assert not dead


def test_the_tests_that_the_readme_names_are_there() -> None:
    """A promise names the test that would fail if it broke."""
    named = re.findall(r"\[`(test_\w+)`\]\((\S+?)\)", (ROOT / "README.md").read_text("utf-8"))

    missing = [
        name for name, path in named if f"def {name}(" not in (ROOT / path).read_text("utf-8")
    ]

    assert named
    assert not missing
