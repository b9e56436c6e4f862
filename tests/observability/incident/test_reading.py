"""What is read for an incident is the family, redacted, as the graph of the service has it."""

from __future__ import annotations

import anyio
import pytest
from msgspec.structs import replace
from observability.incident.incident_steps import ORIGIN, failing_events, incident_of, record

from relayna.errors import ExecutionNotFound, InvalidQuery
from relayna.events import DeadLetterRecorded, redaction_of
from relayna.observability import ExecutionGraphService, encode_graph
from relayna.streams import MemoryLog


def test_its_graph_is_that_of_the_service() -> None:
    events = failing_events()

    async def asked() -> bytes:
        log = MemoryLog()
        async with log:
            await record(log, events, "shared_tasks_shared_status")
            return encode_graph(await ExecutionGraphService(log=log).get_graph("T"))

    # The message was recorded with its secret here, which workers do not do: redaction is the recorder's.
    told = anyio.run(asked).replace(b"hunter2", b"[redacted]")
    assert encode_graph(incident_of(events).graph()) == told


def test_children_are_in_it() -> None:
    tasks = {event.envelope.task_id for event in incident_of(failing_events()).events()}
    assert tasks == {"T", "T-child"}
    assert {event.envelope.task_id for event in incident_of(failing_events(), depth=0).events()} == {"T"}


def test_more_words_hide_more() -> None:
    events = failing_events()
    letter = DeadLetterRecorded(dead_letter_id="d", headers={"iban": "DE00"})
    events.append(replace(events[-1], body=letter, envelope=replace(events[-1].envelope, event_id="x")))
    origin = replace(ORIGIN, with_payloads=True)
    for words, shown in (((), "DE00"), (("iban",), "[redacted]")):
        incident = incident_of(events, origin=origin, redaction=redaction_of(words))
        (body,) = [event.body for event in incident.events() if event.envelope.event_id == "x"]
        assert isinstance(body, DeadLetterRecorded)
        assert body.headers == {"iban": shown}


def test_an_unknown_task_and_a_meaningless_question() -> None:
    with pytest.raises(ExecutionNotFound):
        incident_of(failing_events(), "U")
    with pytest.raises(InvalidQuery, match="depth"):
        incident_of(failing_events(), depth=-1)
