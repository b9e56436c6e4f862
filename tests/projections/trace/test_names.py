"""Which trace a session's spans are of, and which span ids are made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relayna.projections.trace.names import (
    analysis_trace_id,
    derived_span_id,
    traceparent_of,
    traceparent_parts,
)


@given(st.text())
def test_a_trace_id_is_32_hexadecimal_characters_and_none_is_all_zeros(session_id: str) -> None:
    told = analysis_trace_id(session_id)
    assert len(told) == 32
    assert int(told, 16) > 0
    assert told == analysis_trace_id(session_id)


@given(st.uuids())
def test_a_uuid_is_its_own_trace_however_it_is_spelled(session: object) -> None:
    spelled = str(session)
    for same in (spelled, spelled.upper(), spelled.replace("-", "")):
        assert analysis_trace_id(same) == spelled.replace("-", "")


@given(st.text(max_size=20), st.integers(0, 10**6))
def test_a_span_id_is_16_hexadecimal_characters(owner: str, number: int) -> None:
    told = derived_span_id(owner, number)
    assert len(told) == 16
    assert int(told, 16) >= 0
    assert told != derived_span_id(owner, number + 1)


@pytest.mark.parametrize(
    "wrong", [None, "", "00-x-y-01", f"00-{'0' * 32}-{'1' * 16}-01", f"00-{'1' * 32}-{'0' * 16}-01"]
)
def test_what_is_no_traceparent_leads_nowhere(wrong: str | None) -> None:
    assert traceparent_parts(wrong) is None


def test_a_traceparent_is_put_together_from_its_parts() -> None:
    assert traceparent_parts(traceparent_of("a" * 32, "b" * 16)) == ("a" * 32, "b" * 16)
