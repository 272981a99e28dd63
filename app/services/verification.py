"""Whether everything stored still follows from its sources, and whether the trace is whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import Bulletin, Bureau, PeriodScore, RunLedger
from app.rules.bulletin import BulletinState
from app.rules.chain import first_break
from app.rules.periods import Period
from app.services import bulletin, trace
from app.services.closing import closed_periods
from app.services.jobs import SETTLE
from app.services.settlement import score_rows
from app.services.sources import read_sources

COMPARED = (
    "scheme_code", "name", "group_name", "score", "exact", "places", "rank", "group_size", "grade",
)  # fmt: skip
MOST_DIFFERENCES = 20
BREAKS = {
    "missing": N_("Trace record %(seq)s is missing."),
    "changed": N_("Trace record %(seq)s was changed."),
    "unlinked": N_("Trace record %(seq)s does not follow the one before it."),
    "tail": N_("The trace was cut or lengthened at record %(seq)s."),
}


def differences(session: Session, bureaus: list[Bureau]) -> list[Message]:
    """The first differences found, in words; empty when all is well."""
    found: list[Message] = []
    seq, digest = trace.head(session)
    broken = first_break(trace.links(session), head_seq=seq, head_hash=digest)
    if broken is not None:
        found.append(Message(BREAKS[broken.kind].msgid, {"seq": broken.seq}))
    for bureau in bureaus:
        for difference in chain(_bulletin_differences(session, bureau), _score_differences(session, bureau)):
            found.append(difference)
            if len(found) >= MOST_DIFFERENCES:
                return found
    return found


def _bulletin_differences(session: Session, bureau: Bureau) -> Iterator[Message]:
    """Whether what was published is still what was signed, and the stored scores still those behind it."""
    published = select(Bulletin).where(Bulletin.bureau_id == bureau.id, Bulletin.state == BulletinState.PUBLISHED)
    for it in session.scalars(published.order_by(Bulletin.period)).all():
        if bulletin.checksum(it.content) != it.checksum:
            yield N_("Bulletin %(period)s: its data do not give its checksum.", period=it.period)
        content = json.loads(it.content)
        if bulletin.checksum(it.results) != content.get("results_checksum"):
            yield N_("Bulletin %(period)s: the results behind it were changed.", period=it.period)
        for file in it.files:
            if bulletin.checksum(file.content) != file.checksum:
                yield N_("Bulletin %(period)s: the file %(kind)s was changed.", period=it.period, kind=file.kind)
        if bulletin.is_stale(session, it):
            yield N_("Bulletin %(period)s: the stored scores are not the published ones.", period=it.period)


def _score_differences(session: Session, bureau: Bureau) -> Iterator[Message]:
    runs = session.scalars(
        select(RunLedger)
        .where(RunLedger.job == SETTLE, RunLedger.bureau_id == bureau.id, RunLedger.settled_on.is_not(None))
        .order_by(RunLedger.period)
    ).all()
    for run in runs:
        yield from _differences_of_run(session, bureau, run)


def _differences_of_run(session: Session, bureau: Bureau, run: RunLedger) -> Iterator[Message]:
    period = Period.parse(run.period)
    assert period is not None
    assert run.settled_on is not None
    table = PeriodScore.__table__
    query = select(table).where(table.c.bureau_id == bureau.id, table.c.period == run.period)
    stored = {(row["subject_id"], row["indicator_code"]): row for row in session.connection().execute(query).mappings()}
    if not stored:
        return
    sources = read_sources(session, bureau.id, period, watermark=run.entry_watermark)
    results = sources.evaluation(on=run.settled_on).results(period)
    fresh = {(row["subject_id"], row["indicator_code"]): row for row in score_rows(sources, period, results)}
    # A closed period keeps the names of then: published, they are what everybody has read.
    is_closed = run.period in closed_periods(session, bureau.id)
    compared = [name for name in COMPARED if not (is_closed and name == "name")]
    for key in sorted(stored.keys() | fresh.keys()):
        old, new = stored.get(key), fresh.get(key)
        place = {"period": run.period, "subject": sources.code_of(key[0]), "indicator": key[1] or "total"}
        if old is None:
            yield N_("%(period)s %(subject)s %(indicator)s: a score is missing.", **place)
        elif new is None:
            yield N_("%(period)s %(subject)s %(indicator)s: a score stands that nothing gives.", **place)
        else:
            for name in compared:
                if old[name] != new[name]:
                    yield N_(
                        "%(period)s %(subject)s %(indicator)s: %(name)s is stored as %(stored)s, "
                        "the sources give %(computed)s.",
                        **place, name=name, stored=str(old[name]), computed=str(new[name]),
                    )  # fmt: skip
