"""The page of the bureau's documents, on which clauses rest."""

from __future__ import annotations

from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _

from app.models import (
    Document,
)
from app.views.shell.forms import (
    DocumentForm,
)
from app.views.shell.listing import contains, dated, text
from app.views.shell.register_view import RegisterView


class DocumentView(RegisterView):
    """The library of assessment methods."""

    datamodel = SQLAInterface(Document)
    model = Document
    page_title = _("Document library")
    crumb = _("Assessment rules")
    empty_text = _("Assessment methods of the bureau and of the ones above it are kept here.")
    add_form = edit_form = DocumentForm
    columns = (
        text("code", _("Code"), Document.code),
        text("title", _("Title"), Document.title),
        text("issuer", _("Issuer"), Document.issuer),
        text("number", _("Document number"), Document.number),
        text("year", _("Year"), Document.year),
        dated("in_force_from", _("In force from"), Document.in_force_from),
        dated("in_force_to", _("In force to"), Document.in_force_to),
    )
    filters = (
        contains("title", _("Title"), Document.title, Document.number),
        contains("issuer", _("Issuer"), Document.issuer),
    )
    default_order = (Document.year.desc(), Document.code)


PAGES = (DocumentView,)
