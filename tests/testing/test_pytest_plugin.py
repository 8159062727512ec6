"""The pytest plugin, in runs of pytest within pytest."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lastclick import Funnel
from lastclick.sinks import FileSink
from lastclick.testing._real_sinks import given, is_real

pytest_plugins = "pytester"

SHOP = """
from lastclick import Funnel
from lastclick.sinks import FileSink

funnel = Funnel("checkout", steps=("cart", "payment"), sink=FileSink("var/lastclick"))

def pay(checkout_id):
    funnel.checkout(checkout_id).enter("payment")
"""


@pytest.fixture
def shop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A project with a shop, in a directory that does not count as a temporary one."""
    elsewhere = pytester.mkdir("tmp")
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    pytester.makeini("[pytest]\nfilterwarnings = error\naddopts = --strict-markers\n")
    pytester.makepyfile(shop=SHOP)
    return pytester


def recorded(shop: pytest.Pytester) -> list[Path]:
    return list((shop.path / "var" / "lastclick").glob("*"))


def test_finding_the_plugin_loads_nothing() -> None:
    """A project that has lastclick but never asks for it in its tests pays for two small files."""
    loaded = "import sys, lastclick.pytest_plugin; print(*sorted(sys.modules))"

    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )

    modules = done.stdout.split()
    assert [name for name in modules if name.split(".")[0] == "lastclick"] == [
        "lastclick",
        "lastclick.pytest_plugin",
    ]
    assert not {"pydantic", "attrs"} & set(modules)


@pytest.mark.untraced
def test_a_run_that_never_asks_for_it_loads_nothing(pytester: pytest.Pytester) -> None:
    """Its hooks find that there are no sinks without importing any."""
    pytester.makepyfile(
        """
        import sys

        def test_other():
            unwanted = ("lastclick.sinks", "pydantic")
            assert not [name for name in sys.modules if name.startswith(unwanted)]
        """
    )

    pytester.runpytest_subprocess().assert_outcomes(passed=1)


def test_the_fixture_captures_until_the_test_ends(shop: pytest.Pytester) -> None:
    """The shop's funnel records to memory, by a clock that the test turns, and nothing to disk."""
    shop.makepyfile(
        """
        from datetime import UTC, datetime, timedelta
        from shop import funnel, pay
        from lastclick import measure
        from lastclick.testing import assert_journey

        def test_captured(lastclick_capture, lastclick_clock):
            captured = lastclick_capture(funnel)
            lastclick_clock.set(datetime(2026, 10, 1, 12, tzinfo=UTC))
            pay("c-1")
            lastclick_clock.turn(timedelta(hours=1))
            pay("c-1")
            assert_journey(captured.events, "c-1").entered("payment", "payment").nothing_else()
            assert [event.occurred_at.hour for event in captured.events] == [12, 13]
            assert measure(captured.records).outcomes["in_flight"] == 1

        def test_again(lastclick_capture):
            captured = lastclick_capture(funnel)
            assert captured.events == []
            assert funnel.stats.accepted == 0

        def test_two_funnels(lastclick_capture):
            from lastclick import Funnel
            other = Funnel("other", steps=("a",), sink=funnel._sinks)
            first, second = lastclick_capture(funnel), lastclick_capture(other)
            pay("c-1")
            other.checkout("c-2").enter("a")
            assert [len(sink.events) for sink in (first, second)] == [1, 1]
        """
    )

    shop.runpytest_subprocess().assert_outcomes(passed=3)
    assert recorded(shop) == []


def test_a_failure_shows_the_journey_and_the_line_of_the_test(shop: pytest.Pytester) -> None:
    """The traceback ends in the test, not in the library, and the picture follows."""
    shop.makepyfile(
        """
        from shop import funnel, pay
        from lastclick.testing import assert_journey

        def test_declined(lastclick_capture):
            captured = lastclick_capture(funnel)
            pay("c-1")
            assert_journey(captured.events, "c-1").entered("payment").failed("payment")
        """
    )

    result = shop.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            '>*assert_journey(captured.events, "c-1").entered("payment").failed("payment")',
            "E*checkout 'c-1' did not fail at 'payment' after it entered payment",
            "E  *payment",
            "E *ok  0:00:00 o          entered payment",
        ]
    )
    result.stdout.no_fnmatch_line("*_assertions.py*")


def test_a_typo_fails_the_test_and_the_funnel_is_restored(shop: pytest.Pytester) -> None:
    """An error within the capture is raised; the next test finds the shop's own policy."""
    shop.makepyfile(
        """
        import pytest
        from shop import funnel

        def test_typo(lastclick_capture):
            lastclick_capture(funnel)
            funnel.checkout("c-1").enter("paymnet")

        @pytest.mark.lastclick_real_sink
        def test_next():
            funnel.checkout("c-1").enter("paymnet")
        """
    )

    shop.runpytest_subprocess("-W", "default").assert_outcomes(failed=1, passed=1)


