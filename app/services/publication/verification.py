"""Whether everything stored still follows from its sources, and whether the trace is whole.

Open periods are computed anew and compared with the stored scores; published ones are, version by version, from
the entries each version saw. Both ways: every score from its entries, every entry in the totals its rule names.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from app.errors import N_, Message
from app.models import Bulletin, Bureau, PeriodScore, ReopenPermit, RunLedger, RunStatus, ScoreEntry
from app.policies.scoping import unscoped
from app.rules.bulletin import BulletinState
from app.rules.chain import first_break
from app.rules.periods import Period
from app.rules.scoring.lines import Tally, tally_lines
from app.services import trace
from app.services.bureau.closing import closed_periods
from app.services.jobs.runs import SETTLE
from app.services.publication import bulletin, drafts
from app.services.publication.bulletin_data import results_of
from app.services.scoring.explanation import lines_of
from app.services.scoring.settlement import Computed, compute, score_rows

WHY = "everything stored is verified, whosever it is"
COMPARED = (
    "scheme_code", "name", "group_name", "score", "exact", "places", "rank", "group_size", "grade",
)  # fmt: skip
PUBLISHED_COMPARED = tuple(name for name in COMPARED if name != "name")
MOST_DIFFERENCES = 20
BREAKS = {
    "missing": N_("Trace record %(seq)s is missing."),
    "changed": N_("Trace record %(seq)s was changed."),
    "unlinked": N_("Trace record %(seq)s does not follow the one before it."),
    "tail": N_("The trace was cut or lengthened at record %(seq)s."),
}
Rows = Mapping[tuple[str, str], Mapping[str, Any]]


def differences(
    session: Session,
    bureaus: list[Bureau],
    *,
    beside: Iterable[Message] = (),
    report: Callable[[int, int], None] = lambda *_: None,
) -> list[Message]:
    """The first differences found, in words; empty when all is well. `report` hears of each step.

    `beside` are those of what lies beside the database: files, anchors of the trace.
    """
    steps = len(bureaus) + 2
    found = list(islice(beside, MOST_DIFFERENCES))
    seq, digest = trace.head(session)
    broken = first_break(trace.links(session), head_seq=seq, head_hash=digest)
    if broken is not None:
        found.append(Message(BREAKS[broken.kind].msgid, {"seq": broken.seq}))
    report(1, steps)
    for index, bureau in enumerate(bureaus):
        report(index + 1, steps)
        parts = (
            _published_differences(session, bureau),
            _stored_differences(session, bureau),
            _broken_facts(session, bureau),
        )
        for difference in chain.from_iterable(parts):
            found.append(difference)
            if len(found) >= MOST_DIFFERENCES:
                return found
    return found


def _published_differences(session: Session, bureau: Bureau) -> Iterator[Message]:
    """Whether what was published is still what was signed, and still follows from the entries it saw."""
    published = select(Bulletin).where(Bulletin.bureau_id == bureau.id, Bulletin.state == BulletinState.PUBLISHED)
    versions = session.scalars(published.order_by(Bulletin.period, Bulletin.version)).all()
    newest = {version.period: version.version for version in versions}
    for version in versions:
        if drafts.checksum(version.content) != version.checksum:
            yield N_("Bulletin %(period)s: its data do not give its checksum.", period=version.period)
        content = json.loads(version.content)
        are_results_whole = drafts.checksum(version.results) == content.get("results_checksum")
        if not are_results_whole:
            yield N_("Bulletin %(period)s: the results behind it were changed.", period=version.period)
        for file in version.files:
            if drafts.checksum(file.content) != file.checksum:
                yield N_("Bulletin %(period)s: the file %(kind)s was changed.", period=version.period, kind=file.kind)
        if version.version == newest[version.period] and bulletin.is_stale(session, version):
            yield N_("Bulletin %(period)s: the stored scores are not the published ones.", period=version.period)
        if are_results_whole and not _rows_changed_since(session, version):
            yield from _recomputed_differences(session, bureau, version)


def _rows_changed_since(session: Session, version: Bulletin) -> bool:
    """Whether dated rows, targets or external results of its days were changed under a later permit.

    Then this version can no longer be computed from them: its checksums answer for it, its successor is computed.
    """
    permit = ReopenPermit.__table__.c
    changed = select(permit.period).where(
        permit.bureau_id == version.bureau_id, permit.rows_changed > 0,
        or_(permit.state == "granted", permit.closed_at >= version.published_at),
    )  # fmt: skip
    mine = Period.parse(version.period)
    assert mine is not None
    others = [Period.parse(text) for text in unscoped(session, WHY).execute(changed).scalars()]
    # A row of those days may move entries that count in a later month.
    return any(other is not None and other.first_day <= mine.last_day for other in others)


def _recomputed_differences(session: Session, bureau: Bureau, version: Bulletin) -> Iterator[Message]:
    period = Period.parse(version.period)
    assert period is not None
    done = compute(session, bureau, period, on=version.settled_on, watermark=version.entry_watermark)
    old = {(row["subject"], row["indicator"]): row for row in json.loads(version.results)}
    new = {(row["subject"], row["indicator"]): row for row in results_of(done)}
    # A closed period keeps the names of then: published, they are what everybody has read.
    yield from _compared(version.period, old, new, PUBLISHED_COMPARED)
    yield from _conservation(session, done)


def _stored_differences(session: Session, bureau: Bureau) -> Iterator[Message]:
    """Whether the stored scores of open periods follow from what their settlement saw."""
    closed = closed_periods(session, bureau.id)
    runs = session.scalars(
        select(RunLedger)
        .where(
            RunLedger.job == SETTLE, RunLedger.bureau_id == bureau.id, RunLedger.settled_on.is_not(None),
            RunLedger.period.not_in(closed),
        )
        .order_by(RunLedger.period)
    ).all()  # fmt: skip
    for run in runs:
        period = Period.parse(run.period)
        assert period is not None
        assert run.settled_on is not None
        table = PeriodScore.__table__
        query = select(table).where(table.c.bureau_id == bureau.id, table.c.period == run.period)
        stored = [dict(row) for row in unscoped(session, WHY).execute(query).mappings()]
        if run.status != RunStatus.DONE:
            continue  # asked for anew: what changed since is on its way
        done = compute(session, bureau, period, on=run.settled_on, watermark=run.entry_watermark)
        code_of = done.sources.code_of
        old = {(code_of(row["subject_id"]), row["indicator_code"]): row for row in stored}
        fresh = score_rows(done.sources, period, done.results)
        new = {(code_of(row["subject_id"]), row["indicator_code"]): row for row in fresh}
        yield from _compared(run.period, old, new, COMPARED)
        yield from _conservation(session, done)


def _compared(period: str, old: Rows, new: Rows, names: tuple[str, ...]) -> Iterator[Message]:
    for key in sorted(old.keys() | new.keys()):
        place = {"period": period, "subject": key[0], "indicator": key[1] or "total"}
        if key not in old:
            yield N_("%(period)s %(subject)s %(indicator)s: a score is missing.", **place)
        elif key not in new:
            yield N_("%(period)s %(subject)s %(indicator)s: a score stands that nothing gives.", **place)
        else:
            for name in names:
                if old[key][name] != new[key][name]:
                    yield N_(
                        "%(period)s %(subject)s %(indicator)s: %(name)s is stored as %(stored)s, "
                        "the sources give %(computed)s.",
                        **place, name=name, stored=str(old[key][name]), computed=str(new[key][name]),
                    )  # fmt: skip


def _conservation(session: Session, done: Computed) -> Iterator[Message]:
    """Whether every entry lies in exactly the cells its clause names, and the cells are the sums of their entries.

    The evaluation took what the database added up; here the entries are read and counted one by one.
    """
    lines = lines_of(session, done)
    times = Counter(
        (line.entry.id, line.entry.no, leaf, part.span) for (_, leaf, part), found in lines.items() for line in found
    )
    for (_, number, leaf, _), count in times.items():
        if count > 1:
            yield N_("Entry %(no)s counts %(count)s times under %(indicator)s.", no=number, count=count, indicator=leaf)
    tallies = done.sources.tallies
    for key in sorted(lines.keys() | tallies.keys()):
        there, entries = tallies.get(key, Tally()), tally_lines(lines.get(key, ()))
        if (there.total, there.count) != (entries.total, entries.count):
            yield N_(
                "%(period)s %(subject)s %(indicator)s: the cell holds %(stored)s, its entries give %(computed)s.",
                period=str(key[2]), subject=key[0], indicator=key[1], stored=there.total, computed=entries.total,
            )  # fmt: skip


def _broken_facts(session: Session, bureau: Bureau) -> Iterator[Message]:
    """Parts that no longer go with their fact: another day, clause or month, or reversed without it."""
    part, fact = ScoreEntry.__table__.alias("part"), ScoreEntry.__table__.alias("fact")
    undo_part, undo_fact = ScoreEntry.__table__.alias("undo_part"), ScoreEntry.__table__.alias("undo_fact")
    differs = or_(
        part.c.occurred_on != fact.c.occurred_on, part.c.clause_id != fact.c.clause_id, part.c.month != fact.c.month,
        and_(undo_part.c.id.is_(None), undo_fact.c.id.is_not(None)),
        and_(undo_part.c.id.is_not(None), undo_fact.c.id.is_(None)),
    )  # fmt: skip
    query = (
        select(part.c.no)
        .join(fact, fact.c.id == part.c.fact_id)
        .outerjoin(undo_part, undo_part.c.reverses_id == part.c.id)
        .outerjoin(undo_fact, undo_fact.c.reverses_id == fact.c.id)
        .where(part.c.bureau_id == bureau.id, differs)
        .order_by(part.c.id)
        .limit(MOST_DIFFERENCES)
    )
    for number in unscoped(session, WHY).execute(query).scalars():
        yield N_("Entry %(no)s: a part of it no longer goes with its fact.", no=number)
