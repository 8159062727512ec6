"""The command `lastclick`: there with its extra, and one sentence without."""

import subprocess
import sys

import pytest

from lastclick.__main__ import main

SENTENCE = "lastclick: the command line needs the extra 'cli': pip install 'lastclick[cli]'\n"


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_without_its_extra_the_command_names_it(missing, monkeypatch, capsys):
    """One sentence on stderr says what to install, and the exit code is that of wrong usage."""
    monkeypatch.setitem(sys.modules, missing, None)

    with pytest.raises(SystemExit) as left:
        main()

    assert left.value.code == 2
    assert capsys.readouterr() == ("", SENTENCE)


def test_without_its_extra_a_real_process_says_the_same():
    """A fresh interpreter that has no typer prints the sentence, and no traceback."""
    blocked = "import runpy, sys; sys.modules['typer'] = None; "
    run = "runpy.run_module('lastclick', {}, '__main__')"

    done = subprocess.run([sys.executable, "-c", blocked + run], capture_output=True, text=True)

    assert (done.returncode, done.stdout, done.stderr) == (2, "", SENTENCE)


def test_the_library_itself_imports_no_part_of_the_command_line():
    """Whoever imports lastclick in a shop pays for neither typer nor rich."""
    code = "import sys, lastclick, lastclick.logs; print({'typer', 'rich'} & set(sys.modules))"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.stdout == "set()\n"


def test_python_m_lastclick_is_the_command():
    """``python -m lastclick`` runs the same command line."""
    pytest.importorskip("typer")

    done = subprocess.run(
        [sys.executable, "-m", "lastclick", "--version"], capture_output=True, text=True
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "lastclick 0.1.0\n", "")
