"""Each case as the workbook a bureau would write: its inputs as entries, targets or external results, its
rule as method and clauses. A computed result never stands in it; expectations are read from the case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

Rows = dict[str, list[dict[str, Any]]]
HERE = Path(__file__).parent


class _Exact(yaml.SafeLoader):
    """Numbers with a point are read as decimals, never as floats."""


_Exact.add_constructor("tag:yaml.org,2002:float", lambda loader, node: Decimal(loader.construct_scalar(node)))


def read_case(name: str) -> dict[str, Any]:
    path = next(HERE.glob(f"{name}_*.yaml"))
    return yaml.load(path.read_text(encoding="utf-8"), _Exact)


@dataclass(frozen=True, slots=True)
class Expected:
    """One number that `flask scores` must print: of a subject's total or of one indicator."""

    period: str
    subject: str
    indicator: str | None = None
    score: Decimal | int | None = None
    exact: Decimal | int | None = None
    rank: int | None = None
    grade: str | None = None


@dataclass(slots=True)
class Book:
    """A workbook under construction."""

    rows: Rows = field(default_factory=lambda: {"units": [{"code": "0000", "name": "测试局", "kind": "bureau"}]})

    def add(self, sheet: str, **values: Any) -> None:
        self.rows.setdefault(sheet, []).append(values)

    def unit(self, code: str, name: str, group: str = "机关", **more: Any) -> None:
        order = len(self.rows["units"])
        self.add("units", code=code, name=name, parent="0000", kind="department", group=group, order=order, **more)

    def scheme(self, *groups: str, code: str = "S", year: int = 2017, **more: Any) -> None:
        self.add(
            "schemes", code=code, title=f"方案{code}", year=year, version="1", subject_kind="unit",
            groups=";".join(groups or ("机关",)), **more,
        )  # fmt: skip

    def node(self, code: str, parent: str | None, method: str, scheme: str = "S", **more: Any) -> None:
        self.add("indicators", scheme=scheme, code=code, parent=parent, title=f"指标{code}", method=method, **more)

    def clause(self, code: str, indicator: str, effect: str, pricing: str, **more: Any) -> None:
        self.add("clauses", indicator=indicator, code=code, text=f"细则{code}", effect=effect, pricing=pricing, **more)

    def entry(self, on: str, clause: str, subject: str, **more: Any) -> None:
        number = f"E{len(self.rows.get('entries', ())) + 1:04d}"
        self.add("entries", no=number, occurred_on=on, clause=clause, subject=subject, **more)


def codes(names: Any) -> dict[str, str]:
    """Unit codes by name, in the order of the case."""
    return {name: f"{index:02d}" for index, name in enumerate(names, start=1)}


def _marks(book: Book, names: list[str], root: str, **root_columns: Any) -> None:
    """A root over leaves whose marks are registered as they are."""
    book.node(root, None, **root_columns)
    for name in names:
        book.clause(f"{name}-mark", name, "measure", "measure")


