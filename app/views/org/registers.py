"""The pages of the organisation: units, people, postings, divisions of work, the work calendar."""

from __future__ import annotations

from typing import Any

from flask import request
from flask_appbuilder.forms import DynamicForm
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_babel import lazy_gettext as _
from sqlalchemy import ColumnElement, or_
from wtforms.validators import ValidationError

from app.models import CalendarDay, Oversight, Person, Posting, Relation, Unit
from app.views.shell.forms import (
    CalendarDayForm,
    OversightForm,
    PersonForm,
    PostingForm,
    UnitForm,
    date_field,
    subject,
    words,
)
from app.views.shell.labels import subject_name
from app.views.shell.listing import (
    Filter,
    chosen,
    coded,
    contains,
    dated,
    day_argument,
    named,
    on_or_after,
    on_or_before,
    text,
)
from app.views.shell.register_view import RegisterView


def on_day(model: Any) -> Filter:
    """Rows in force on a day, today or past."""

    def where(value: str) -> ColumnElement[bool]:
        day = day_argument(value)
        return or_(model.valid_from.is_(None), model.valid_from <= day) & or_(
            model.valid_to.is_(None), model.valid_to >= day
        )

    return Filter("on", _("On the day"), where, "date")


class UnitView(RegisterView):
    """Units, each dated row on its own line."""

    datamodel = SQLAInterface(Unit)
    model = Unit
    page_title = _("Units")
    crumb = _("Organisation")
    empty_text = _("Units come in with a workbook or are added one by one.")
    add_form = edit_form = UnitForm
    hints = {
        "group_name": _("Units of one group are ranked together; blank: not assessed."),
        "tags": _("Several tags are separated by ;"),
    }
    columns = (
        text("code", _("Code"), of=lambda record: record.subject.code),
        text("name", _("Name"), Unit.name),
        coded("kind", _("Kind"), order=Unit.kind),
        text("parent", _("Above"), of=lambda record: subject_name(record.parent)),
        text("group_name", _("Assessment group"), Unit.group_name),
        text("tags", _("Tags")),
        dated("valid_from", _("From"), Unit.valid_from),
        dated("valid_to", _("To"), Unit.valid_to),
    )
    filters = (
        named("name", _("Name"), Unit.subject_id, Unit),
        chosen("kind", _("Kind"), Unit.kind, "kind", ("bureau", "department", "branch")),
        contains("group", _("Group"), Unit.group_name),
        on_day(Unit),
    )
    default_order = (Unit.position, Unit.id)

    def prepare(self, record: Unit) -> None:
        record.code = request.form.get("code", "")  # type: ignore[attr-defined]


class PersonView(RegisterView):
    """People, each dated row on its own line."""

    datamodel = SQLAInterface(Person)
    model = Person
    page_title = _("People")
    crumb = _("Organisation")
    empty_text = _("People come in with a workbook or are added one by one; each gets an account.")
    add_form = edit_form = PersonForm
    columns = (
        text("code", _("Staff number"), of=lambda record: record.subject.code),
        text("name", _("Name"), Person.name),
        coded("category", _("Category"), order=Person.category),
        text("group_name", _("Assessment group"), Person.group_name),
        dated("valid_from", _("From"), Person.valid_from),
        dated("valid_to", _("To"), Person.valid_to),
    )
    filters = (
        named("name", _("Name"), Person.subject_id, Person),
        chosen("category", _("Category"), Person.category, "category"),
        contains("group", _("Group"), Person.group_name),
        on_day(Person),
    )
    default_order = (Person.id,)

    def prepare(self, record: Person) -> None:
        record.code = request.form.get("code", "")  # type: ignore[attr-defined]


