"""The notebook about a promotion runs, and shows what it shows."""

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from lastclick.metrics import Incremental

pytestmark = pytest.mark.long
NOTEBOOK = Path(__file__).parent.parent.parent / "examples" / "promotion.ipynb"


@pytest.fixture(scope="module")
def executed(shared: Path) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """The notebook's names after all its cells, and what each cell printed and was to print."""
    names: dict[str, Any] = {}
    printed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LASTCLICK_SHARED", str(shared))
        for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                shown = "".join("".join(output["text"]) for output in cell["outputs"])
                told = io.StringIO()
                with contextlib.redirect_stdout(told):
                    exec(compile("".join(cell["source"]), str(NOTEBOOK), "exec"), names)  # noqa: S102
                printed.append((shown, told.getvalue()))
    return names, printed


def test_the_notebook_shows_what_it_prints(executed: Any) -> None:
    """Each code cell prints what is saved below it."""
    _, printed = executed

    assert [told for _, told in printed] == [shown for shown, _ in printed]


def test_the_promotion_loses_money_though_it_drives_7210(executed: Any) -> None:
    """The answers published with the data, recomputed from a log."""
    names, _ = executed
    training: Incremental = names["proof"]
    test: Incremental = names["again"]

    assert str(training.attributed_revenue["USD"]) == "USD 7,210.00"
    assert training.difference.estimate == pytest.approx(0.009454547819772702, abs=1e-15)
    assert test.difference.estimate == pytest.approx(0.009593158278250108, abs=1e-15)
    assert training.orders.estimate == pytest.approx(400.53, abs=0.005)
    assert test.orders.estimate == pytest.approx(199.04, abs=0.005)
    each = names["Money"]("0.15", "USD")
    found = [
        (round(one.revenue["USD"].estimate or 0, 2), round(one.after_cost(each).estimate or 0, 2))
        for one in (training, test)
    ]
    assert found == [(4005.32, -2349.28), (1990.39, -1121.81)]
