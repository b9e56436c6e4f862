"""Workflow: a message goes from stage to stage, each with a queue of its own."""

import os
import sys

import anyio

from relayna import (
    Recorder,
    RedisLog,
    RelaynaClient,
    SharedStatusWorkflowTopology,
    WorkflowConsumer,
    WorkflowEntryRoute,
    WorkflowStage,
    run_consumers,
)


def stage(name):
    key = f"coat.{name}"
    return WorkflowStage(
        name=name, queue=f"example.coats.{name}", binding_keys=(key,), publish_routing_key=key
    )


TOPOLOGY = SharedStatusWorkflowTopology(
    rabbitmq_url=os.environ.get("RELAYNA_AMQP_URL", "amqp://localhost"),
    workflow_exchange="example.coats",
    status_exchange="example.coats.statuses",
    status_queue="example.coats.statuses.all",
    stages=(stage("cut"), stage("sew")),
    entry_routes=(WorkflowEntryRoute(name="shop", routing_key="coat.ordered", target_stage="cut"),),
)


async def cut(message, context):
    await context.publish_to_stage("sew", {"pieces": 4, **message.payload})


async def sew(message, context):
    # The last stage says that the whole is done.
    await context.publish_status("completed", meta=message.payload)


async def main():
    log = RedisLog(os.environ.get("RELAYNA_REDIS_URL", "redis://localhost"))
    async with RelaynaClient(topology=TOPOLOGY, observation_sink=Recorder(log)) as client:
        if "publish" in sys.argv:
            await client.publish_to_entry("shop", "coat-7", {"size": "M"})
        else:
            await run_consumers(
                WorkflowConsumer(rabbitmq=client, stage="cut", handler=cut),
                WorkflowConsumer(rabbitmq=client, stage="sew", handler=sew),
            )


if __name__ == "__main__":
    anyio.run(main)
