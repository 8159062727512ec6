"""What shoppers answered: how satisfied they are, and why they leave."""

from collections.abc import Mapping

import attrs

from lastclick.events import BEST_SCORE
from lastclick.metrics._counts import Key
from lastclick.metrics._rates import Rate, rate

#: A score from here on is that of a satisfied shopper: the two best of five.
SATISFIED = BEST_SCORE - 1


@attrs.frozen
class Answers:
    """The answers given at one place, the latest of each attempt.

    Attributes:
        answered: Attempts with an answer.
        satisfied: Of those with a score, the share with 4 or 5.
        scores: Attempts by score.
        reasons: Attempts by reason.

    Example:
        >>> from lastclick import measure
        >>> measure(events).survey.on_exit
        Answers(answered=0, satisfied=Rate(numerator=0, ...), scores={}, reasons={})

    .. versionadded:: 0.1.0
    """

    answered: int
    satisfied: Rate
    scores: Mapping[int, int]
    reasons: Mapping[str, int]


@attrs.frozen
class Survey:
    """What shoppers answered.

    Attributes:
        after_order: At or after the attempt's order.
        on_exit: Without an order, or before it.

    Example:
        >>> from lastclick import measure
        >>> print(measure(events).survey.after_order.satisfied)
        -

    .. versionadded:: 0.1.0
    """

    after_order: Answers
    on_exit: Answers


def survey(counts: Mapping[Key, int]) -> Survey:
    """The answers, by whether the order was placed."""
    return Survey(_answers(counts, "order"), _answers(counts, "exit"))


def _answers(counts: Mapping[Key, int], place: str) -> Answers:
    scores = {int(key[2]): n for key, n in counts.items() if key[:2] == ("score", place)}
    reasons = {str(key[2]): n for key, n in counts.items() if key[:2] == ("reason", place)}
    satisfied = sum(number for score, number in scores.items() if score >= SATISFIED)
    return Answers(
        answered=counts.get(("answered", place), 0),
        satisfied=rate(satisfied, sum(scores.values())),
        scores=dict(sorted(scores.items())),
        reasons=dict(sorted(reasons.items())),
    )
