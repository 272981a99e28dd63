"""FAB's security manager, extended only by its hooks: roles from grants, one permission snapshot a request."""

from __future__ import annotations

from typing import Any

from flask import g
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_appbuilder.security.sqla.models import (
    Permission,
    PermissionView,
    Role,
    ViewMenu,
    assoc_permissionview_role,
)
from flask_babel import lazy_gettext as _
from sqlalchemy import delete, insert, select

from app.models import Account
from app.policies.actor import Actor
from app.policies.scoping import unscoped
from app.security.roles import MATRIX
from app.security.sessions import load_account
from app.security.views import HouseAuthView


class HouseSecurityManager(SecurityManager):
    """Sign-in through our own page; rights from the published matrix and the grants in force."""

    user_model = Account
    authdbview = HouseAuthView

    def register_views(self) -> None:
        """Register the sign-in page and nothing else: FAB's user, role and API pages are not ours."""
        self.auth_view = self.authdbview()
        self.auth_view.title = _("Sign in")
        self.appbuilder.add_view_no_menu(self.auth_view)

    def load_user(self, pk: Any) -> Account | None:
        return load_account(pk)

    def has_access(self, permission_name: str, view_name: str) -> bool:
        return (permission_name, view_name) in permissions_of(self.session, g.actor)

    def _has_view_access(self, user: object, permission_name: str, view_name: str) -> bool:
        return self.has_access(permission_name, view_name)

    def is_item_public(self, permission_name: str, view_name: str) -> bool:
        return False

    def get_user_menu_access(self, menu_names: list[str] | None = None) -> set[str]:
        found = permissions_of(self.session, g.actor)
        allowed = {view for permission, view in found if permission == "menu_access"}
        return allowed if menu_names is None else allowed & set(menu_names)


def permissions_of(session: Any, actor: Actor) -> frozenset[tuple[str, str]]:
    """All (permission, view) pairs of the actor's roles: one query a request."""
    if "permissions" not in g:
        g.permissions = frozenset[tuple[str, str]]()
        if actor.roles:
            links = assoc_permissionview_role
            rows = unscoped(session, "what a role may is the same for everybody").execute(
                select(Permission.name, ViewMenu.name)
                .select_from(links)
                .join(Role.__table__, Role.__table__.c.id == links.c.role_id)
                .join(PermissionView.__table__, PermissionView.__table__.c.id == links.c.permission_view_id)
                .join(Permission.__table__, Permission.__table__.c.id == PermissionView.__table__.c.permission_id)
                .join(ViewMenu.__table__, ViewMenu.__table__.c.id == PermissionView.__table__.c.view_menu_id)
                .where(Role.__table__.c.name.in_(actor.roles))
            )
            g.permissions = frozenset((permission, view) for permission, view in rows)
    found: frozenset[tuple[str, str]] = g.permissions
    return found


def synchronise(session: Any, views: list[Any]) -> int:
    """Bring FAB's permission tables in line with the views and the matrix; returns how many pairs there are.

    Idempotent; run by `init` only. A permission of the matrix that no view offers is refused.
    """
    offered = {(name, view.class_permission_name) for view in views for name in view.base_permissions or ()}
    wanted = {(name, view) for row in MATRIX.values() for view, names in row.items() for name in names}
    unknown = wanted - offered
    if unknown:
        raise RuntimeError(f"the role matrix names what no view offers: {sorted(unknown)}")
    names = _ensure(session, Permission.__table__, {name for name, _ in offered})
    menus = _ensure(session, ViewMenu.__table__, {view for _, view in offered})
    pairs = PermissionView.__table__
    stored = session.execute(select(pairs.c.permission_id, pairs.c.view_menu_id)).all()
    missing = {(names[name], menus[view]) for name, view in offered} - {tuple(row) for row in stored}
    if missing:
        rows = [{"permission_id": name, "view_menu_id": view} for name, view in sorted(missing)]
        session.execute(insert(pairs), rows)
    ids = {(row.permission_id, row.view_menu_id): row.id for row in session.execute(select(pairs))}
    roles = _ensure(session, Role.__table__, {*MATRIX, "Public"})
    session.execute(delete(assoc_permissionview_role))
    links = [
        {"role_id": roles[role], "permission_view_id": ids[names[name], menus[view]]}
        for role, row in MATRIX.items()
        for view, permissions in row.items()
        for name in permissions
    ]
    session.execute(insert(assoc_permissionview_role), links)
    return len(offered)


def _ensure(session: Any, table: Any, wanted: set[str]) -> dict[str, int]:
    stored = {row.name for row in session.execute(select(table.c.name))}
    missing = sorted(wanted - stored)
    if missing:
        session.execute(insert(table), [{"name": name} for name in missing])
    return {row.name: row.id for row in session.execute(select(table.c.id, table.c.name))}
