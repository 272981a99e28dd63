"""The queue as workers read it: a message nobody can read is thrown away and counted, and ends nobody.

A message of ours carries the number of a row; the row stays, and the next ring hands it out again. So whatever else
lies in the queue (a broker that is shared, a hand that typed) is worth a line in the log and nothing more.
"""

from __future__ import annotations

import functools
import itertools
import logging
from typing import Any

from kombu.transport import redis

log = logging.getLogger(__name__)
_numbers = itertools.count(1)
UNREADABLE = (ValueError, KeyError, TypeError, AttributeError)


def _thrown_away(read: Any) -> Any:
    """A reader of the queue that goes on after what it cannot read."""

    @functools.wraps(read)
    def guarded(channel: Any, *args: Any, **options: Any) -> Any:
        try:
            return read(channel, *args, **options)
        except UNREADABLE as fault:
            log.warning("message %s that nobody can read was thrown away: %r", next(_numbers), fault)
            raise redis.Empty from fault

    return guarded


class HouseChannel(redis.Channel):  # type: ignore[misc]
    """A channel over which garbage may come."""

    _brpop_read = _thrown_away(redis.Channel._brpop_read)
    _get = _thrown_away(redis.Channel._get)

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **options: Any) -> Any:
        def guarded(message: Any) -> Any:
            """Whatever the consumer cannot make sense of is rejected: kept, it would take a place for ever."""
            try:
                return callback(message)
            except UNREADABLE as fault:
                log.warning("message %s that nobody can read was thrown away: %r", next(_numbers), fault)
                if not no_ack:
                    self.basic_reject(message.delivery_tag, requeue=False)

        return super().basic_consume(queue, no_ack, guarded, consumer_tag, **options)


class Transport(redis.Transport):  # type: ignore[misc]
    """Kombu's own, with our channel; named in the settings of Celery."""

    Channel = HouseChannel
