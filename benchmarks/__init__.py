"""How fast relayna is, beside the limits and peers that run in the same run: `python -m benchmarks`.

Figures for people to read. Nothing here passes or fails: tests never look at a clock, and this exits 0.
"""
