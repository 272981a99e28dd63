"""The forms of the registers: fields in the house's types, choices limited to the actor's scope."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import g
from flask_appbuilder.fields import QuerySelectField
from flask_appbuilder.forms import DynamicForm
from flask_babel import lazy_gettext as _
from sqlalchemy import select
from wtforms import BooleanField, DateField, DecimalField, Form, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length, NumberRange, Optional, ValidationError
from wtforms.widgets import DateInput

from app.extensions import db
from app.models import Document, Scheme, SchemeState, Subject
from app.policies.scheme import may_edit_scheme
from app.rules.days import read_day
from app.rules.numbers import LARGEST, decimals_of, read_decimal, read_whole
from app.rules.texts import fold_width
from app.services.workbook.rows import LAST
from app.views.shell.labels import WORDS, subject_label

REQUIRED, MAYBE = InputRequired(), Optional()


def words(name: str, label: Any, *, maybe: bool = False, keys: Sequence[str] | None = None) -> Any:
    """A field of coded words."""
    known = [(key, WORDS[name][key]) for key in (WORDS[name] if keys is None else keys)]
    choices = [("", "—"), *known] if maybe else known
    return SelectField(
        label, choices=choices, validators=[MAYBE if maybe else REQUIRED], filters=[lambda record: record or ""]
    )


def line(label: Any, *, longest: int = 200, maybe: bool = False) -> Any:
    """A line of text, stripped."""
    validators = [MAYBE if maybe else REQUIRED, Length(max=longest)]
    return StringField(label, validators=validators, filters=[lambda record: (record or "").strip()])


def lines(label: Any, *, maybe: bool = False) -> Any:
    validators = [MAYBE if maybe else REQUIRED, Length(max=2000)]
    return TextAreaField(label, validators=validators, filters=[lambda record: (record or "").strip()])


def date_field(label: Any, *, maybe: bool = False) -> Any:
    return DayField(label, validators=[MAYBE if maybe else REQUIRED], widget=DateInput())


class DayField(DateField):  # type: ignore[misc]
    """A day, read as everywhere."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and valuelist[0].strip():
            self.data = read_day(valuelist[0])
            if self.data is None:
                raise ValueError(_("This is no valid date; write it as 2026-03-15."))


