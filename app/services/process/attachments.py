"""Files on records: stored under random names in the data folder, read only through the record they hang on."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.documents.file_types import clean_name
from app.errors import N_, Message, RuleViolation
from app.models import Attachment
from app.policies.actor import Actor, require
from app.policies.scoping import unscoped
from app.services import trace

WHY = "a file is found by the record it hangs on, which was read in scope"
VERIFIED = "every stored file is verified, whosever it is"
FOLDER = "files"
BEING_WRITTEN = 3600  # seconds: a file is written before its row
MOST_OF_RECORD = 50
MOST_OF_PERSON = 1024 * 1024 * 1024


def attach(
    session: Session, record: Any, name: str, content: bytes, media_type: str, *, folder: Path, is_allowed: bool,
    actor: Actor, now: datetime,
) -> Attachment:  # fmt: skip
    """Hang a file on a record; the caller says whether the actor may. The file is written before the row.

    `media_type` is what `media_type_of` found before the transaction began: opening a file may take seconds.
    """
    require(is_allowed)
    kind = record.__tablename__
    on_record = (
        select(func.count(Attachment.id))
        .select_from(Attachment)
        .where(Attachment.item_type == kind, Attachment.item_id == record.id, Attachment.removed_at.is_(None))
    )
    if (session.scalar(on_record) or 0) >= MOST_OF_RECORD:
        raise RuleViolation(N_("At most %(count)s files on one record.", count=MOST_OF_RECORD), field_name="file")
    table = Attachment.__table__.c
    mine = select(func.sum(table.size)).where(table.uploaded_by_id == actor.account_id)
    if (unscoped(session, WHY).execute(mine).scalar() or 0) + len(content) > MOST_OF_PERSON:
        raise RuleViolation(N_("Your files take up all the space you have; ask the administrator."), field_name="file")
    stored = secrets.token_hex(24)
    path = path_of(folder, stored)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _keep_name(path.parent)
    except OSError:
        path.unlink(missing_ok=True)
        raise
    found = Attachment(
        bureau_id=record.bureau_id, item_type=kind, item_id=record.id, name=clean_name(name), stored_name=stored,
        media_type=media_type, size=len(content), checksum=hashlib.sha256(content).hexdigest(),
        uploaded_by_id=actor.account_id, uploaded_by=actor.name, uploaded_at=now,
    )  # fmt: skip
    session.add(found)
    session.flush()
    trace.record(session, verb="attach", target=record, after={"file": found.name, "checksum": found.checksum},
                 actor=actor, now=now)  # fmt: skip
    return found


def _keep_name(folder: Path) -> None:
    """Make the new name in a folder durable: the content alone does not survive a loss of power."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def path_of(folder: Path, stored_name: str) -> Path:
    """Where a stored file lies: spread over folders by the first letters of its name."""
    return folder / stored_name[:2] / stored_name


def content_of(folder: Path, attachment: Attachment) -> bytes:
    """The file, if it is still the one that was stored; refused where it was changed or is gone."""
    path = path_of(folder, attachment.stored_name)
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != attachment.checksum:
        raise RuleViolation(N_("The stored file is gone or was changed; tell the administrator."))
    return content


def differences(session: Session, folder: Path, *, now: datetime) -> Iterator[Message]:
    """Files that are gone or were changed, and those in the folder that no record owns."""
    table = Attachment.__table__.c
    query = select(table.stored_name, table.name, table.checksum, table.uploaded_at).order_by(table.id)
    owned: set[str] = set()
    for stored, name, checksum, _at in unscoped(session, VERIFIED).execute(query):
        owned.add(stored)
        path = path_of(folder, stored)
        if not path.is_file():
            yield N_("The file “%(name)s” (%(stored)s) is gone.", name=name, stored=stored)
        elif _checksum(path) != checksum:
            yield N_("The file “%(name)s” (%(stored)s) was changed.", name=name, stored=stored)
    for path in sorted(folder.glob("*/*")) if folder.is_dir() else ():
        if path.is_file() and path.name not in owned and now.timestamp() - path.stat().st_mtime > BEING_WRITTEN:
            yield N_("The file %(stored)s belongs to no record.", stored=path.name)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(
    session: Session, attachment: Attachment, record: Any, *, is_allowed: bool, actor: Actor, now: datetime
) -> None:
    """Take a file off a record; only who hung it there, while the record is still open."""
    require(is_allowed and attachment.uploaded_by_id == actor.account_id)
    attachment.removed_at, attachment.removed_by = now, actor.name
    session.flush()
    trace.record(session, verb="detach", target=record, after={"file": attachment.name}, actor=actor, now=now)


def of_record(session: Session, record: Any) -> Sequence[Attachment]:
    """The files on a record, oldest first."""
    query = select(Attachment).where(Attachment.item_type == record.__tablename__, Attachment.item_id == record.id)
    return session.scalars(query.order_by(Attachment.id)).all()
