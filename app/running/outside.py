"""What lies beside the database, held against it: the files on records, and the daily anchors of the trace."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy.orm import Session

import config
from app.errors import Message
from app.security import sessions
from app.services.process import attachments
from app.services.publication import anchors


def differences(session: Session) -> Iterator[Message]:
    """What does not fit between the database and what lies beside it."""
    anchored, faults = anchors.read(config.anchors(), config.secret("channel_key"))
    yield from faults
    yield from anchors.differences(session, anchored)
    yield from attachments.differences(session, config.home() / attachments.FOLDER, now=sessions.now())


def anchor(seq: int, digest: str, *, now: datetime) -> None:
    """Write where the trace stands today."""
    anchors.append(config.anchors(), config.secret("channel_key"), seq=seq, digest=digest, now=now)
