"""What was decided about a run: how often each action was taken, and which was the worst. Pure.

Owns the actions and their order. Who decides, and why, is in the events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

from relayna.events import DecisionRecorded

__all__ = ["DECISION_ACTIONS", "decisions_of", "worst_action"]

DECISION_ACTIONS: Final = ("allow", "skip", "warn", "retry", "redact", "throttle", "block")
"""From the mildest to the worst."""


def decisions_of(decisions: Iterable[DecisionRecorded]) -> dict[str, Any]:  # Any: JSON values
    """`{"worst": action, "counts": {action: times}}`, the worst first; empty where nothing was decided.

    Actions that are none of the seven are left out.

    >>> decisions_of([DecisionRecorded(action=action) for action in ("warn", "block", "warn")])
    {'worst': 'block', 'counts': {'block': 1, 'warn': 2}}
    """
    taken = Counter(decision.action for decision in decisions)
    counts = {action: taken[action] for action in reversed(DECISION_ACTIONS) if taken[action]}
    worst = worst_action(counts)
    return {} if worst is None else {"worst": worst, "counts": counts}


def worst_action(actions: Iterable[str]) -> str | None:
    """The worst of these, if there is one."""
    found = set(actions)
    return next((action for action in reversed(DECISION_ACTIONS) if action in found), None)
