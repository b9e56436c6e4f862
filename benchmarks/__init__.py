"""How fast relayna is, beside the limits and peers that run in the same run: `python -m benchmarks`.

Figures for people to read, and targets that they are held against: the command exits with 1 when one is missed by more
than the run's own noise. Tests never look at a clock.
"""