class PostingView(RegisterView):
    """Who was where, as what, from when to when."""

    datamodel = SQLAInterface(Posting)
    model = Posting
    page_title = _("Postings")
    crumb = _("Organisation")
    empty_text = _("A posting says who was where, as what; scores follow the posting on the day of the fact.")
    add_form = edit_form = PostingForm
    columns = (
        text("person", _("Person"), of=lambda record: subject_name(record.person)),
        text("unit", _("Unit"), of=lambda record: subject_name(record.unit)),
        coded("duty", _("Duty"), order=Posting.duty),
        dated("valid_from", _("From"), Posting.valid_from),
        dated("valid_to", _("To"), Posting.valid_to),
    )
    filters = (
        named("person", _("Person"), Posting.person_id, Person),
        named("unit", _("Unit"), Posting.unit_id, Unit),
        chosen("duty", _("Duty"), Posting.duty, "duty"),
        on_day(Posting),
    )
    default_order = (Posting.unit_id, Posting.duty.desc())

    def title_of(self, record: Posting) -> str:
        return f"{subject_name(record.person)} · {subject_name(record.unit)}"


class OversightView(RegisterView):
    """Who is in charge of what, today or on any past day."""

    datamodel = SQLAInterface(Oversight)
    model = Oversight
    page_title = _("Division of work")
    crumb = _("Assessment rules")
    empty_text = _("A division of work says which leader is in charge of which unit or line.")
    add_form = edit_form = OversightForm
    columns = (
        text("leader", _("Leader"), of=lambda record: subject_name(record.leader)),
        text("unit", _("Unit"), of=lambda record: subject_name(record.unit)),
        text("indicator_code", _("Indicator"), Oversight.indicator_code),
        dated("valid_from", _("From"), Oversight.valid_from),
        dated("valid_to", _("To"), Oversight.valid_to),
    )
    filters = (
        named("leader", _("Leader"), Oversight.leader_id, Person),
        named("unit", _("Unit"), Oversight.unit_id, Unit),
        contains("indicator", _("Indicator"), Oversight.indicator_code),
        on_day(Oversight),
    )
    default_order = (Oversight.leader_id, Oversight.unit_id)

    def title_of(self, record: Oversight) -> str:
        return f"{subject_name(record.leader)} · {subject_name(record.unit)}"


class RelationForm(DynamicForm):  # type: ignore[misc]
    """Two people of whom neither acts in the other's matters."""

    person = subject(_("Person"), "person")
    other = subject(_("The other person"), "person")
    kind = words("relation", _("Relation"))
    valid_from = date_field(_("From"))
    valid_to = date_field(_("To"), maybe=True)

    def validate_other(self, field: Any) -> None:
        if field.data is not None and field.data == self.person.data:
            raise ValidationError(_("Choose two people."))


class RelationView(RegisterView):
    """Who stays out of whose matters."""

    datamodel = SQLAInterface(Relation)
    model = Relation
    page_title = _("Relations")
    crumb = _("Organisation")
    empty_text = _(
        "Two people who are related do not act in each other's matters; the office enters it, the two see it."
    )
    add_form = edit_form = RelationForm
    columns = (
        text("person", _("Person"), of=lambda record: subject_name(record.person)),
        text("other", _("The other person"), of=lambda record: subject_name(record.other)),
        coded("kind", _("Relation"), "relation"),
        dated("valid_from", _("From"), Relation.valid_from),
        dated("valid_to", _("To"), Relation.valid_to),
    )
    filters = (on_day(Relation),)
    default_order = (Relation.person_id, Relation.other_id)

    def title_of(self, record: Relation) -> str:
        return f"{subject_name(record.person)} · {subject_name(record.other)}"


class CalendarDayView(RegisterView):
    """Days that are not what their weekday says."""

    datamodel = SQLAInterface(CalendarDay)
    model = CalendarDay
    page_title = _("Work calendar")
    crumb = _("Organisation")
    empty_text = _("Holidays and make-up workdays come in with a workbook or are added one by one.")
    add_form = edit_form = CalendarDayForm
    columns = (
        dated("day", _("Day"), CalendarDay.day),
        coded("kind", _("Kind"), order=CalendarDay.kind),
        text("name", _("Name"), CalendarDay.name),
    )
    filters = (
        on_or_after("from", _("From"), CalendarDay.day),
        on_or_before("to", _("To"), CalendarDay.day),
        chosen("kind", _("Kind"), CalendarDay.kind, "kind", ("workday", "holiday")),
    )
    default_order = (CalendarDay.day.desc(),)

    def title_of(self, record: CalendarDay) -> str:
        return f"{record.day} {record.name}"


PAGES = (UnitView, PersonView, PostingView, OversightView, RelationView, CalendarDayView)
