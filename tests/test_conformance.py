"""The published cases, the third parties' cases, and the naive oracle, against the library."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from benchmarks.generate import declaration
from benchmarks.generate import lines as shop_lines
from docs.conformance.run import CASES, EXACT, answer, arguments, differences, lines_of
from lastclick import measure, read_log
from lastclick.metrics import Counts, count
from lastclick.metrics._counts import LOG
from tests import oracle, strategies

ALL = {case["name"]: case for case in CASES["cases"]}
DELIVERIES = {
    "as it is": lambda lines: lines,
    "backwards": lambda lines: lines[::-1],
    "twice": lambda lines: lines + lines,
}


def oracle_answer(lines: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """The oracle's figures, its refusal of several funnels put as the cases put it."""
    try:
        told = oracle.figures(lines, **named(options))
    except oracle.SeveralFunnelsError as error:
        return {"error": {"funnels": error.names}}
    del told["beside"]  # no figure of the cases, but what counts hold
    return told


def named(options: dict[str, Any]) -> dict[str, Any]:
    """The options as the oracle calls them."""
    return {"funnel" if name == "funnel_name" else name: of for name, of in options.items()}


@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("name", ALL)
def test_oracle_agrees_with_the_case(name: str, delivery: str) -> None:
    """The naive reading gives what was worked out by hand, however the log arrives."""
    case = ALL[name]
    lines = DELIVERIES[delivery](lines_of(case))

    got = oracle_answer(lines, case["options"])

    assert differences(case["expect"], got) == []


@pytest.mark.untraced
@pytest.mark.parametrize("delivery", DELIVERIES)
@pytest.mark.parametrize("name", ALL)
def test_library_agrees_with_the_case(name: str, delivery: str) -> None:
    """The library gives what was worked out by hand, however the log arrives."""
    case = ALL[name]
    lines = DELIVERIES[delivery](lines_of(case))

    got = answer(lines, case["options"])

    assert differences(case["expect"], got) == []


@given(strategies.questions())
def test_library_equals_the_oracle(question: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    """On any log, asked in any way, the library's figures are those of the naive reading."""
    lines, options = question

    expected, got = oracle_answer(lines, options), answer(lines, options)

    assert differences(expected, got, EXACT | {"journeys"}) == []


#: Keys of counts that the figures above are made of, or that belong to the log.
ABOVE = (
    *("outcome", "matured", "in_flight", "dropped", "entered", "seconds", "chain", "unvalued"),
    *("valued", "value", "failures", "failed", "failed_any", "orders", "unpriced", "gross"),
    *("refunded", "cancelled", "cancelled_orders", "answered", "score", "reason"),
)


def beside(counts: Counts) -> dict[str | None, dict[Any, int]]:
    """What counts hold beside the figures of a report, of the whole and by group."""
    told: dict[str | None, dict[Any, int]] = {}
    groups = {group for group, day in counts.cells if day} if counts.basis.by else set()
    for group in (None, *sorted(groups)):
        found: Counter[Any] = Counter()
        for of in (counts.total(group=group), counts.span(group)):
            for key, number in of.items():
                if number and key[0] not in ABOVE:
                    found[key] += number
        values = None if group is None else json.loads(group)
        name = values[0] if values and len(counts.basis.by) == 1 else values
        told[None if group is None else json.dumps(name, separators=(",", ":"))] = found
    return told


@given(strategies.questions())
def test_counts_equal_the_oracle(question: tuple[list[dict[str, Any]], dict[str, Any]]) -> None:
    """What no figure of the cases tells - arms, persons, times, bands - both count alike."""
    lines, options = question
    try:
        expected = oracle.figures(lines, **named(options))["beside"]
    except oracle.SeveralFunnelsError:
        return
    asked = arguments({name: value for name, value in options.items() if name != "every"})

    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log.jsonl"
        path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
        counts = count(read_log(path), **asked)

    got = beside(counts)
    for key, number in counts.cells.get(LOG, {}).items():
        if key[0] == "trial_without_step":
            for facts in got.values():
                facts[key] = number
    assert got == expected


@pytest.mark.untraced
@pytest.mark.parametrize(
    "options",
    [
        {"by": "device"},
        {"unit": "customer", "by": ["device", "channel"], "every": "week"},
        {"as_of": "2026-10-20T12:00:00.000000Z", "timezone": "Europe/Berlin"},
        {"closed": True, "within_s": 3600, "exclude": {}},
    ],
)
def test_library_equals_the_oracle_on_a_whole_shop(options: dict[str, Any]) -> None:
    """On a month of an untidy shop, with groups above and below thirty, both read the same."""
    lines = [json.loads(line) for line in (declaration(), *shop_lines(3_000, seed=7))]

    expected, got = oracle_answer(lines, options), answer(lines, options)

    assert differences(expected, got, EXACT | {"journeys"}) == []
    assert expected["started"] > 500


def test_a_log_twice_is_the_same_report(tmp_path: Path) -> None:
    """Read twice over, a log gives the same report; only what was met in reading differs."""
    text = "".join(json.dumps(line) + "\n" for line in lines_of(ALL["all_eight_outcomes"]))
    (tmp_path / "once.jsonl").write_text(text, "utf-8")
    (tmp_path / "twice.jsonl").write_text(text + text, "utf-8")

    once = measure(read_log(tmp_path / "once.jsonl"))
    twice = measure(read_log(tmp_path / "twice.jsonl"))

    assert json.dumps(once.to_dict()) == json.dumps(twice.to_dict())
    assert once == twice
    assert once.reading != twice.reading


def test_case_names_are_unique_and_enough() -> None:
    """Each case can be named, says which rule it holds, and there are at least eighty."""
    assert len(ALL) == len(CASES["cases"]) >= 80
    assert all(case["why"].endswith((".", ".'")) for case in ALL.values())


def vector_lines(vector: dict[str, Any]) -> list[dict[str, Any]]:
    """A third party's case as the lines of a log."""
    lines = lines_of(
        {
            "funnel": {
                "steps": vector["steps"],
                "abandon_after_s": 1800,
                "recover_within_s": 604800,
            },
            "events": [],
        }
    )
    for n, (attempt, seconds, step) in enumerate(vector["events"], start=1):
        instant = datetime(2026, 10, 1, tzinfo=UTC) + timedelta(seconds=seconds)
        line = {"v": 1, "type": "step_entered", "event_id": f"e{n}", "funnel": "checkout"}
        if attempt is not None:
            line["checkout_id"] = attempt
        line["occurred_at"] = instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        lines.append({**line, "step": step})
    return lines


def test_closed_counts_are_those_of_the_third_parties_cases(shared: Path) -> None:
    """With closed=True every published case of other tools comes out as its rule says."""
    vectors = json.loads((shared / "vectors" / "funnel-cases.json").read_text("utf-8"))["cases"]

    for vector in vectors:
        lines = vector_lines(vector)
        options = {"closed": True}
        if vector["within_s"] is not None:
            options["within_s"] = vector["within_s"]
        for got in (answer(lines, options), oracle.figures(lines, **options)):
            counts = [got["closed"][step] for step in vector["steps"]]
            assert counts == vector["closed_ordered"]["counts"], vector["name"]

    assert len(vectors) == 22
