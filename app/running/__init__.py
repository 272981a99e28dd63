"""Carrying out a run: claim it, compute while holding the lease, write all its effects in one transaction.

Workers and the command line do it alike, on the same row of `run_ledger`. Three kinds of transaction: the
claim, short ones that renew the lease and say how far it is, and one for the effects, which ends the run.
"""

from __future__ import annotations

import logging
from datetime import datetime

from flask import current_app
from sqlalchemy.exc import OperationalError

from app.errors import N_, Conflict, HouseError
from app.extensions import db, transaction
from app.models import Bureau
from app.policies.actor import SYSTEM
from app.rules.periods import Period
from app.running.bodies import BODIES, settle
from app.running.lease import clock_of_machine, database_clock, holding, silent_after, worker_name
from app.security import sessions
from app.services.bureau.closing import refuse_closed
from app.services.jobs import heartbeats, runs, timetable
from app.services.messages import notices
from app.services.publication import permits
from app.services.scoring.settlement import Settled
from app.wording import official

log = logging.getLogger(__name__)
FAULT = N_("A fault of the program; its details are in the log.")


def ring(*, now: datetime) -> list[int]:
    """What every ring of the bell does: raise what is due, deliver messages; answers the runs to hand out."""
    with transaction() as work:
        heartbeats.listen(work, clock=clock_of_machine(), silent_after=silent_after(), now=now)
    with transaction() as work:
        timetable.raise_due(work, now=now, database_now=database_clock(work))
        permits.close_expired(work, now=now)
        found = runs.due(work, now=now, again_after=current_app.config["JOB_LEASE"] / 2)
    deliver(now=now)
    return found


def deliver(*, now: datetime) -> None:
    """Carry everything that waits for the portal over to its readers, a slice a transaction."""
    while True:
        with transaction() as work:
            if notices.deliver(work, now=now) < notices.SLICE:
                return


def carry_out(run_id: int) -> None:
    """Do one run, if it is free. A refusal or a fault ends it as failed; a lost database leaves it to the next."""
    lease = current_app.config["JOB_LEASE"]
    with transaction() as work:
        claim = runs.claim(work, run_id, lease=lease, now=sessions.now(), by=worker_name())
    if claim is None:
        return
    try:
        with official(), holding(claim, lease) as holder:
            BODIES[claim.job](claim, holder)
    except Conflict:
        log.info("run %s is in other hands", run_id)
    except OperationalError:
        raise
    except HouseError as refusal:
        with transaction() as work:
            runs.fail(work, claim, refusal.message, now=sessions.now())
    except Exception:
        log.exception("run %s failed", run_id)
        with transaction() as work:
            runs.fail(work, claim, FAULT, now=sessions.now())
    deliver(now=sessions.now())


def settle_here(bureau: Bureau, period: Period) -> Settled:
    """Settle in this process, on the run's own row; a process that has it in hand gives way."""
    refuse_closed(db.session(), bureau.id, period)
    lease = current_app.config["JOB_LEASE"]
    bureau_id = bureau.id
    with transaction() as work:
        owner = work.get_one(Bureau, bureau_id)
        number = runs.request_run(work, owner, job=runs.SETTLE, period=str(period), actor=SYSTEM, now=sessions.now())
        claim = runs.claim(work, number, lease=lease, now=sessions.now(), by=worker_name())
    assert claim is not None, "asked for and claimed in one transaction"
    try:
        with holding(claim, lease) as holder:
            return settle(claim, holder)
    except BaseException as fault:
        reason = fault.message if isinstance(fault, HouseError) else FAULT
        with transaction() as work:
            runs.fail(work, claim, reason, now=sessions.now())
        raise
