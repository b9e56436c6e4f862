"""What a trial remembers of its broker."""

from __future__ import annotations

import pytest
from topologies.sample_topologies import shared

from relayna.consumer import MemoryBroker
from relayna.errors import NotDeclared
from relayna.testing.trial_broker import TrialBroker
from relayna.topologies import Binding, Declarations, Queue, declarations

pytestmark = pytest.mark.anyio


async def test_it_remembers_what_was_declared() -> None:
    async with TrialBroker(MemoryBroker()) as broker:
        await broker.declare(declarations(shared()))
        await broker.declare(declarations(shared()))
        assert broker.declared == declarations(shared())


async def test_also_what_could_be_declared_only_in_part() -> None:
    half = Declarations(queues=(Queue(name="a"),), bindings=(Binding(queue="a", exchange="missing"),))
    async with TrialBroker(MemoryBroker()) as broker:
        with pytest.raises(NotDeclared):
            await broker.declare(half)
        assert broker.declared == half


async def test_it_knows_who_takes() -> None:
    async with TrialBroker(MemoryBroker()) as broker:
        await broker.declare(Declarations(queues=(Queue(name="a"),)))
        assert not broker.is_consumed("a")
        async with broker.consume("a", prefetch=1), broker.consume("a", prefetch=1):
            assert broker.is_consumed("a")
        assert not broker.is_consumed("a")
        with pytest.raises(NotDeclared):
            async with broker.consume("b", prefetch=1):
                pass
        assert not broker.is_consumed("b")
