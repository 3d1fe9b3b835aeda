"""A rolling origin: which weeks, what their means are, what is published."""

from __future__ import annotations

import datetime as dt
import shutil

import duckdb
import numpy as np
import pytest

from ml import backtest
from ml.backtest import summarise, weeks_between
from ml.backtest_page import Summary, page, text
from ml.evaluate import Metric, PerUser
from ml.fitting import Evaluation
from ml.reference import model as reference_model
from ml.warehouse import WarehouseError

WEEKS = [dt.date(2012, 3, 4) + dt.timedelta(weeks=i) for i in range(5)]


def test_weeks_between_need_two_weeks_before_them():
    assert weeks_between(WEEKS, WEEKS[0], WEEKS[4]) == WEEKS[2:]
    assert weeks_between(WEEKS[::-1], WEEKS[3], WEEKS[3]) == [WEEKS[3]]
    # any days, not only Sundays
    day = dt.timedelta(days=1)
    assert weeks_between(WEEKS, WEEKS[2] + day, WEEKS[4] - day) == [WEEKS[3]]


def test_weeks_that_cannot_be_measured_are_one_sentence():
    with pytest.raises(WarehouseError, match="2012-03-18 to 2012-04-01") as error:
        weeks_between(WEEKS, WEEKS[0], WEEKS[1])
    assert "no labelled cutoff from 2012-03-04 to 2012-03-11" in str(error.value)
    with pytest.raises(WarehouseError, match="those that have: none"):
        weeks_between(WEEKS[:2], WEEKS[0], WEEKS[4])
    with pytest.raises(WarehouseError):
        weeks_between(WEEKS, WEEKS[4], WEEKS[2])


def evaluation(
    week: dt.date,
    precision: dict[str, list[float]],
    dear: dict[str, list[float]] | None = None,
) -> Evaluation:
    """Return a week of three users, with all measures that a page shows."""
    per_user = PerUser(
        {name: np.array(values) for name, values in precision.items()},
        {name: np.array(values) for name, values in (dear or precision).items()},
    )
    shown = [
        *(("map_at_10", "all"), ("map_at_10", "buyers"), ("recall_at_10", "buyers")),
        *((metric, "all") for metric in ("auc", "pr_auc", "log_loss", "brier", "f1")),
    ]
    measured = [
        Metric(name, metric, part, float(np.mean(values)))
        for name, values in precision.items()
        for metric, part in shown
    ]
    rows = [
        {
            "model_name": name,
            "fit_seconds": 2.0,
            "predict_seconds": 3.0,
            "latency_p95_ms": 4.0,
        }
        for name in precision
    ]
    return Evaluation(week, measured, per_user, rows)


@pytest.fixture
def done() -> dict[dt.date, Evaluation]:
    return {
        WEEKS[2]: evaluation(
            WEEKS[2],
            {"popularity": [0.0, 0.3, 0.0], "cosine": [0.6, 0.3, 0.0]},
            {"popularity": [0.0, 0.0, 0.3], "cosine": [0.0, 0.0, 0.3]},
        ),
        WEEKS[3]: evaluation(
            WEEKS[3],
            {"popularity": [0.0, 0.0, 0.0], "cosine": [0.6, 0.0, 0.3]},
            {"popularity": [0.0, 0.0, 0.0], "cosine": [0.0, 0.0, 0.9]},
        ),
    }


def values_of(summaries: list[Summary]) -> dict[tuple, float]:
    return {(s.model_name, s.metric, s.slice): s.value for s in summaries}


def test_means_and_differences_by_hand(done):
    found = summarise(done, "cosine", [WEEKS[2]], 0)
    mean, difference = "mean_map_at_10", "mean_map_at_10_difference"
    without = f"without_{WEEKS[2]}"
    assert values_of(found) == {
        # weeks 0.1 and 0; 0.3 and 0.3
        ("popularity", mean, "all"): pytest.approx(0.05),
        ("cosine", mean, "all"): pytest.approx(0.3),
        ("cosine", difference, "all_to_popularity"): pytest.approx(0.25),
        # weeks 0.1 and 0; 0.1 and 0.3
        ("popularity", mean, "above_100_yen"): pytest.approx(0.05),
        ("cosine", mean, "above_100_yen"): pytest.approx(0.2),
        ("cosine", difference, "above_100_yen_to_popularity"): pytest.approx(0.15),
        # the second week alone
        ("popularity", mean, without): pytest.approx(0.0),
        ("cosine", mean, without): pytest.approx(0.3),
        ("cosine", difference, f"{without}_to_popularity"): pytest.approx(0.3),
    }


