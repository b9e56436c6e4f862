"""The demonstration: real consumers handle real messages, and what they record is drawn."""

from relayna.cli.demo.scenarios import SCENARIOS, play_all

__all__ = ["SCENARIOS", "play_all"]
