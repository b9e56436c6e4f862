"""What is remembered of versions stays within its bound, and the longest unused goes first."""

from __future__ import annotations

from relayna.ids import StreamId, TaskId
from relayna.observability.graph_question import GraphQuestion
from relayna.observability.graph_version import StreamPosition, make_version, parse_version, question_digest
from relayna.observability.known_versions import KnownVersion, KnownVersions
from relayna.streams import DEFAULT_TENANT, TaskAddress

ROOT = TaskId("root")


def positions(name: str, count: int) -> list[StreamPosition]:
    names = ["root", *(f"{name}-{number}" for number in range(count - 1))]
    return [StreamPosition(TaskAddress(TaskId(one)), StreamId("1-0")) for one in names]


def made_from(family: list[StreamPosition]) -> KnownVersion:
    return KnownVersion(GraphQuestion(task_id=ROOT), tuple(family), None)


def known(versions: KnownVersions, token: str) -> tuple[StreamPosition, ...] | None:
    version = parse_version(token)
    assert version is not None
    return versions.positions(token, version, root=ROOT, tenant=DEFAULT_TENANT)


def test_a_small_version_needs_no_memory() -> None:
    family = positions("small", 32)
    assert known(KnownVersions(), make_version(question_digest(1), family)) == tuple(family)


def test_of_the_large_ones_the_longest_unused_is_forgotten() -> None:
    versions = KnownVersions(most_streams=100)
    tokens = []
    for name in ("a", "b", "c"):
        family = positions(name, 40)
        tokens.append(make_version(question_digest(1), family))
        versions.remember(tokens[-1], made_from(family))
        assert known(versions, tokens[-1]) == tuple(family)
        if name == "b":
            assert known(versions, tokens[0]) is not None
    assert [known(versions, token) is not None for token in tokens] == [True, False, True]


def test_one_that_is_too_large_is_not_kept_and_displaces_nothing() -> None:
    versions = KnownVersions(most_streams=100)
    kept, too_large = positions("kept", 60), positions("large", 101)
    for family in (kept, too_large, kept):
        versions.remember(make_version(question_digest(1), family), made_from(family))
    assert known(versions, make_version(question_digest(1), kept)) == tuple(kept)
    assert known(versions, make_version(question_digest(1), too_large)) is None