def test_intervals_are_over_users_with_all_of_their_weeks(done):
    found = {(s.metric, s.slice): s for s in summarise(done, "cosine", [], 0)}
    gain = found["mean_map_at_10_difference", "all_to_popularity"]
    # per user 0.6, 0 and 0.15. Of 27 samples of three users one, more than 2.5 %, holds
    # the second user alone; one holds the first alone, three the first twice and the
    # last: (0.6 + 0.6 + 0.15) / 3 = 0.45
    assert gain.low == pytest.approx(0.0)
    assert 0.45 < gain.high <= 0.6
    # who gains the same from the same users gains surely
    sure = {
        week: evaluation(week, {"popularity": [0.1, 0.5], "cosine": [0.3, 0.7]})
        for week in WEEKS[2:4]
    }
    (gain,) = (
        s
        for s in summarise(sure, "cosine", [], 0)
        if (s.metric, s.slice) == ("mean_map_at_10_difference", "all_to_popularity")
    )
    assert [gain.value, gain.low, gain.high] == pytest.approx([0.2, 0.2, 0.2])


def test_a_single_week_is_not_left_out(done):
    one = {WEEKS[2]: done[WEEKS[2]]}
    slices = {s.slice for s in summarise(one, "cosine", [WEEKS[2], WEEKS[4]], 0)}
    assert slices == {
        *("all", "all_to_popularity"),
        *("above_100_yen", "above_100_yen_to_popularity"),
    }


def test_the_page_shows_means_weeks_and_measures(done, monkeypatch, tmp_path):
    monkeypatch.setenv("PONPARE_DATA_DIR", str(tmp_path))
    summaries = [
        Summary("popularity", "mean_map_at_10", "all", 0.05, 0.01, 0.1),
        Summary("cosine", "mean_map_at_10", "all", 0.3, 0.1, 0.6),
        Summary(
            *("cosine", "mean_map_at_10_difference", "all_to_popularity"),
            *(0.25, 0.0, 0.5),
        ),
    ]
    made = page(
        done, summaries, "cosine", "python -m ml.backtest --seed 3", "here", "1.2"
    ).splitlines()
    assert made[2].startswith(
        "Written by `python -m ml.backtest --seed 3` on real data of 3 users "
        "(version 1.2)."
    )
    assert made[2].endswith("Settings: here.")
    # the best first; 0.25 of 0.05 is five times as much
    best = "| cosine | 0.30000 | 0.10000..0.60000 |  |  |"
    other = (
        "| popularity | 0.05000 | 0.01000..0.10000 | +0.25000 (+0.00000..+0.50000) "
        "| +500.0% |"
    )
    assert made[made.index(best) + 1] == other
    assert "| 2012-03-18 | 0.30000 | 0.10000 |" in made
    assert "| 2012-03-25 | 0.30000 | 0.00000 |" in made
    # (0.1 + 0) / 2 of popularity in all measures
    assert (
        "| popularity | 0.0500 | 0.0500 | 0.0500 | 0.05000 | 0.050000 | 0.0500000 "
        "| 0.0500 | 2.0 | 3.0 | 4.0 |"
    ) in made
    assert other in text(done, summaries, "cosine").splitlines()


# --- the command