class WholeField(IntegerField):  # type: ignore[misc]
    """A whole number, read as everywhere: one form for each number."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and valuelist[0].strip():
            text = valuelist[0].strip()
            found = read_whole(text.removeprefix("-"))
            if found is None:
                self.data = None
                raise ValueError(_("Enter a whole number, like 12."))
            self.data = -found if text.startswith("-") else found


class OrderField(WholeField):
    """A place among equals; blank stands after every number."""

    def process_data(self, value: int | None) -> None:
        self.data = None if value == LAST else value

    def populate_obj(self, obj: Any, name: str) -> None:
        setattr(obj, name, LAST if self.data is None else self.data)


class ExactField(DecimalField):  # type: ignore[misc]
    """An exact number, read as in a workbook: no infinity, nothing that is no number."""

    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and valuelist[0].strip():
            self.data = read_decimal(fold_width(valuelist[0]))
            if self.data is None:
                raise ValueError(_("Enter a number, like 12.5."))


def whole(label: Any, *, maybe: bool = False, least: int = 0, most: int = 99_999, default: int | None = None) -> Any:
    validators = [MAYBE if maybe else REQUIRED, NumberRange(least, most)]
    return WholeField(label, validators=validators, default=default)


def exact(label: Any, *, places: int = 3, maybe: bool = False, least: int | None = 0) -> Any:
    """An exact number with at most `places` decimals."""

    def fine_enough(_form: Form, field: Any) -> None:
        if field.data is not None and decimals_of(field.data) > places:
            raise ValidationError(_("At most %(places)s decimals are kept.", places=places))

    limits = [NumberRange(-LARGEST if least is None else least, LARGEST), fine_enough]
    return ExactField(label, places=None, validators=[MAYBE if maybe else REQUIRED, *limits])


def subject(label: Any, kind: str | None = None, *, maybe: bool = False) -> Any:
    """A unit or person of the own bureau, shown with code and name."""

    def choices() -> Sequence[Subject]:
        query = select(Subject).order_by(Subject.kind.desc(), Subject.code)
        return db.session.scalars(query if kind is None else query.where(Subject.kind == kind)).all()

    return _pick(label, choices, subject_label, maybe=maybe)


def document(label: Any) -> Any:
    return _pick(
        label, lambda: db.session.scalars(select(Document).order_by(Document.code)).all(),
        lambda record: f"{record.code} {record.title}", maybe=True,
    )  # fmt: skip


def draft_scheme(label: Any) -> Any:
    def choices() -> Sequence[Scheme]:
        found = db.session.scalars(select(Scheme).where(Scheme.state == SchemeState.DRAFT).order_by(Scheme.code))
        return [it for it in found if may_edit_scheme(g.actor, it)]

    return _pick(label, choices, lambda record: f"{record.code} {record.title}")


def _pick(label: Any, choices: Callable[[], Sequence[Any]], shown: Callable[[Any], str], *, maybe: bool = False) -> Any:
    return QuerySelectField(
        label, query_func=choices, get_pk_func=lambda record: record.id, get_label=shown, allow_blank=maybe,
        blank_text="—", validators=[MAYBE if maybe else REQUIRED],
    )  # fmt: skip


class UnitForm(DynamicForm):  # type: ignore[misc]
    """A dated row of a unit."""

    code = line(_("Code"), longest=64)
    name = line(_("Name"))
    kind = words("kind", _("Kind"), keys=("department", "branch", "bureau"))
    parent = subject(_("Above"), "unit", maybe=True)
    group_name = line(_("Assessment group"), longest=64, maybe=True)
    tags = line(_("Tags"), longest=500, maybe=True)
    position = OrderField(_("Order"), validators=[MAYBE, NumberRange(0, 99_999)])
    valid_from = date_field(_("From"), maybe=True)
    valid_to = date_field(_("To"), maybe=True)


class PersonForm(DynamicForm):  # type: ignore[misc]
    """A dated row of a person."""

    code = line(_("Staff number"), longest=64)
    name = line(_("Name"), longest=100)
    category = words("category", _("Category"))
    group_name = line(_("Assessment group"), longest=64, maybe=True)
    email = line(_("E-mail"), maybe=True)
    valid_from = date_field(_("From"), maybe=True)
    valid_to = date_field(_("To"), maybe=True)


class PostingForm(DynamicForm):  # type: ignore[misc]
    """Who was where, as what."""

    person = subject(_("Person"), "person")
    unit = subject(_("Unit"), "unit")
    duty = words("duty", _("Duty"))
    valid_from = date_field(_("From"))
    valid_to = date_field(_("To"), maybe=True)


class OversightForm(DynamicForm):  # type: ignore[misc]
    """Which leader is in charge of what."""

    leader = subject(_("Leader"), "person")
    unit = subject(_("Unit"), "unit", maybe=True)
    indicator_code = line(_("Indicator"), longest=64, maybe=True)
    valid_from = date_field(_("From"))
    valid_to = date_field(_("To"), maybe=True)


class CalendarDayForm(DynamicForm):  # type: ignore[misc]
    """A holiday or a make-up workday."""

    day = date_field(_("Day"))
    kind = words("kind", _("Kind"), keys=("workday", "holiday"))
    name = line(_("Name"), longest=100, maybe=True)


class DocumentForm(DynamicForm):  # type: ignore[misc]
    """An assessment method."""

    code = line(_("Code"), longest=64)
    title = line(_("Title"), longest=300)
    issuer = line(_("Issuer"), maybe=True)
    number = line(_("Document number"), longest=100, maybe=True)
    year = whole(_("Year"), maybe=True, least=1900, most=9998)
    in_force_from = date_field(_("In force from"), maybe=True)
    in_force_to = date_field(_("In force to"), maybe=True)


class SchemeForm(DynamicForm):  # type: ignore[misc]
    """The head of a draft scheme."""

    code = line(_("Code"), longest=64)
    title = line(_("Title"))
    year = whole(_("Year"), least=1900, most=9998)
    version = line(_("Version"), longest=32)
    subject_kind = words("subject_kind", _("Assesses"))
    groups = line(_("Assessment groups"), longest=1000)
    in_force_from = date_field(_("In force from"))
    in_force_to = date_field(_("In force to"))
    places = whole(_("Decimals of the total"), most=6, default=2)
    rank_on = words("rank_on", _("Ranked on"))


class IndicatorForm(DynamicForm):  # type: ignore[misc]
    """A node of a draft scheme's tree."""

    scheme = draft_scheme(_("Scheme"))
    code = line(_("Code"), longest=64)
    title = line(_("Title"))
    parent_code = line(_("Above"), longest=64, maybe=True)
    method = words("method", _("Method"))
    full = exact(_("Full marks"), maybe=True)
    weight = exact(_("Weight in percent"), maybe=True)
    base = exact(_("Base"), maybe=True, least=None)
    cap = line(_("Cap"), longest=32, maybe=True)
    floor = line(_("Floor"), longest=32, maybe=True)
    places = whole(_("Decimals"), maybe=True, most=6)
    span = words("span", _("Computed per"), maybe=True)
    rollup = words("rollup", _("Rolled up by"), maybe=True)
    applies_to = line(_("Applies to"), longest=2000, maybe=True)
    not_applicable = words("not_applicable", _("If it does not apply"), maybe=True)
    assessor_unit = subject(_("Assessing department"), "unit", maybe=True)
    params = line(_("Parameters"), longest=2000, maybe=True)
    position = OrderField(_("Order"), validators=[MAYBE, NumberRange(0, 99_999)])


