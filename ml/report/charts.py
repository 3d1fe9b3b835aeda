"""The pictures as Vega-Lite charts: Altair writes them, the page draws them as SVG.

Each function takes the rows of the query of its name and a :class:`Language`. Colours
are those of Okabe and Ito, which colour-blind people tell apart; scales of colour grow
in lightness as well. Charts take the width of the page.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import altair as alt

from ml.report import words
from ml.report.data import Row
from ml.report.facts import band, name, one_model

BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PINK, GREY, BLACK = "#56B4E9", "#CC79A7", "#767676", "#1a1a1a"
#: One colour, from nearly white to dark, for counts and shares.
SEQUENTIAL = "blues"
#: Below and above 0, told apart by colour-blind people.
DIVERGING = "blueorange"
FONT = (
    'system-ui, -apple-system, "Apple SD Gothic Neo", "Malgun Gothic", '
    '"Noto Sans KR", NanumGothic, sans-serif'
)
#: More numbers above bars than that would run into each other.
MOST_NUMBERS = 14
#: Drawn size of pictures for slides, in pixels.
SLIDE_WIDTH = 720


@dataclass(frozen=True)
class Language:
    """How a picture names what it shows, in one of the two languages."""

    code: str

    def column(self, column: str) -> str:
        """Return the heading of a column."""
        return words.column(column)[self.code]

    def word(self, value: object) -> str:
        """Return the word for a value."""
        return words.word(value)[self.code]

    def name(self, row: Row, column: str) -> str:
        """Return a translated value of a row."""
        return name(row, column)[self.code]


def _data(rows: Sequence[Row]) -> alt.InlineData:
    """Return the rows as data; dates become text, what is no number becomes null."""
    return alt.InlineData(
        values=[
            {column: _plain(value) for column, value in row.items()} for row in rows
        ]
    )


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def _chart(rows: Sequence[Row], height: int | alt.Step = 260) -> alt.Chart:
    return alt.Chart(_data(rows), width="container", height=height)


def _tip(language: Language, *fields: tuple[str, str, str]) -> list[alt.Tooltip]:
    """Return what a point says when it is pointed at: field, heading, format."""
    return [
        alt.Tooltip(
            f"{field}:{'Q' if shape else 'N'}",
            title=language.column(heading),
            **({"format": shape} if shape else {}),
        )
        for field, heading, shape in fields
    ]


def _histogram(
    rows: Sequence[Row], language: Language, x: str, y: str
) -> alt.LayerChart:
    """Bars with their numbers on top; `label` holds the bands in their order."""
    base = _chart(rows).encode(
        x=alt.X("label:N", sort=None, title=language.column(x)),
        y=alt.Y(f"{y}:Q", title=language.column(y), axis=alt.Axis(format=",.0f")),
        tooltip=_tip(language, ("label", x, ""), (y, y, ",")),
    )
    bars = base.mark_bar(color=BLUE)
    if len(rows) > MOST_NUMBERS:
        return alt.layer(bars)
    numbers = base.mark_text(dy=-6, fontSize=10)
    return bars + numbers.encode(text=alt.Text(f"{y}:Q", format=","))


def prices(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw a histogram of discount prices."""
    shown = [{**row, "label": band(row["low_yen"], row["high_yen"])} for row in rows]
    return _histogram(shown, language, "price_band", "n_coupons")