@pytest.fixture(scope="module")
def tested(sample_world, tmp_path_factory):
    """A backtest of three models over two weeks: its warehouse and its page."""
    directory = tmp_path_factory.mktemp("backtest")
    database, written = directory / "sample.duckdb", directory / "backtest.md"
    shutil.copy(sample_world.database, database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PONPARE_DB", str(database))
        patch.setenv("PONPARE_DATA_DIR", str(sample_world.data_dir))
        patch.setattr(reference_model, "N_SEEDS", 1)
        assert (
            backtest.main(
                [
                    *("--from", "2012-06-10", "--to", "2012-06-17"),
                    *("--models", "popularity", "cosine", "lightgbm_reference"),
                    *("--apart", "2012-06-17", "--write", str(written)),
                ]
            )
            == 0
        )
    with duckdb.connect(str(database), read_only=True) as connection:
        yield connection, written.read_text(encoding="utf-8")


def rows(tested, query: str) -> list[tuple]:
    return tested[0].execute(query).fetchall()


def test_the_page_names_the_command_that_repeats_it(tested):
    assert (
        "`python -m ml.backtest --from 2012-06-10 --to 2012-06-17 "
        "--models popularity cosine lightgbm_reference --apart 2012-06-17 "
        "--write FILE`" in tested[1]
    )


def test_every_week_is_a_run_fitted_on_all_weeks_before(tested):
    found = rows(
        tested,
        "select evaluated_cutoff_date::varchar, model_name, is_default, "
        "last_training_cutoff::varchar, first_training_cutoff = "
        "(select min(cutoff_date) from features.cutoffs where is_labelled), "
        "n_evaluated_pairs = (select count(*) from ml.scoring_pairs "
        "where cutoff_date = model_runs.evaluated_cutoff_date), "
        "model_file from ml.model_runs order by all",
    )
    assert found == [
        (week, name, False, last, True, True, None)
        for week, last in (("2012-06-10", "2012-06-03"), ("2012-06-17", "2012-06-10"))
        for name in ("cosine", "lightgbm_reference", "popularity")
    ]


def test_the_means_are_those_of_the_weeks(tested):
    weekly = rows(
        tested,
        "select model_name, avg(value), count(*) from ml.model_metrics "
        "where metric = 'map_at_10' and slice = 'all' group by all order by all",
    )
    means = dict(
        rows(
            tested,
            "select model_name, value from ml.model_metrics "
            "where metric = 'mean_map_at_10' and slice = 'all' "
            "and run_id like '%-mean'",
        )
    )
    assert [(name, n) for name, _, n in weekly] == [
        *(("cosine", 2), ("lightgbm_reference", 2), ("popularity", 2))
    ]
    for name, value, _ in weekly:
        assert value > 0
        assert means[name] == pytest.approx(value, rel=1e-12)
    assert rows(
        tested,
        "select model_name, slice, value from ml.model_metrics "
        "where metric = 'mean_map_at_10_difference' and slice = 'all_to_popularity'",
    ) == [
        (
            "cosine",
            "all_to_popularity",
            pytest.approx(means["cosine"] - means["popularity"], abs=1e-12),
        )
    ]
    # the week that is left out leaves the other
    assert rows(
        tested,
        "select count(*) from ml.model_metrics as apart inner join ml.model_metrics "
        "as week using (model_name) where apart.slice = 'without_2012-06-17' "
        "and apart.metric = 'mean_map_at_10' and week.metric = 'map_at_10' "
        "and week.slice = 'all' and week.run_id like '%-20120610' "
        "and abs(apart.value - week.value) < 1e-12",
    ) == [(3,)]


def test_the_reference_is_measured_like_the_others(tested):
    shown = ("map_at_10", "recall_at_10", "auc", "pr_auc", "log_loss", "brier", "f1")
    measured = rows(
        tested,
        "select model_name, list(metric || ' ' || slice order by metric, slice) "
        f"from ml.model_metrics where metric in {shown} and value is not null "
        "and run_id like '%-20120617' group by model_name order by model_name",
    )
    assert [name for name, _ in measured] == [
        *("cosine", "lightgbm_reference", "popularity")
    ]
    assert measured[0][1] == measured[1][1]
    assert len(measured[1][1]) > len(shown)
    assert rows(
        tested,
        "select bool_and(fit_seconds > 0 and predict_seconds > 0 "
        "and latency_p95_ms > 0 and parameters = '{\"random_state\": 0}') "
        "from ml.model_runs where model_name = 'lightgbm_reference'",
    ) == [(True,)]
    # it has learned something: at random ten of some hundred coupons are right
    ((auc,),) = rows(
        tested,
        "select min(value) from ml.model_metrics where metric = 'auc' "
        "and slice = 'all' and model_name = 'lightgbm_reference'",
    )
    assert auc > 0.7


def test_the_page_is_written(tested):
    _, written = tested
    assert written.startswith("# Backtest\n")
    assert "on a synthetic sample of 300 users" in written
    assert "Settings: search search-small of 2012-01-08 on this data." in written
    assert "## Mean over the weeks: without the week of 2012-06-17" in written
    assert written.count("| 2012-06-10 |") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--from", "2012-06-24", "--to", "2012-06-24"],
            "no labelled cutoff from 2012-06-24 to 2012-06-24",
        ),
        (
            ["--from", "2012-06-10", "--to", "2012-06-10", "--write", "nowhere/x.md"],
            "--write: nowhere is no directory.",
        ),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    sample_world, monkeypatch, capsys, arguments, message
):
    monkeypatch.setenv("PONPARE_DB", str(sample_world.database))
    monkeypatch.setenv("PONPARE_DATA_DIR", str(sample_world.data_dir))
    assert backtest.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1
