"""Column types: exact integers of fixed scale, aware UTC instants, and the base every table shares."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from flask_appbuilder.models.sqla import Model
from sqlalchemy import BigInteger, DateTime, TypeDecorator

if TYPE_CHECKING:
    from sqlalchemy import Dialect

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
# Set before FAB's security models are imported, so that their keys are named as well.
Model.metadata.naming_convention = NAMING


class Scaled(TypeDecorator[Decimal]):
    """A decimal of fixed scale stored as an integer; a float or a finer number is refused."""

    impl = BigInteger
    cache_ok = True
    places = 0

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        if value is None:
            return None
        if isinstance(value, float):
            raise TypeError("a score is never a float")
        scaled = Decimal(value).scaleb(self.places)
        if scaled != scaled.to_integral_value():
            raise ValueError(f"more than {self.places} decimals")
        return int(scaled)

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(int(value)).scaleb(-self.places)

    @property
    def python_type(self) -> type[Decimal]:
        return Decimal


class Milli(Scaled):
    """Points and prices: 3 decimals."""

    cache_ok = True
    places = 3


class Measured(Scaled):
    """Measured values, targets and quantities: 4 decimals."""

    cache_ok = True
    places = 4


class Micro(Scaled):
    """Stored scores: 6 decimals."""

    cache_ok = True
    places = 6


class Instant(TypeDecorator[datetime]):
    """An aware instant, stored in UTC; a naive one is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


FOREVER = date(9999, 12, 31)
