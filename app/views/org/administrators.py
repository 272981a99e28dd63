"""Who administers which bureau, and which bureau lacks one of the three."""

from __future__ import annotations

from flask import g
from flask_appbuilder import BaseView, expose, has_access
from flask_babel import gettext

from app.extensions import db
from app.models.accounts import ADMINISTRATOR_ROLES
from app.services.accounts.installation import duties


class AdministratorsView(BaseView):  # type: ignore[misc]
    """A row a bureau; an administrator of a bureau sees his own and the installation's."""

    route_base = "/administrators"
    default_view = "page"

    @expose("/")
    @has_access
    def page(self) -> str:
        return str(
            self.render_template(
                "org/administrators.html", title=gettext("Administrators"), roles=ADMINISTRATOR_ROLES,
                duties=duties(db.session(), bureau_id=g.actor.bureau_id),
            )
        )  # fmt: skip


PAGES = (AdministratorsView,)
