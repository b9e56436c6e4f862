"""The broker behind which RabbitMQ is. The only package that imports aio_pika."""

from relayna.consumer.rabbitmq.broker import RabbitMQBroker

__all__ = ["RabbitMQBroker"]
