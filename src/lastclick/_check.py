"""What is wrong with a log, line by line: what it is, how often, and where at first."""

import json
from datetime import datetime, timedelta

import attrs

from lastclick._log import SUFFIXES, Log
from lastclick.errors import EventError
from lastclick.events import (
    OF_NO_TYPE,
    EventsLost,
    FunnelDeclared,
    StepEntered,
    StepFailed,
    parse_line,
)

_SHOWN = 5
_NAMES = f"a name of a log ends in {', '.join(SUFFIXES)}"
_FAR = timedelta(days=1)


@attrs.define
class Finding:
    """One kind of thing that is wrong.

    Attributes:
        number: How many lines or events it concerns.
        places: In how many places it was found.
        first: The first few of these.
    """

    number: int = 0
    places: int = 0
    first: list[str] = attrs.field(factory=list)

    def add(self, where: str, number: int = 1) -> None:
        """Count one more place, and keep it if it is among the first."""
        self.number += number
        self.places += 1
        if len(self.first) < _SHOWN:
            self.first.append(where)


@attrs.define
class Checked:
    """What a check came to.

    Attributes:
        events: Lines that are events, of any type.
        findings: By what is wrong; empty where nothing is.
    """

    events: int = 0
    findings: dict[str, Finding] = attrs.field(factory=dict)

    def add(self, what: str, where: str, number: int = 1) -> None:
        """Count one more place where something is wrong."""
        self.findings.setdefault(what, Finding()).add(where, number)


def check_log(log: Log, *, funnel: str | None, now: datetime) -> Checked:
    """Check every line of a log.

    Args:
        log: The log; afterwards its ``problems`` say what was read.
        funnel: The only funnel whose events to judge, if not all.
        now: What the present is; events more than a day after it are wrong.
    """
    checking = _Checking(funnel, now + _FAR)
    for file, number, line in log.lines():
        checking.read(f"{file}:{number}", line)
    for place in log.problems.places:
        checking.checked.add("torn file", f"{place.file}: {place.reason}")
    for path in log.others():
        checking.checked.add("file passed over, by its name", f"{path}: {_NAMES}")
    checking.judge()
    return checking.checked


class _Checking:
    def __init__(self, funnel: str | None, latest: datetime) -> None:
        self.checked = Checked()
        self._funnel = funnel
        self._latest = latest
        #: By funnel, how many lines it has, and the steps of its definitions.
        self._lines: dict[str, int] = {}
        self._declared: dict[str, set[str]] = {}
        #: Where each step was seen: whether it is known is not known before the end.
        self._steps: dict[tuple[str, str], Finding] = {}
        self._lost: set[str] = set()

    def read(self, where: str, line: bytes) -> None:
        try:
            event = parse_line(line)
        except EventError as error:
            self._unreadable(where, line, error)
            return
        self.checked.events += 1
        if self._funnel is not None and event.funnel != self._funnel:
            return
        self._lines[event.funnel] = self._lines.get(event.funnel, 0) + 1
        match event:
            case FunnelDeclared():
                names = self._declared.setdefault(event.funnel, set())
                names.update(step.name for step in event.steps)
            case EventsLost() if event.event_id not in self._lost:
                self._lost.add(event.event_id)
                what = "events kept without a flawed part" if event.kept else "events lost"
                times = f"{event.since:%Y-%m-%d %H:%M} to {event.until:%Y-%m-%d %H:%M} UTC"
                told = f"{where}: {event.count:,} by the {event.source}, {event.reason}, {times}"
                self.checked.add(what, told, event.count)
            case StepEntered() | StepFailed():
                self._steps.setdefault((event.funnel, event.step), Finding()).add(where)
            case _:
                pass
        if event.occurred_at > self._latest:
            self.checked.add("event in the future", f"{where}: {event.occurred_at.isoformat()}")

    def _unreadable(self, where: str, line: bytes, error: EventError) -> None:
        if error.reason == "json_invalid" and line.startswith(b'{"v"'):
            self.checked.add("torn line", f"{where}: only a part of it was written")
        elif error.reason == OF_NO_TYPE:
            self.checked.events += 1
            self.checked.add("unknown type", f"{where}: {json.loads(line)['type']}")
        elif error.reason == "missing" and ".checkout_id:" in f"{error}":
            self.checked.events += 1
            self.checked.add("no checkout id", where)
        else:
            self.checked.add("unreadable line", f"{where}: {str(error)[:200]}")

    def judge(self) -> None:
        """Judge what could not be judged before every line was read."""
        for (funnel, step), seen in self._steps.items():
            known = self._declared.get(funnel)
            if known is not None and step not in known:
                self.checked.findings[f"unknown step {step!r} of funnel {funnel!r}"] = seen
        for funnel, lines in sorted(self._lines.items()):
            if funnel not in self._declared:
                self.checked.add("funnel without a definition", repr(funnel))
            if len(self._lines) > 1:
                what = "several funnels; choose one with --funnel"
                self.checked.add(what, f"{funnel!r}: {lines:,} lines")
        if self._funnel is not None and not self._lines:
            self.checked.add("no such funnel", repr(self._funnel))
