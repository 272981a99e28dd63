"""Who is free to act on something: nobody about himself, about those near to him, or about a unit he answers for.

The one predicate for acts whose outcome moves somebody's score: every door to the ledger, reversal, recall, vouchers,
targets, external results. Source: trust demand AC-08; Civil Servants Law of the PRC, article 76.
"""

from __future__ import annotations

from collections.abc import Collection

from app.errors import N_
from app.policies.actor import Actor

NOT_FREE = N_("This is about yourself, or about a unit you answer for: a colleague does that.")

# What of a unit's or person's row moves nobody's score: its own people may keep it.
MOVES_NOTHING = frozenset({"name", "email", "position", "batch_id"})


def free(actor: Actor, parties: Collection[int]) -> bool:
    """Whether none of the parties (subject ids, those with a part included) is the actor's own matter.

    Who acts for a colleague is bound by both. The assessment office registers about its own department too, because
    nobody else does, but not whoever heads or clerks it; everybody else not about a unit he is posted to.
    """
    if actor.is_system:
        return True
    own = actor.selves | actor.relations | actor.own_units
    if not actor.has("assessment_office"):
        own |= actor.posted_units | actor.substitute_units
    return own.isdisjoint(parties)