def c01(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, weights = Book(), case["rules"]["total"]["weights"]
    units = codes(row["unit"] for row in case["inputs"])
    book.scheme()
    _marks(book, list(weights), "T", method="weighted")
    for name, weight in weights.items():
        book.node(name, "T", "given", weight=weight * 100)
    for row in case["inputs"]:
        book.unit(units[row["unit"]], row["unit"])
        for name in weights:
            book.entry("2017-08-15", f"{name}-mark", units[row["unit"]], value=row[name])
    expected = [
        Expected(
            "2017-08", units[row["unit"]], None, row["total"], row["total_unrounded"], row["rank_on_rounded_total"]
        )
        for row in case["expected"]
    ]
    return book, expected


def c04(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, weights = Book(), case["rules"]["total"]["weights"]
    units = codes(row["unit"] for row in case["inputs"])
    book.scheme("district", "zone", year=2023, places=case["rules"]["rounding"]["places"])
    _marks(book, list(weights), "T", method="weighted")
    for name, weight in weights.items():
        book.node(name, "T", "given", weight=weight * 100)
    for row in case["inputs"]:
        book.unit(units[row["unit"]], row["unit"], row["group"])
        for name in weights:
            book.entry("2023-04-20", f"{name}-mark", units[row["unit"]], value=row[name])
    expected = [
        Expected("2023-04", units[row["unit"]], None, row["score"], None, row["rank_in_group"])
        for row in case["expected"]
    ]
    return book, expected


def c07(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, inputs, rules = Book(), case["inputs"], case["rules"]
    districts = codes(inputs["zhenjiang"])
    book.scheme(places=rules["average"]["places"])
    _marks(book, [f"D{code}" for code in districts.values()], "T", method="mean")
    book.unit("Z", "镇江")
    for name, code in districts.items():
        book.node(f"D{code}", "T", "given")
        book.entry("2017-04-10", f"D{code}-mark", "Z", value=inputs["zhenjiang"][name])
    shares = inputs["lianyungang"]
    book.scheme("连云港", code="L", places=rules["share"]["places"])
    book.node("P", None, "ratio", scheme="L", full=100)
    book.clause("P-count", "P", "measure", "measure")
    for code, count in (("FULL", shares["full_marks"]), ("OTHER", shares["between_95_and_100"])):
        book.unit(code, code, "连云港")
        book.add("targets", indicator="P", subject=code, period="2017-04", value=shares["units"])
        book.entry("2017-04-10", "P-count", code, value=count)
    want = case["expected"]
    return book, [
        Expected("2017-04", "Z", None, want["zhenjiang_average"]),
        Expected("2017-04", "FULL", None, want["lianyungang_full_pct"]),
        Expected("2017-04", "OTHER", None, want["lianyungang_other_pct"]),
    ]


def c09(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules = Book(), case["rules"]
    units = codes(row["unit"] for row in case["inputs"])
    book.scheme(year=2012)
    items = [item["code"] for item in rules["items"]]
    book.node("T", None, "sum")
    book.node("R", "T", "sum")
    book.node("SELF", "T", "sum", weight=0)
    for item in rules["items"]:
        for parent, code in (("R", item["code"]), ("SELF", f"S{item['code']}")):
            book.node(code, parent, "given", full=item["full"], cap=str(item["full"]))
            book.clause(f"{code}-mark", code, "measure", "measure")
    extra, late = rules["innovation"], rules["supervised"]
    book.node(extra["code"], "T", "award")
    book.clause("innovation", extra["code"], "award", "range", min=extra["each_min"], max=extra["each_max"])
    book.node(late["code"], "T", "award")
    book.clause("late", late["code"], "deduction", "range", min=late["each_min"], max=late["each_max"])
    for row in case["inputs"]:
        unit = units[row["unit"]]
        book.unit(unit, row["unit"])
        for item, own, mark in zip(items, row["self_score"], row["reviewed"], strict=True):
            book.entry("2012-12-01", f"{item}-mark", unit, value=mark)
            book.entry("2012-12-01", f"S{item}-mark", unit, value=own)
        for points in row["innovation"]:
            book.entry("2012-12-05", "innovation", unit, points=points)
        for points in row["supervised"]:
            book.entry("2012-12-06", "late", unit, points=points)
    expected = []
    for row in case["expected"]:
        unit = units[row["unit"]]
        expected += [
            Expected("2012-12", unit, None, row["total"], None, row["rank"]),
            Expected("2012-12", unit, "R", row["reviewed_total"]),
            Expected("2012-12", unit, "SELF", row["self_total"]),
        ]
    return book, expected


def c10(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules = Book(), case["rules"]
    units = codes(rules["targets"])
    year = "2012"
    book.scheme("机关", "基层", year=2012)
    base = rules["base_score"]
    book.node("I", None, "ratio", full=base["full"], cap=str(base["cap"]), span="year")
    exceptions = rules["dedupe"]["except_columns"]
    for column, points in rules["points"].items():
        factors = ["joint=yes:0.5"]
        if column == "province_exchange":
            factors.append("group=基层:2")
        if column == "province_weekly_highlight":
            factors.append(f"column={column}:2")
        book.clause(
            column, "I", "award", "fixed", price=points, multipliers=";".join(factors),
            duplicates="always_added" if column in exceptions else rules["dedupe"]["policy"],
        )  # fmt: skip
    for name, target in rules["targets"].items():
        book.unit(units[name], name, rules["groups"][name])
        book.add("targets", indicator="I", subject=units[name], period=year, value=target)
    for row in case["inputs"]:
        for work in row["works"]:
            for adoption in work["adoptions"]:
                attrs = [f"column={adoption['column']}"] + ["joint=yes"] * bool(adoption.get("joint"))
                book.entry(
                    "2012-06-10", adoption["column"], units[row["unit"]], work_key=work["title"], attrs=";".join(attrs)
                )
    return book, [Expected(year, units[row["unit"]], None, row["base_score"]) for row in case["expected"]]


def c11(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules, inputs = Book(), case["rules"], case["inputs"]
    book.scheme(year=2018)
    book.node("T", None, "sum")
    book.unit("01", "一科")
    for policy in rules["policies"]:
        book.node(policy, "T", "award")
        for level, points in rules["points"].items():
            book.clause(f"{policy}-{level}", policy, "award", "fixed", price=points, duplicates=policy)
        for index, work in enumerate(inputs["works"]):
            for level in work:
                book.entry("2018-07-10", f"{policy}-{level}", "01", work_key=f"w{index}")
    return book, [Expected("2018-07", "01", policy, case["expected"][policy]) for policy in rules["policies"]]


def c14(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules, inputs, want = Book(), case["rules"], case["inputs"], case["expected"]
    book.scheme(year=2013)
    book.node("T", None, "sum")
    expected = []
    for code, span, rule in (("M", "month", rules["monthly"]), ("Q", "quarter", rules["quarterly"])):
        book.node(
            code, "T", "place", full=rule["full"], span=span, floor=str(rule["floor"]), rollup="mean",
            params=f"by=registered;step_pct={rule['step_pct_of_full']}",
        )  # fmt: skip
        book.clause(f"{code}-place", code, "measure", "measure")
    book.unit("01", "一县")
    for month, place in enumerate(inputs["month_ranks"], start=1):
        book.entry(f"2013-{month:02d}-20", "M-place", "01", value=place)
        expected.append(Expected(f"2013-{month:02d}", "01", "M", want["month_points"][month - 1]))
    for quarter, place in enumerate(inputs["quarter_ranks"], start=1):
        book.entry(f"2013-{quarter * 3:02d}-25", "Q-place", "01", value=place)
        expected.append(Expected(f"2013Q{quarter}", "01", "Q", want["quarter_points"][quarter - 1]))
    return book, [
        *expected,
        Expected("2013", "01", "M", want["annual_from_months"]),
        Expected("2013", "01", "Q", want["annual_from_quarters"]),
    ]


def c17(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    """The fourth quarter is marked in full; the others are known by their results, so every mark is that result."""
    book, rules, inputs, want = Book(), case["rules"], case["inputs"], case["expected"]
    book.scheme("人员", year=2011, places=rules["rounding"]["places"])
    book.rows["schemes"][0]["subject_kind"] = "person"
    book.add("people", staff_no="1", name="甲", category="staff", group="人员")
    book.node("T", None, "weighted")
    # the quarter is rounded below the node that is averaged, so that the mean is not
    book.node("MEAN", "T", "sum", weight=95, span="quarter", rollup="mean")
    book.node("Q", "MEAN", "weighted", places=rules["rounding"]["places"])
    book.node("LEADERS", "T", "given", span="year")
    book.node("APPRAISED", "Q", "weighted", weight=40)
    raters = {
        "assessor": ("Q", 60),
        "self": ("APPRAISED", 10),
        "own_office": ("APPRAISED", 55),
        "peers": ("APPRAISED", 35),
    }
    for rater, (parent, weight) in raters.items():
        book.node(rater, parent, "weighted", weight=weight)
        for aspect, share in rules["aspects"].items():
            leaf = f"{rater}-{aspect}"
            book.node(leaf, rater, "given", weight=share * 100, span="quarter", params="of=mean")
            book.clause(f"{leaf}-mark", leaf, "measure", "measure")
    book.clause("leaders-mark", "LEADERS", "measure", "measure")
    for quarter, result in enumerate(inputs["other_quarters"], start=1):
        for rater in raters:
            for aspect in rules["aspects"]:
                book.entry(f"2011-{quarter * 3:02d}-20", f"{rater}-{aspect}-mark", "1", value=result)
    for rater in raters:
        sheets = inputs[rater] if isinstance(inputs[rater], list) else [inputs[rater]]
        for sheet in sheets:
            for aspect, mark in sheet.items():
                book.entry("2011-12-20", f"{rater}-{aspect}-mark", "1", value=mark)
    book.entry("2011-12-25", "leaders-mark", "1", value=inputs["leaders"])
    return book, [
        Expected("2011Q4", "1", "assessor", want["assessor_part"] / Decimal("0.6")),
        Expected("2011Q4", "1", "Q", want["quarter"]),
        Expected("2011", "1", None, want["annual"]),
    ]


def c18(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules = Book(), case["rules"]
    units = codes(row["unit"] for row in case["inputs"])
    total = rules["total"]
    book.scheme(year=2016)
    book.node("D", None, "deduct", full=total["base"], floor=str(total["floor"]))
    for code, points in rules["deductions"].items():
        factor = rules["multiplier"]["factor"]
        book.clause(code, "D", "deduction", "fixed", price=points, multipliers=f"tag=listed_only:{factor}")
    for row in case["inputs"]:
        tags = {} if row["has_key_work"] else {"tags": "listed_only"}
        book.unit(units[row["unit"]], row["unit"], **tags)
        for code, count in row["events"].items():
            for _ in range(count):
                book.entry("2016-11-10", code, units[row["unit"]])
    return book, [Expected("2016-11", units[row["unit"]], None, row["score"]) for row in case["expected"]]


def c23(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules = Book(), case["rules"]
    units = codes(row["unit"] for row in case["inputs"])
    weights, plus = rules["total"]["weights"], rules["total"]["plus"]
    book.scheme(year=2015, places=rules["rounding"]["places"])
    book.node("T", None, "weighted")
    for name, weight in weights.items():
        book.node(name, "T", "given", weight=weight * 100, span="year")
    book.node(plus, "T", "given", span="year")
    for name in ("public", "leaders", plus):
        book.clause(f"{name}-mark", name, "measure", "measure")
    for row in case["inputs"]:
        unit = units[row["unit"]]
        book.unit(unit, row["unit"])
        book.add("external_results", period="2015", subject=unit, indicator="goals", score=row["goals"])
        for name in ("public", "leaders", plus):
            book.entry("2015-12-20", f"{name}-mark", unit, value=row[name])
    return book, [
        Expected("2015", units[row["unit"]], None, row["total"], None, row["rank"]) for row in case["expected"]
    ]


def c24(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, item = Book(), case["rules"]["annual_item"]
    book.scheme(year=2021)
    book.node("T", None, "sum")
    book.node("A", "T", "scale", places=item["places"], params=f"from={item['from_full']};to={item['to_full']}")
    book.node("C", "A", "given", full=100)
    book.clause("C-mark", "C", "measure", "measure")
    book.unit("01", "一科")
    for month, score in enumerate(case["inputs"]["month_scores"], start=1):
        book.entry(f"2021-{month:02d}-28", "C-mark", "01", value=score)
    want = case["expected"]
    return book, [
        Expected("2021", "01", "C", want["mean_of_months"]),
        Expected("2021", "01", "A", want["annual_item"]),
    ]


def c12(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, inputs, want = Book(), case["inputs"], case["expected"]
    book.scheme(year=2009)
    book.unit("01", "一科")
    book.node("T", None, "sum")
    book.node("M", "T", "given", rollup="sum")
    book.node("GAP", "T", "gap", full=0, floor="none", rollup="sum", params="price=2;value_of=M")
    book.node("R", "T", "award", rollup="sum")
    book.clause("mark", "M", "measure", "measure")
    book.clause("unfilled", "R", "deduction", "fixed", price=5)
    for month, score in enumerate(inputs["month_scores"], start=1):
        book.entry(f"2009-{month:02d}-20", "mark", "01", value=score)
        book.add("targets", indicator="GAP", subject="01", period=f"2009-{month:02d}", value=inputs["monthly_task"])
    for _ in range(inputs["unfilled_requests"]):
        book.entry("2009-06-20", "unfilled", "01")
    return book, [
        Expected("2009", "01", "M", want["sum_of_months"]),
        Expected("2009", "01", "GAP", -2 * want["total_shortfall"]),
        Expected("2009", "01", None, want["annual_score"]),
    ]


def c16(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules, inputs = Book(), case["rules"], case["inputs"]
    grades = [f"g{points}" for points in rules["grade_points"]]

    def listed(weights: Mapping[str, Any]) -> str:
        return "|".join(f"{name}:{weight * 100}" for name, weight in weights.items())

    points = "|".join(f"{grade}:{number}" for grade, number in zip(grades, rules["grade_points"], strict=True))
    book.scheme(year=2012, places=rules["rounding"]["places"])
    book.unit("01", "甲")
    book.node("T", None, "sum")
    book.node(
        "V", "T", "votes",
        params=f"grade_points={points};questions={listed(rules['questions'])};voters={listed(rules['voter_groups'])}",
    )  # fmt: skip
    book.node("B", "T", "award")
    book.clause("ballots", "V", "measure", "measure")
    book.clause("bonus", "B", "award", "given")
    for voter in rules["voter_groups"]:
        for question in rules["questions"]:
            for grade, number in zip(grades, inputs[voter][question], strict=True):
                attrs = f"voter={voter};question={question};grade={grade}"
                book.entry("2012-12-10", "ballots", "01", value=number, attrs=attrs)
    book.entry("2012-12-10", "bonus", "01", points=inputs["bonus"])
    return book, [Expected("2012-12", "01", None, case["expected"]["total"])]


def c21(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, rules = Book(), case["rules"]
    units = codes(row["unit"] for row in case["inputs"])
    book.scheme(year=2008)
    book.node("T", None, "sum")
    for name, rule in rules.items():
        book.node(name, "T", "award", cap=str(rule["cap"]))
    book.clause("over", "overfulfilled", "award", "given")
    book.clause("honour", "honours", "award", "given", duplicates="highest_only")
    book.clause("day", "daily", "award", "fixed", price=1)
    for name in ("city_goals", "province_goals"):
        book.clause(name, name, "award", "fixed", price=rules[name]["each"])
    for name in ("network", "supervised"):
        leaf = "network_goals" if name == "network" else "supervised_items"
        for part in ("lead", "assist"):
            book.clause(f"{name}_{part}", leaf, "award", "fixed", price=rules[leaf][part])
    for row in case["inputs"]:
        unit = units[row["unit"]]
        book.unit(unit, row["unit"])
        for kind, base in row["overfulfilled"]:
            book.entry("2008-12-01", "over", unit, points=base, quantity=rules["overfulfilled"]["rate"][kind])
        for name in (
            "city_goals", "province_goals", "network_lead", "network_assist", "supervised_lead", "supervised_assist",
        ):  # fmt: skip
            for _ in range(row[name]):
                book.entry("2008-12-01", name, unit)
        for index, levels in enumerate(row["honours"]):
            for level in levels:
                points = rules["honours"]["points"][level]
                book.entry("2008-12-01", "honour", unit, points=points, work_key=f"honour{index}")
        for _ in range(row["daily"]):
            book.entry("2008-12-01", "day", unit)
    expected = []
    for row in case["expected"]:
        unit = units[row["unit"]]
        expected += [Expected("2008-12", unit, name, points) for name, points in row["by_category"].items()]
        expected.append(Expected("2008-12", unit, None, row["bonus_total"]))
    return book, expected


def c26(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    book, tables, analysis = Book(), case["rules"]["tables"], case["rules"]["analysis"]
    units = codes(row["unit"] for row in case["inputs"])
    base, rate = tables["base"], tables["rate"]
    book.scheme(year=2010)
    book.node("T", None, "sum")
    book.node("TABLES", "T", "sum")
    book.node("BASE", "TABLES", "balance", base=base["met"], cap=str(base["max"]))
    book.node("RATE", "TABLES", "ratio", full=rate["full"])
    book.node("FAULTS", "TABLES", "award")
    book.node("ANALYSIS", "T", "award", cap=str(analysis["full"]))
    book.clause("missing", "BASE", "deduction", "fixed", price=-base["missing_each"])
    book.clause("extra", "BASE", "award", "fixed", price=base["extra_each"])
    book.clause("reported", "RATE", "measure", "measure")
    for name, price in (
        ("late_tables", "late_each"),
        ("minor_errors", "minor_error_each"),
        ("major_errors", "major_error_each"),
    ):
        book.clause(name, "FAULTS", "deduction", "fixed", price=-tables[price])
    prices = {"monthly": "monthly_each", "quarterly": "quarterly_each", "annual": "annual", "festival": "festival_each",
              "golden_week": "golden_week_each"}  # fmt: skip
    for name, price in prices.items():
        book.clause(name, "ANALYSIS", "award", "fixed", price=analysis[price])
    book.clause("special", "ANALYSIS", "award", "given")
    book.clause("late_analyses", "ANALYSIS", "deduction", "fixed", price=-analysis["late_each"])
    for row in case["inputs"]:
        unit = units[row["unit"]]
        book.unit(unit, row["unit"])
        difference = row["sample_units"] - row["required_units"]
        if difference:
            book.entry("2010-12-20", "extra" if difference > 0 else "missing", unit, quantity=abs(difference))
        book.add("targets", indicator="RATE", subject=unit, period="2010-12", value=row["due"])
        book.entry("2010-12-20", "reported", unit, value=row["reported"])
        for name in ("late_tables", "minor_errors", "major_errors", *prices, "late_analyses"):
            for _ in range(row[name]):
                book.entry("2010-12-21", name, unit)
        book.entry("2010-12-22", "special", unit, points=row["special"])
    expected = []
    for row in case["expected"]:
        unit = units[row["unit"]]
        expected += [
            Expected("2010-12", unit, "BASE", row["base"]),
            Expected("2010-12", unit, "RATE", row["rate_points"]),
            Expected("2010-12", unit, "TABLES", row["tables_score"]),
            Expected("2010-12", unit, "ANALYSIS", row["analysis_score"]),
        ]
    return book, expected


def c20(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    """The grades that lateness and absence leave: without a cap the band gives the highest."""
    book, best = Book(), "称职"
    people = codes(row["person"] for row in case["inputs"])
    book.scheme(year=2009)
    book.node("T", None, "balance", base=100)
    book.clause("late", "T", "deduction", "fixed", price=0)
    book.clause("absent", "T", "deduction", "fixed", price=0)
    book.add("grade_rules", scheme="S", grade=best, kind="band", condition="total>=90")
    for cap in reversed(case["rules"]["grade_cap"]):
        book.add("grade_rules", scheme="S", grade=cap["grade"], kind="band", condition="total<0")
    for cap in case["rules"]["grade_cap"]:
        limits = {"count(late)": "late_at_least", "quantity(absent)": "absent_days_at_least"}
        for term, name in limits.items():
            book.add("grade_rules", scheme="S", grade=cap["grade"], kind="cap", condition=f"{term}>={cap['any'][name]}")
    for row in case["inputs"]:
        book.unit(people[row["person"]], row["person"])
        for day in range(row["late"]):
            book.entry(f"2009-03-{day + 2:02d}", "late", people[row["person"]])
        if row["absent_days"]:
            book.entry("2009-06-01", "absent", people[row["person"]], quantity=row["absent_days"])
    return book, [Expected("2009", people[row["person"]], grade=row["grade_cap"] or best) for row in case["expected"]]


def c28(case: Mapping[str, Any]) -> tuple[Book, list[Expected]]:
    """Each input is a group of its own under a scheme with its percent in force; all would be excellent."""
    book, expected = Book(), []
    quota = case["rules"]["quota"]
    for index, (row, want) in enumerate(zip(case["inputs"], case["expected"], strict=True), start=1):
        scheme, group = f"S{index}", f"组{index}"
        percent = quota["max_pct_with_approval"] if row["approved"] else quota["pct"]
        book.scheme(group, code=scheme, year=2020)
        book.node(f"T{index}", None, "given", scheme=scheme, span="year")
        book.clause(f"mark{index}", f"T{index}", "measure", "measure")
        book.add("grade_rules", scheme=scheme, grade="优秀", kind="band", condition="total>=0")
        book.add("grade_rules", scheme=scheme, grade="称职", kind="band", condition="total<0")
        book.add("grade_rules", scheme=scheme, grade="优秀", kind="quota", value=f"{percent}/{quota['method']}")
        for person in range(row["people"]):
            code = f"{index}{person:02d}"
            book.unit(code, code, group)
            book.entry("2020-12-20", f"mark{index}", code, value=200 - person)
            is_best = person < want["max_excellent"]
            expected.append(Expected("2020", code, grade="优秀" if is_best else "称职"))
    return book, expected


CASES: Mapping[str, Callable[[Mapping[str, Any]], tuple[Book, list[Expected]]]] = {
    "c01": c01, "c04": c04, "c07": c07, "c09": c09, "c10": c10, "c11": c11, "c12": c12, "c14": c14, "c16": c16, "c17": c17,
    "c18": c18, "c20": c20, "c21": c21, "c23": c23, "c24": c24, "c26": c26, "c28": c28,
}  # fmt: skip
