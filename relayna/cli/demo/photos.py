"""Routed tasks: a worker hands a task on to another type, on a machine whose clock is 90 s fast."""

from __future__ import annotations

from typing import Final

import anyio

from relayna.cli.demo.world import DEMO_AMQP_URL, DemoWorld, Scenario
from relayna.consumer import TaskConsumer, TaskContext, TaskEnvelope
from relayna.topologies import RoutedTasksSharedStatusTopology

__all__ = ["PHOTOS"]


def _topology(task_type: str) -> RoutedTasksSharedStatusTopology:
    return RoutedTasksSharedStatusTopology(
        rabbitmq_url=DEMO_AMQP_URL,
        tasks_exchange="photos",
        tasks_queue=f"photos.{task_type}",
        task_types=(task_type,),
        status_exchange="photos.statuses",
        status_queue="photos.statuses.all",
    )


_RESIZE: Final = _topology("resize")
_RESIZE_LARGE: Final = _topology("resize-large")


async def _resize(task: TaskEnvelope, context: TaskContext) -> None:
    await anyio.sleep(0.01)
    if task.payload["megapixels"] > 50:
        await context.manual_retry(task_type="resize-large", reason="needs a machine with more memory")


async def _resize_large(task: TaskEnvelope, context: TaskContext) -> None:
    await context.publish_status("resizing", meta={"megapixels": task.payload["megapixels"]})
    await anyio.sleep(0.03)


async def _play(world: DemoWorld) -> None:
    resize, resize_large = world.placed(_RESIZE), world.placed(_RESIZE_LARGE)
    async with world.machine(resize) as small, world.machine(resize_large, clock_off_by=90.0) as large:
        consumers = (
            TaskConsumer(rabbitmq=small, handler=_resize, consumer_name="resizer-small"),
            TaskConsumer(rabbitmq=large, handler=_resize_large, consumer_name="resizer-large"),
        )
        async with world.working(*consumers):
            await small.publish_task("photo-7", {"megapixels": 102}, task_type="resize")
            await small.publish_task("photo-8", {"megapixels": 12}, task_type="resize")
            await world.ended("photo-7", "photo-8")


PHOTOS: Final = Scenario(
    name="routed",
    task_id="photo-7",
    story="handed on to another type, on a machine whose clock is 90 s fast",
    other_tasks=(("photo-8", "nothing special"),),
    play=_play,
)
