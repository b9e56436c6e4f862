"""Recording: facts taken without waiting, kept in bounds, appended in batches, or confessed lost.

`recorder.py` is the way in; `buffer.py` what is held, `lanes.py` the order of each task, `flusher.py` when to
flush, `offering.py` the way into the log, `fail_over.py` what the log lost, `losses.py` what is confessed,
`spooling.py` what goes to disk meanwhile, and `draining.py` what comes back from there.
"""

from relayna.streams.recording.backoff import Backoff
from relayna.streams.recording.recorder import Recorder

__all__ = ["Backoff", "Recorder"]
