"""A broker in this process's memory, which behaves as RabbitMQ does wherever relayna can see the difference."""

from relayna.consumer.memory.broker import MemoryBroker

__all__ = ["MemoryBroker"]