def test_a_real_sink_is_told_of_once(shop: pytest.Pytester) -> None:
    """The first test that records to the shop's own log warns, and says the way out."""
    shop.makepyfile(
        """
        from shop import pay

        def test_first():
            pay("c-1")

        def test_second():
            pay("c-2")
        """
    )

    result = shop.runpytest_subprocess("-W", "default")

    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        [
            "*test_a_real_sink_is_told_of_once.py::test_first*",
            "*RealSinkWarning: this test recorded to FileSink('*var/lastclick', *); capture *",
        ]
    )


@pytest.mark.untraced
def test_a_real_sink_fails_the_test_where_warnings_are_errors(shop: pytest.Pytester) -> None:
    """A project can forbid it, by the means that pytest has for any warning."""
    shop.makepyfile("from shop import pay\n\ndef test_first():\n    pay('c-1')")

    result = shop.runpytest_subprocess()

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*RealSinkWarning: this test recorded to*"])


@pytest.mark.untraced
@pytest.mark.parametrize(
    "line", ["error", "ignore::lastclick.testing.RealSinkWarning"], ids=["mark", "filter"]
)
def test_a_test_may_mean_to_record_for_real(shop: pytest.Pytester, line: str) -> None:
    """By a marker for some tests, by a filter for all."""
    marker = "@pytest.mark.lastclick_real_sink\n" if line == "error" else ""
    shop.makeini(f"[pytest]\nfilterwarnings =\n    error\n    {line}\n")
    shop.makepyfile(
        f"import pytest\nfrom shop import pay\n\n{marker}def test_first():\n    pay('c-1')"
    )

    shop.runpytest_subprocess().assert_outcomes(passed=1)
    assert recorded(shop)


@pytest.mark.untraced
def test_what_was_recorded_before_the_tests_is_no_test_s_affair(shop: pytest.Pytester) -> None:
    """A shop that records while it is imported does not make the first test warn."""
    shop.makepyfile("from shop import pay\n\npay('import')\n\ndef test_first():\n    pass")

    shop.runpytest_subprocess().assert_outcomes(passed=1)


@pytest.mark.untraced
def test_a_chosen_base_directory_is_a_temporary_one(shop: pytest.Pytester) -> None:
    """A log in pytest's own temporary directory is a test's own, wherever that is."""
    shop.makepyfile(
        """
        from lastclick import Funnel
        from lastclick.sinks import FileSink

        def test_first(tmp_path):
            funnel = Funnel("checkout", steps=("cart",), sink=FileSink(tmp_path))
            funnel.checkout("c-1").enter("cart")
        """
    )

    shop.runpytest_subprocess("--basetemp", "here").assert_outcomes(passed=1)


@pytest.mark.untraced
def test_workers_of_xdist_capture_and_warn(shop: pytest.Pytester) -> None:
    """Each worker is a process with a shop of its own."""
    pytest.importorskip("xdist")
    shop.makepyfile(
        """
        import pytest
        from shop import funnel, pay

        @pytest.mark.parametrize("number", range(40))
        def test_captured(lastclick_capture, number):
            captured = lastclick_capture(funnel)
            pay(number)
            assert [event.checkout_id for event in captured.events] == [str(number)]

        @pytest.mark.xdist_group("real")
        def test_real():
            pay("real")
        """
    )

    result = shop.runpytest_subprocess("-W", "default", "-n", "2", "--dist", "loadgroup")

    result.assert_outcomes(passed=41, warnings=1)
    result.stdout.fnmatch_lines(["*RealSinkWarning: this test recorded to*"])
    assert len(recorded(shop)) == 1


@pytest.mark.lastclick_real_sink  # sinks of other tests may still be at work beside this one
def test_a_receiver_on_this_machine_is_not_real(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sink that sends elsewhere is real, as is a log outside of the temporary directory."""
    http = pytest.importorskip("lastclick.sinks.http")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    here, there = http.HttpSink("http://127.0.0.1:9/"), http.HttpSink("https://shop.example/")
    log, temporary = FileSink(tmp_path / "log"), FileSink(tmp_path / "tmp" / "log")
    funnel: Funnel[Any] = Funnel("checkout", steps=("cart",), sink=log)
    funnel.checkout("c-1").enter("cart")

    known = given()

    assert [is_real(sink) for sink in (there, log, here, temporary)] == [True, True, False, False]
    assert (known[there], known[log]) == (0, 1)
    assert not is_real(log, [tmp_path])
