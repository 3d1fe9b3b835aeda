"""What the sentences of the report say: figures computed from the rows of a picture.

Each function takes the rows of the query of its name, never empty, and all data.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from statistics import mean, median

from ml.report.data import Row
from ml.report.words import Text, listed, word

Data = dict[str, list[Row]]
#: Below this a correlation is called none: by Cohen's words less than small.
NO_CORRELATION = 0.1
#: Recall at which curves are read off.
SHOWN_RECALL = 0.5


def name(row: Row, column: str) -> Text:
    """Return a translated value of a row, from its columns in both languages."""
    return {"en": str(row[f"{column}_en"]), "ko": str(row[f"{column}_ko"])}


def band(low: int, high: int | None) -> str:
    """Return a band in words that both languages share."""
    if high is None:
        return f"{low:,}+"
    return f"{low:,}" if low == high else f"{low:,}\N{EN DASH}{high:,}"


def _sum(rows: Iterable[Row], column: str) -> float:
    return sum(row[column] for row in rows)


def _top(rows: Iterable[Row], column: str) -> Row:
    """Return the first of the rows with the greatest value."""
    return max(rows, key=lambda row: row[column])


def prices(rows: list[Row], data: Data) -> dict:
    """Return facts about discount prices."""
    n_coupons = _sum(rows, "n_coupons")
    top = _top(rows, "n_coupons")
    cheap = [row for row in rows if row["high_yen"] is not None]
    return {
        "median_yen": rows[0]["median_yen"],
        "n_coupons": n_coupons,
        "top_band": band(top["low_yen"], top["high_yen"]),
        "top_share": top["n_coupons"] / n_coupons,
        "cheap_share": _sum((r for r in cheap if r["high_yen"] <= 100), "n_coupons")
        / n_coupons,
    }


def discount_rates(rows: list[Row], data: Data) -> dict:
    """Return facts about discount rates."""
    n_coupons = _sum(rows, "n_coupons")
    top = _top(rows, "n_coupons")
    half_off = (row for row in rows if row["low_percent"] >= 50)
    return {
        "n_coupons": n_coupons,
        "half_off_share": _sum(half_off, "n_coupons") / n_coupons,
        "top_band": band(top["low_percent"], min(top["low_percent"] + 4, 100)),
        "top_share": top["n_coupons"] / n_coupons,
    }


def display_days(rows: list[Row], data: Data) -> dict:
    """Return facts about days on sale."""
    n_coupons = _sum(rows, "n_coupons")
    week = (row for row in rows if row["n_days"] <= 7)
    return {
        "top_days": _top(rows, "n_coupons")["n_days"],
        "n_coupons": n_coupons,
        "week_share": _sum(week, "n_coupons") / n_coupons,
    }


def price_discount(rows: list[Row], data: Data) -> dict:
    """Return facts about price against discount."""
    correlation = rows[0]["price_correlation"] or 0.0
    return {
        "correlation": correlation,
        "strength": "none" if abs(correlation) < NO_CORRELATION else "some",
        "n_shown": len(rows),
    }


def ages(rows: list[Row], data: Data) -> dict:
    """Return facts about ages."""
    by_age: Counter = Counter()
    for row in rows:
        by_age[row["low_age"]] += row["n_users"]
    top = max(sorted(by_age), key=by_age.__getitem__)
    women = (row for row in rows if row["sex"] == "female")
    n_users = sum(by_age.values())
    return {
        "top_band": band(top, top + 4),
        "n_users": n_users,
        "female_share": _sum(women, "n_users") / n_users,
    }


def purchases_per_user(rows: list[Row], data: Data) -> dict:
    """Return facts about how purchases are spread over users."""
    n_users, n_purchases = _sum(rows, "n_users"), _sum(rows, "n_purchases")
    heavy = [row for row in rows if row["low_count"] >= 10]
    of = {row["low_count"]: row["n_users"] for row in rows}
    return {
        "n_heavy": _sum(heavy, "n_users"),
        "heavy_user_share": _sum(heavy, "n_users") / n_users,
        "heavy_purchase_share": _sum(heavy, "n_purchases") / max(n_purchases, 1),
        "once_share": of.get(1, 0) / n_users,
        "never_share": of.get(0, 0) / n_users,
    }


def weeks(rows: list[Row], data: Data) -> dict:
    """Return facts about purchases by week."""
    counts = [row["n_purchases"] for row in rows]
    top = _top(rows, "n_purchases")
    holiday = [row["n_purchases"] for row in rows if row["n_holidays"]]
    other = [row["n_purchases"] for row in rows if not row["n_holidays"]]
    return {
        "top_week": str(top["week_start_date"]),
        "top_ratio": top["n_purchases"] / max(median(counts), 1),
        "n_weeks": len(rows),
        "low": min(counts),
        "high": max(counts),
        "holiday_mean": mean(holiday) if holiday else None,
        "other_mean": mean(other) if other else None,
    }


def views(rows: list[Row], data: Data) -> dict:
    """Return facts about views that end in a purchase."""
    n_viewed = _sum(rows, "n_viewed_pairs")
    return {
        "best": name(rows[0], "genre"),
        "best_share": rows[0]["bought_share"],
        "worst": name(rows[-1], "genre"),
        "worst_share": rows[-1]["bought_share"],
        "n_viewed_pairs": n_viewed,
        "mean_share": _sum(rows, "n_bought_pairs") / n_viewed,
    }


def prefectures(rows: list[Row], data: Data) -> dict:
    """Return facts about purchases by prefecture."""
    n_purchases = max(_sum(rows, "n_purchases"), 1)
    return {
        "top": name(rows[0], "prefecture"),
        "top_share": rows[0]["n_purchases"] / n_purchases,
        "top5_share": _sum(rows[:5], "n_purchases") / n_purchases,
        "n_purchases": n_purchases,
        "n_without": sum(not row["n_purchases"] for row in rows),
    }


def genre_areas(rows: list[Row], data: Data) -> dict:
    """Return facts about purchases by genre and large area."""
    top = rows[0]
    n_genres = len({row["genre_en"] for row in rows})
    n_areas = len({row["large_area_en"] for row in rows})
    return {
        "top_genre": name(top, "genre"),
        "top_area": name(top, "large_area"),
        "top_share": top["n_purchases"] / _sum(rows, "n_purchases"),
        "n_cells": len(rows),
        "n_possible": n_genres * n_areas,
    }


def weekday_hours(rows: list[Row], data: Data) -> dict:
    """Return facts about purchases by weekday and hour."""
    n_purchases = max(_sum(rows, "n_purchases"), 1)
    top = _top(rows, "n_purchases")
    night = (row for row in rows if row["hour_of_day"] < 6)
    return {
        "top_day": word(f"weekday_{top['day_of_week']}"),
        "top_hour": top["hour_of_day"],
        "top_ratio": top["n_purchases"] / (n_purchases / len(rows)),
        "night_share": _sum(night, "n_purchases") / n_purchases,
    }


def missing(rows: list[Row], data: Data) -> dict:
    """Return facts about missing values."""
    n_missing, n_coupons = Counter(), Counter()
    for row in rows:
        n_missing[row["column_name"]] += row["n_missing"]
        n_coupons[row["column_name"]] += row["n_coupons"]
    shares = {column: n_missing[column] / n_coupons[column] for column in n_coupons}
    top = max(sorted(shares), key=shares.__getitem__)
    (totals,) = data["totals"]
    return {
        "top_column": top,
        "top_share": shares[top],
        "user_share": totals["n_users_without_prefecture"] / max(totals["n_users"], 1),
    }


def correlations(rows: list[Row], data: Data) -> dict:
    """Return facts about rank correlations."""
    pairs = [
        row
        for row in rows
        if row["measure"] < row["other_measure"] and _is_number(row["rank_correlation"])
    ]
    top = max(pairs, key=lambda row: abs(row["rank_correlation"]), default=rows[0])
    of_purchases = [
        row
        for row in rows
        if row["measure"] == "purchases"
        and row["other_measure"] != "purchases"
        and _is_number(row["rank_correlation"])
    ]
    best = max(
        of_purchases, key=lambda row: abs(row["rank_correlation"]), default=rows[0]
    )
    return {
        "best": word(best["other_measure"]),
        "best_correlation": best["rank_correlation"],
        "top_correlation": top["rank_correlation"],
        "one": word(top["measure"]),
        "other": word(top["other_measure"]),
        "n_coupons": max(row["n_coupons"] for row in rows),
    }


def _is_number(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def leaderboard(rows: list[Row], data: Data) -> dict:
    """Return facts about the models side by side."""
    default = next(row for row in rows if row["is_default"])
    others = [row for row in rows if row["default_minus_it"] is not None]
    beaten = [r for r in others if r["default_minus_it_low"] > 0]
    worse = [r for r in others if r["default_minus_it_high"] < 0]
    undecided = [r for r in others if r not in beaten and r not in worse]
    baseline = _baseline(rows)
    return {
        "default": word(default["model_name"]),
        "value": default["map_at_10"],
        "week": str(default["cutoff_date"]),
        "baseline": word(baseline["model_name"]) if baseline else None,
        "ratio": default["map_at_10"] / baseline["map_at_10"] if baseline else None,
        "beaten": _models(beaten),
        "worse": _models(worse),
        "undecided": _models(undecided),
    }


def _baseline(rows: list[Row]) -> Row | None:
    """Return the best baseline that is not the published model itself."""
    found = [
        row
        for row in rows
        if row["model_name"] in {"popularity", "cosine", "competition_cosine"}
        and not row["is_default"]
        and row["map_at_10"] > 0
    ]
    return _top(found, "map_at_10") if found else None


def _models(rows: list[Row]) -> Text | None:
    return listed([word(row["model_name"]) for row in rows]) if rows else None


def judged_weeks(rows: list[Row], data: Data) -> dict:
    """Return facts about several evaluated weeks."""
    by_week: dict = {}
    by_model: dict[str, list[float]] = {}
    for row in rows:
        by_week.setdefault(row["cutoff_date"], []).append(row)
        by_model.setdefault(row["model_name"], []).append(row["map_at_10"])
    firsts = Counter(
        _top(models, "map_at_10")["model_name"] for models in by_week.values()
    )
    best = max(sorted(firsts), key=firsts.__getitem__)
    return {
        "best": word(best),
        "n_first": firsts[best],
        "n_weeks": len(by_week),
        "best_mean": mean(by_model[best]),
    }


def _at_recall(rows: list[Row]) -> Row:
    """Return the first step of a curve that finds the shown share of purchases."""
    return next((r for r in rows if r["recall"] >= SHOWN_RECALL), rows[-1])


def precision_recall(rows: list[Row], data: Data) -> dict:
    """Return facts about the curve of precision and recall."""
    step = _at_recall([row for row in rows if row["is_default"]])
    return {
        "default": word(step["model_name"]),
        "recall": step["recall"],
        "one_in": 1 / step["precision_value"],
        "chance_one_in": 1 / step["base_rate"],
    }


def lift(rows: list[Row], data: Data) -> dict:
    """Return facts about the curve of lift."""
    step = _at_recall([row for row in rows if row["is_default"]])
    baselines = {row["model_name"] for row in rows if not row["is_default"]}
    steps = [
        _at_recall([row for row in rows if row["model_name"] == model])
        for model in sorted(baselines)
    ]
    baseline = min(steps, key=lambda row: row["named_share"], default=None)
    return {
        "default": word(step["model_name"]),
        "named_share": step["named_share"],
        "recall": step["recall"],
        "lift": step["lift"],
        "baseline": word(baseline["model_name"]) if baseline else None,
        "baseline_named_share": baseline["named_share"] if baseline else None,
    }


def calibration(rows: list[Row], data: Data) -> dict:
    """Return facts about predicted probabilities."""
    expected = sum(row["predicted"] * row["n_pairs"] for row in rows)
    bought = sum(row["observed"] * row["n_pairs"] for row in rows)
    factors = [
        max(row["observed"] / row["predicted"], row["predicted"] / row["observed"])
        for row in rows
        if row["observed"] > 0 and row["predicted"] > 0
    ]
    return {
        "ratio": bought / expected if expected else 0.0,
        "n_bins": len(rows),
        "worst": max(factors, default=1.0),
    }


def confusion(rows: list[Row], data: Data) -> dict:
    """Return facts about the confusion matrix."""
    of = {row["metric"]: row["n_pairs"] for row in rows}
    return {
        **of,
        "n_named": of["true_positives"] + of["false_positives"],
        "n_bought": of["true_positives"] + of["false_negatives"],
        "threshold": rows[0]["threshold"],
        "chance_one_in": sum(of.values())
        / max(of["true_positives"] + of["false_negatives"], 1),
    }


def _extremes(rows: list[Row], label: Callable[[Row], Text]) -> dict:
    best = _top(rows, "value")
    worst = min(rows, key=lambda row: row["value"])
    return {
        "best": label(best),
        "worst": label(worst),
        "best_value": best["value"],
        "worst_value": worst["value"],
        "overlap": best["low"] <= worst["high"],
    }


def slices(rows: list[Row], data: Data) -> dict:
    """Return facts about parts of the users; those without history are selected."""
    compared = [row for row in rows if row["slice"] != "purchases_0"]
    return _extremes(compared or rows, lambda row: word(row["slice"]))


def genre_recall(rows: list[Row], data: Data) -> dict:
    """Return facts about purchases found, by genre."""
    return _extremes(rows, lambda row: name(row, "genre"))


def one_model(rows: list[Row]) -> list[Row]:
    """Return the inputs of the first model that shows some."""
    return [row for row in rows if row["model_name"] == rows[0]["model_name"]]


def importance(rows: list[Row], data: Data) -> dict:
    """Return facts about the inputs of a model."""
    shown = one_model(rows)
    groups = Counter(row["feature_group"] for row in shown if row["feature_group"])
    return {
        "top": shown[0]["input_name"],
        "model": word(shown[0]["model_name"]),
        "n_inputs": len(shown),
        "n_negative": sum(row["coefficient"] < 0 for row in shown),
        "is_linear": shown[0]["model_name"] == "logistic_regression",
        "top_group": max(sorted(groups), key=groups.__getitem__) if groups else "-",
    }


def ablation(rows: list[Row], data: Data) -> dict:
    """Return facts about groups of features left out."""
    worst = rows[0]
    return {
        "worst": worst["feature_group"],
        "worst_difference": worst["difference"],
        "model": word(worst["model_name"]),
        "first": str(worst["first_judged_cutoff"]),
        "last": str(worst["last_judged_cutoff"]),
        "n_clear": sum(row["low"] > 0 or row["high"] < 0 for row in rows),
        "n_groups": len(rows),
    }


def recommendations(rows: list[Row], data: Data) -> dict:
    """Return facts about the example lists."""
    own = [row for row in rows if "you" in (row["reasons"] or "")]
    return {
        "local_share": len(own) / len(rows),
        "n_examples": len({row["user_hash"] for row in rows}),
    }


def runs(rows: list[Row], data: Data) -> dict:
    """Return facts about time and memory."""
    default = next((row for row in rows if row["is_default"]), rows[0])
    slowest = _top(rows, "fit_seconds")
    return {
        "slowest": word(slowest["model_name"]),
        "slowest_seconds": slowest["fit_seconds"],
        "n_training_pairs": default["n_training_pairs"],
        "run_seconds": default["run_seconds"],
        "peak_memory_mb": default["peak_memory_mb"],
        "pairs_per_second": default["pairs_per_second"],
    }


#: What computes the facts of each picture of texts.yml.
FACTS: dict[str, Callable[[list[Row], Data], dict]] = {
    function.__name__: function
    for function in (
        *(prices, discount_rates, display_days, price_discount, ages),
        *(purchases_per_user, weeks, views, prefectures, genre_areas, weekday_hours),
        *(missing, correlations, leaderboard, judged_weeks, precision_recall, lift),
        *(calibration, confusion, slices, genre_recall, importance, ablation),
        *(recommendations, runs),
    )
}