def discount_rates(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw a histogram of discount rates."""
    shown = [
        {
            **row,
            "label": band(row["low_percent"], min(row["low_percent"] + 4, 100)),
        }
        for row in rows
    ]
    return _histogram(shown, language, "discount_band", "n_coupons")


def display_days(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw a histogram of days on sale."""
    shown = [
        {**row, "label": f"{row['n_days']}{'+' if row['n_days'] == 14 else ''}"}
        for row in rows
    ]
    return _histogram(shown, language, "n_days", "n_coupons")


def purchases_per_user(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw a histogram of purchases per user."""
    shown = [
        {**row, "label": band(row["low_count"], row["high_count"])} for row in rows
    ]
    return _histogram(shown, language, "purchases_band", "n_users")


def ages(rows: list[Row], language: Language) -> alt.Chart:
    """Draw a histogram of ages, women and men stacked."""
    shown = [
        {
            **row,
            "label": band(row["low_age"], row["low_age"] + 4),
            "sex_word": language.word(row["sex"]),
        }
        for row in rows
    ]
    return (
        _chart(shown)
        .mark_bar()
        .encode(
            x=alt.X("label:N", sort=None, title=language.column("age_band")),
            y=alt.Y(
                "n_users:Q",
                title=language.column("n_users"),
                axis=alt.Axis(format=",.0f"),
            ),
            color=alt.Color(
                "sex_word:N",
                title=language.column("sex"),
                scale=alt.Scale(
                    domain=[language.word("female"), language.word("male")],
                    range=[ORANGE, BLUE],
                ),
            ),
            tooltip=_tip(
                language,
                ("label", "age_band", ""),
                ("sex_word", "sex", ""),
                ("n_users", "n_users", ","),
            ),
        )
    )


def price_discount(rows: list[Row], language: Language) -> alt.Chart:
    """Draw price against discount rate, a point per coupon."""
    shown = [
        {
            "genre": language.name(row, "genre"),
            "price": row["discount_price_yen"],
            "rate": row["discount_rate_percent"],
        }
        for row in rows
    ]
    return (
        _chart(shown, 320)
        .mark_circle(color=BLUE, opacity=0.45, size=36)
        .encode(
            x=alt.X(
                "price:Q",
                scale=alt.Scale(type="log"),
                title=language.column("discount_price_yen"),
                axis=alt.Axis(format=",.0f", tickCount=5),
            ),
            y=alt.Y(
                "rate:Q",
                scale=alt.Scale(zero=False),
                title=language.column("discount_rate_percent"),
            ),
            tooltip=_tip(
                language,
                ("genre", "genre", ""),
                ("price", "discount_price_yen", ","),
                ("rate", "discount_rate_percent", "d"),
            ),
        )
    )


def weeks(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw purchases by week; open points are weeks with a holiday."""
    shown = [{**row, "is_holiday": row["n_holidays"] > 0} for row in rows]
    base = _chart(shown).encode(
        x=alt.X(
            "week_start_date:T",
            title=language.column("week_start_date"),
            axis=alt.Axis(format="%Y-%m", labelOverlap=True, labelSeparation=10),
        ),
        y=alt.Y(
            "n_purchases:Q",
            title=language.column("n_purchases"),
            axis=alt.Axis(format=",.0f"),
        ),
        tooltip=[
            alt.Tooltip(
                "week_start_date:T",
                title=language.column("week_start_date"),
                format="%Y-%m-%d",
            ),
            *_tip(
                language,
                ("n_purchases", "n_purchases", ","),
                ("n_buyers", "n_buyers", ","),
                ("n_holidays", "n_holidays", "d"),
            ),
        ],
    )
    points = base.mark_point(size=40, filled=True, opacity=1, stroke=BLUE).encode(
        fill=alt.condition("datum.is_holiday", alt.value("white"), alt.value(BLUE))
    )
    return base.mark_line(color=BLUE) + points


def views(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw the share of viewed coupons that were bought, by genre."""
    shown = [{**row, "label": language.name(row, "genre")} for row in rows]
    return _shares(shown, language, "genre", "bought_share")


def _room_for_numbers(rows: Sequence[Row], column: str) -> alt.Scale:
    """Return a scale from 0 with room for a number beside the longest bar."""
    return alt.Scale(domain=[0, 1.3 * max(row[column] for row in rows) or 1])


def _shares(rows: Sequence[Row], language: Language, y: str, x: str) -> alt.LayerChart:
    base = _chart(rows, alt.Step(24)).encode(
        x=alt.X(
            f"{x}:Q",
            title=language.column(x),
            axis=alt.Axis(format=".0%", tickCount=5),
            scale=_room_for_numbers(rows, x),
        ),
        y=alt.Y("label:N", sort=None, title=None),
        tooltip=_tip(language, ("label", y, ""), (x, x, ".1%")),
    )
    return base.mark_bar(color=BLUE) + base.mark_text(align="left", dx=4).encode(
        text=alt.Text(f"{x}:Q", format=".1%")
    )


def prefectures(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw a map: a point per prefecture, its area by purchases."""
    named = _named_on_map(rows)
    shown = [
        {
            **row,
            "label": language.name(row, "prefecture"),
            "is_named": row["prefecture_en"] in named,
        }
        for row in rows
    ]
    base = alt.Chart(_data(shown), width="container", height=440).encode(
        longitude="longitude:Q", latitude="latitude:Q"
    )
    points = base.mark_circle(
        color=BLUE, opacity=0.6, stroke="white", strokeWidth=0.5
    ).encode(
        size=alt.Size(
            "n_purchases:Q",
            scale=alt.Scale(range=[12, 1600]),
            title=language.column("n_purchases"),
            legend=alt.Legend(format=",.0f", tickCount=3),
        ),
        tooltip=_tip(
            language,
            ("label", "prefecture", ""),
            ("n_purchases", "n_purchases", ","),
            ("n_users", "n_users", ","),
        ),
    )
    # names stand on the side of the sea that has room for them
    names = [
        base.transform_filter(f"datum.is_named && datum.longitude {side}")
        .mark_text(align=align, dx=dx, dy=-10, fontWeight="bold", color=BLACK)
        .encode(text="label:N")
        for side, align, dx in (("< 129", "left", 8), (">= 129", "right", -10))
    ]
    return alt.layer(points, *names).project(type="mercator")


def _named_on_map(rows: Sequence[Row]) -> set[str]:
    """Return the prefectures whose names find room: none near one that sells more."""
    named: list[Row] = []
    for row in rows:
        if len(named) < 7 and all(
            abs(row["latitude"] - other["latitude"]) > 1.2
            or abs(row["longitude"] - other["longitude"]) > 3
            for other in named
        ):
            named.append(row)
    return {row["prefecture_en"] for row in named}


def _matrix(
    rows: Sequence[Row],
    language: Language,
    x: tuple[str, list[str]],
    y: tuple[str, list[str]],
    color: alt.Color,
    shape: str,
) -> alt.Chart:
    """Cells of x by y; each axis is a field with the order of its values."""
    field = str(color.shorthand).split(":")[0]
    return (
        _chart(rows, alt.Step(24))
        .mark_rect(stroke="white")
        .encode(
            x=alt.X("x:N", scale=_order(x[1]), title=language.column(x[0])),
            y=alt.Y("y:N", scale=_order(y[1]), title=None),
            color=color,
            tooltip=_tip(
                language, ("y", y[0], ""), ("x", x[0], ""), (field, field, shape)
            ),
        )
    )


def _order(values: list[str]) -> alt.Scale:
    """Return a scale with these values in their order.

    The order of `sort` would become part of an expression, which values must not.
    """
    return alt.Scale(domain=values)


def _in_order(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def genre_areas(rows: list[Row], language: Language) -> alt.Chart:
    """Draw purchases by genre and large area."""
    shown = [
        {
            "x": language.name(row, "large_area"),
            "y": language.name(row, "genre"),
            "n_purchases": row["n_purchases"],
        }
        for row in rows
    ]
    color = alt.Color(
        "n_purchases:Q",
        scale=alt.Scale(type="log", scheme=SEQUENTIAL),
        title=language.column("n_purchases"),
        legend=alt.Legend(format=",.0f", tickCount=4),
    )
    return _matrix(
        shown,
        language,
        ("large_area", _in_order([row["x"] for row in shown])),
        ("genre", _in_order([row["y"] for row in shown])),
        color,
        ",",
    )


def weekday_hours(rows: list[Row], language: Language) -> alt.Chart:
    """Draw purchases by weekday and hour, the week from Monday on."""
    shown = [
        {
            "x": str(row["hour_of_day"]),
            "y": language.word(f"weekday_{row['day_of_week']}"),
            "n_purchases": row["n_purchases"],
        }
        for row in rows
    ]
    color = alt.Color(
        "n_purchases:Q",
        scale=alt.Scale(scheme=SEQUENTIAL),
        title=language.column("n_purchases"),
        legend=alt.Legend(format=",.0f", tickCount=4),
    )
    days = [language.word(f"weekday_{day}") for day in (1, 2, 3, 4, 5, 6, 0)]
    hours = [str(hour) for hour in range(24)]
    return _matrix(
        shown, language, ("hour_of_day", hours), ("weekday", days), color, ","
    )


def missing(rows: list[Row], language: Language) -> alt.Chart:
    """Draw the share of missing values by column and genre."""
    shown = [
        {
            "x": language.name(row, "genre"),
            "y": row["column_name"],
            "missing_share": row["missing_share"],
        }
        for row in rows
    ]
    color = alt.Color(
        "missing_share:Q",
        scale=alt.Scale(scheme=SEQUENTIAL, domain=[0, 1]),
        title=language.column("missing_share"),
        legend=alt.Legend(format="%"),
    )
    return _matrix(
        shown,
        language,
        ("genre", _in_order([row["x"] for row in shown])),
        ("column_name", _in_order([row["y"] for row in shown])),
        color,
        ".0%",
    )


def correlations(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw rank correlations, their numbers in the cells."""
    shown = [
        {
            "x": language.word(row["other_measure"]),
            "y": language.word(row["measure"]),
            "correlation": row["rank_correlation"],
        }
        for row in rows
    ]
    order = _in_order([row["y"] for row in shown])
    color = alt.Color(
        "correlation:Q",
        scale=alt.Scale(scheme=DIVERGING, domain=[-1, 1]),
        title=language.column("correlation"),
    )
    cells = _matrix(
        shown,
        language,
        ("other_measure", order),
        ("measure", order),
        color,
        "+.2f",
    ).properties(height=alt.Step(34))
    numbers = (
        _chart(shown, alt.Step(34))
        .mark_text()
        .encode(
            x=alt.X("x:N", scale=_order(order)),
            y=alt.Y("y:N", scale=_order(order)),
            text=alt.Text("correlation:Q", format="+.2f"),
            color=alt.condition(
                "abs(datum.correlation) > 0.6", alt.value("white"), alt.value(BLACK)
            ),
        )
    )
    return cells + numbers


def _intervals(
    rows: Sequence[Row],
    language: Language,
    heading: str,
    title: str,
    shape: str,
    axis_shape: str = "~g",
) -> alt.LayerChart:
    """Draw values with their intervals, one under the other, numbers beside them.

    Rows have label, value, low, high and is_marked.
    """
    color = alt.condition("datum.is_marked", alt.value(RED), alt.value(BLUE))
    base = _chart(rows, alt.Step(28)).encode(
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=170)),
        color=color,
        tooltip=_tip(
            language,
            ("label", heading, ""),
            ("value", "value", shape),
            ("low", "low", shape),
            ("high", "high", shape),
        ),
    )
    rule = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=title, axis=alt.Axis(tickCount=5, format=axis_shape)),
        x2="high:Q",
    )
    point = base.mark_point(filled=True, size=70, opacity=1).encode(x="value:Q")
    text = base.mark_text(dy=-9, fontSize=10).encode(
        x="value:Q", text=alt.Text("value:Q", format=shape)
    )
    return rule + point + text


def leaderboard(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw MAP@10 of the models with intervals; the published one is marked."""
    shown = [
        {
            "label": language.word(row["model_name"])
            + (" *" if row["is_default"] else ""),
            "value": row["map_at_10"],
            "low": row["map_at_10_low"],
            "high": row["map_at_10_high"],
            "is_marked": row["is_default"],
        }
        for row in rows
    ]
    title = language.column("map_at_10")
    return _intervals(shown, language, "model_name", title, ".5f")


def slices(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw MAP@10 of parts of the users with intervals."""
    order = list(words.all_values())
    shown = [
        {**row, "label": language.word(row["slice"]), "is_marked": False}
        for row in sorted(
            rows, key=lambda row: (order.index(row["slice"]), row["slice"])
        )
    ]
    title = language.column("map_at_10")
    return _intervals(shown, language, "user_part", title, ".4f")


def genre_recall(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw the share of purchases found by genre, with intervals."""
    shown = [
        {**row, "label": language.name(row, "genre"), "is_marked": False}
        for row in rows
    ]
    title = language.column("genre_recall")
    return _intervals(shown, language, "genre", title, ".0%", ".0%")


def _model_colors(rows: Sequence[Row], language: Language) -> alt.Color:
    """Return colours of models: the published one and its baselines."""
    models = _in_order([language.word(row["model_name"]) for row in rows])
    colors = [RED, BLUE, GREEN, ORANGE, PINK, SKY, GREY, BLACK, "#A6761D", "#4B0082"]
    return alt.Color(
        "model:N",
        title=None,
        scale=alt.Scale(domain=models, range=colors[: len(models)]),
        sort=None,
    )


def judged_weeks(rows: list[Row], language: Language) -> alt.Chart:
    """Draw MAP@10 by week, a line per model."""
    shown = [{**row, "model": language.word(row["model_name"])} for row in rows]
    return (
        _chart(shown, 320)
        .mark_line(point=True)
        .encode(
            x=alt.X(
                "cutoff_date:T",
                title=language.column("cutoff_date"),
                axis=alt.Axis(format="%m-%d", labelOverlap=True, labelSeparation=10),
            ),
            y=alt.Y("map_at_10:Q", title=language.column("map_at_10")),
            color=_model_colors(rows, language),
            tooltip=_tip(
                language,
                ("model", "model_name", ""),
                ("map_at_10", "map_at_10", ".5f"),
                ("map_at_10_low", "map_at_10_low", ".5f"),
                ("map_at_10_high", "map_at_10_high", ".5f"),
            ),
        )
    )


def _curve(
    rows: list[Row], language: Language, x: alt.X, y: alt.Y, fields: Sequence[tuple]
) -> alt.Chart:
    shown = [{**row, "model": language.word(row["model_name"])} for row in rows]
    return (
        _chart(shown, 320)
        .mark_line(point=alt.OverlayMarkDef(size=24))
        .encode(
            x=x,
            y=y,
            # steps in their order, whatever the axis
            order="step:N",
            color=_model_colors(rows, language),
            tooltip=_tip(language, ("model", "model_name", ""), *fields),
        )
    )


def precision_recall(rows: list[Row], language: Language) -> alt.Chart:
    """Draw precision against recall, a line per model."""
    x = alt.X("recall:Q", title=language.column("recall"), axis=alt.Axis(format="%"))
    y = alt.Y(
        "precision_value:Q",
        title=language.column("precision_value"),
        scale=alt.Scale(type="log"),
        axis=alt.Axis(format="~%", tickCount=5),
    )
    fields = (
        ("recall", "recall", ".0%"),
        ("precision_value", "precision_value", ".2%"),
    )
    return _curve(rows, language, x, y, fields)


def lift(rows: list[Row], language: Language) -> alt.Chart:
    """Draw lift by the share of pairs named, a line per model."""
    x = alt.X(
        "named_share:Q",
        title=language.column("named_share"),
        scale=alt.Scale(type="log"),
        axis=alt.Axis(format="~%", tickCount=4),
    )
    y = alt.Y(
        "lift:Q",
        title=language.column("lift"),
        scale=alt.Scale(type="log"),
        axis=alt.Axis(format="~g", tickCount=5),
    )
    fields = (
        ("named_share", "named_share", ".2%"),
        ("recall", "recall", ".0%"),
        ("lift", "lift", ".1f"),
    )
    return _curve(rows, language, x, y, fields)


def calibration(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw predicted probability against the share bought, with the line of truth."""
    shown = [row for row in rows if row["predicted"] > 0 and row["observed"] > 0]
    ends = [row[name] for row in shown for name in ("predicted", "observed")]
    low, high = (min(ends), max(ends)) if ends else (0.001, 1.0)
    scale = alt.Scale(type="log", domain=[low / 1.5, min(1.0, high * 1.5)])
    axis = alt.Axis(format="~%", tickCount=5)
    base = _chart(shown, 320).encode(
        x=alt.X(
            "predicted:Q", scale=scale, axis=axis, title=language.column("predicted")
        ),
        y=alt.Y(
            "observed:Q", scale=scale, axis=axis, title=language.column("observed")
        ),
        tooltip=_tip(
            language,
            ("predicted", "predicted", ".3%"),
            ("observed", "observed", ".3%"),
            ("n_pairs", "n_pairs", ","),
        ),
    )
    truth = (
        alt.Chart(
            _data([{"predicted": end, "observed": end} for end in (low, high)]),
            width="container",
            height=320,
        )
        .mark_line(color=GREY, strokeDash=[4, 4])
        .encode(x=alt.X("predicted:Q", scale=scale), y=alt.Y("observed:Q", scale=scale))
    )
    return (
        truth
        + base.mark_line(color=BLUE)
        + base.mark_point(filled=True, size=60, color=BLUE, opacity=1)
    )


def confusion(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw the confusion matrix with its numbers."""
    shown = [
        {
            "x": language.word("is_bought" if row["is_bought"] else "is_not_bought"),
            "y": language.word(
                "is_predicted" if row["is_predicted"] else "is_not_predicted"
            ),
            "n_pairs": row["n_pairs"],
            "is_right": row["is_bought"] == row["is_predicted"],
        }
        for row in rows
    ]
    base = _chart(shown, alt.Step(60)).encode(
        x=alt.X(
            "x:N",
            scale=_order([language.word("is_bought"), language.word("is_not_bought")]),
            title=None,
            axis=alt.Axis(labelAngle=0, orient="top"),
        ),
        y=alt.Y(
            "y:N",
            scale=_order(
                [language.word("is_predicted"), language.word("is_not_predicted")]
            ),
            title=None,
        ),
        tooltip=_tip(language, ("n_pairs", "n_pairs", ",")),
    )
    cells = base.mark_rect(stroke="white", strokeWidth=2).encode(
        color=alt.condition(
            "datum.is_right", alt.value("#cfe3f1"), alt.value("#fbe3bd")
        )
    )
    numbers = base.mark_text(fontSize=18, color=BLACK).encode(
        text=alt.Text("n_pairs:Q", format=",")
    )
    return cells + numbers


def importance(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw the strongest inputs of a model, below 0 in another colour."""
    base = _chart(one_model(rows), alt.Step(24)).encode(
        x=alt.X(
            "coefficient:Q",
            title=language.column("coefficient"),
            axis=alt.Axis(tickCount=5),
        ),
        y=alt.Y("input_name:N", sort=None, title=None, axis=alt.Axis(labelLimit=190)),
        tooltip=_tip(
            language,
            ("input_name", "input_name", ""),
            ("feature_group", "feature_group", ""),
            ("coefficient", "coefficient", "+.3f"),
        ),
    )
    bars = base.mark_bar().encode(
        color=alt.condition("datum.coefficient < 0", alt.value(ORANGE), alt.value(BLUE))
    )
    return bars


def ablation(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw what MAP@10 loses without each group, with intervals."""
    shown = [
        {
            **row,
            "label": row["feature_group"],
            "value": row["difference"],
            "is_marked": row["low"] > 0 or row["high"] < 0,
        }
        for row in rows
    ]
    title = language.column("difference")
    return _intervals(shown, language, "feature_group", title, "+.5f")


def runs(rows: list[Row], language: Language) -> alt.LayerChart:
    """Draw the seconds that fitting each model takes."""
    shown = [
        {
            **row,
            "label": language.word(row["model_name"])
            + (" *" if row["is_default"] else ""),
        }
        for row in rows
    ]
    base = _chart(shown, alt.Step(26)).encode(
        x=alt.X(
            "fit_seconds:Q",
            title=language.column("fit_seconds"),
            axis=alt.Axis(tickCount=5),
            scale=_room_for_numbers(rows, "fit_seconds"),
        ),
        y=alt.Y("label:N", sort=None, title=None, axis=alt.Axis(labelLimit=170)),
        tooltip=_tip(
            language,
            ("label", "model_name", ""),
            ("fit_seconds", "fit_seconds", ".1f"),
            ("predict_seconds", "predict_seconds", ".1f"),
        ),
    )
    return base.mark_bar(color=BLUE) + base.mark_text(align="left", dx=4).encode(
        text=alt.Text("fit_seconds:Q", format=".1f")
    )


#: What draws each picture of texts.yml; what is not here is a table.
CHARTS: dict[str, Callable[[list[Row], Language], alt.TopLevelMixin]] = {
    function.__name__: function
    for function in (
        *(prices, discount_rates, display_days, price_discount, ages),
        *(purchases_per_user, weeks, views, prefectures, genre_areas, weekday_hours),
        *(missing, correlations, leaderboard, judged_weeks, precision_recall, lift),
        *(calibration, confusion, slices, genre_recall, importance, ablation, runs),
    )
}


def with_width(specification: dict, width: int) -> dict:
    """Return a specification whose width is fixed, parts of layers included."""
    fixed = {**specification, "width": width}
    if "layer" in specification:
        fixed["layer"] = [with_width(layer, width) for layer in specification["layer"]]
    return fixed


def specification(picture: str, rows: list[Row], language: str, title: str) -> dict:
    """Return a picture as a Vega-Lite specification, as wide as its place allows.

    Parameters
    ----------
    title
        What the picture shows, in words, for those who do not see it.
    """
    chart = CHARTS[picture](rows, Language(language))
    chart = (
        chart.properties(
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
            description=title,
            background="white",
        )
        .configure(font=FONT)
        .configure_axis(
            labelColor=BLACK,
            titleColor=BLACK,
            gridColor="#e5e5e5",
            domainColor=GREY,
            labelFontSize=11,
            titleFontSize=12,
            titleFontWeight="normal",
            labelLimit=130,
        )
        .configure_view(stroke=None)
        .configure_legend(
            orient="bottom", labelFontSize=11, titleFontSize=11, columns=2
        )
    )
    return chart.to_dict()