class ClauseForm(DynamicForm):  # type: ignore[misc]
    """What may be registered and what it is worth."""

    indicator_code = line(_("Indicator"), longest=64)
    code = line(_("Code"), longest=64)
    text = lines(_("Clause"))
    document = document(_("Document"))
    basis = line(_("Article"), longest=300, maybe=True)
    effect = words("effect", _("Effect"))
    pricing = words("pricing", _("Pricing"))
    price = exact(_("Price"), maybe=True)
    price_min = exact(_("Lowest"), maybe=True)
    price_max = exact(_("Highest"), maybe=True)
    ladder = line(_("Ladder"), longest=300, maybe=True)
    every_n = line(_("Every n-th"), longest=32, maybe=True)
    multipliers = line(_("Multipliers"), longest=2000, maybe=True)
    duplicates = words("duplicates", _("Duplicates"))
    shares = line(_("Shares"), longest=300, maybe=True)
    cap = line(_("Cap"), longest=64, maybe=True)
    evidence_required = BooleanField(_("Evidence required"))
    veto = line(_("Veto"), longest=32, maybe=True)
    replaces = line(_("Stands for"), longest=64, maybe=True)


class TargetForm(DynamicForm):  # type: ignore[misc]
    """The value an indicator is measured against."""

    indicator_code = line(_("Indicator"), longest=64)
    subject = subject(_("Assessed"))
    period = line(_("Period"), longest=7)
    value = exact(_("Target"), places=4, least=None)


class ExternalResultForm(DynamicForm):  # type: ignore[misc]
    """What a bureau above printed."""

    period = line(_("Period"), longest=7)
    subject = subject(_("Assessed"))
    indicator_code = line(_("Indicator"), longest=64, maybe=True)
    score = exact(_("Score"), places=4, maybe=True, least=None)
    rank = whole(_("Rank"), maybe=True, least=1)
    issuer = line(_("Issuer"), maybe=True)
    document = document(_("Document"))
