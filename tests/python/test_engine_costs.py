"""What another engine would cost: curves through measurements, and what they say."""

from __future__ import annotations

import pytest

from ml import engine_costs
from ml.bench_record import Measured, add
from ml.cli import CommandError
from ml.cost_curves import Curve, curve_through, curves_of
from ml.engine_costs_page import Assumptions, offer
from ml.settings import PROJECT_DIR

MILLION = 1_000_000


def built(engine: str, events: int, value: float, quantity: str = "seconds"):
    return Measured(
        *(engine, events // 100, events, "dbt build", quantity, value),
        *(2, 25, "0.1.0 abc", "2026-11-24"),
    )


#: 10 s are fixed, 20 s a million up to two million, 50 s a million beyond.
BENDING = Curve(
    (10_000, 20_000, 40_000),
    (MILLION, 2 * MILLION, 4 * MILLION),
    (30.0, 50.0, 150.0),
)


def test_a_curve_goes_through_its_sizes_and_on_as_it_ended():
    assert (BENDING.fixed, BENDING.per_million) == (10, 50)
    for events, seconds in (
        (0, 10),
        (MILLION // 2, 20),
        (MILLION, 30),
        (3 * MILLION, 100),
        (4 * MILLION, 150),
        (5 * MILLION, 200),
    ):
        assert BENDING.at(events) == pytest.approx(seconds)
        assert BENDING.events_within(seconds) == pytest.approx(events)


def test_nothing_is_fixed_below_zero():
    # the line through both begins at -10
    steep = Curve((10_000, 20_000), (MILLION, 2 * MILLION), (10.0, 30.0))
    assert steep.fixed == 0
    assert steep.at(MILLION // 2) == 5
    assert steep.at(3 * MILLION) == 50


def test_machines_share_what_is_not_fixed():
    # 190 s beyond the 10 s fixed
    assert BENDING.at(5 * MILLION, machines=2) == 105
    assert BENDING.events_within(105, machines=2) == 5 * MILLION
    # 190 s to share within 95 s: two machines, and a third for an event more
    assert BENDING.machines_for(5 * MILLION, 105) == 2
    assert BENDING.machines_for(5 * MILLION + 1, 105) == 3
    assert BENDING.machines_for(1, 1_000) == 1
    assert BENDING.machines_for(1, 10) is None


def test_an_offer_is_a_build_that_is_done_in_time():
    # 105 s for both machines at 0.01 dollars a second
    assumed = Assumptions(105 / 3600, 36.0, 2, 6.25)
    found = offer(BENDING, 5 * MILLION, assumed, 2)
    assert (found.machines, found.dollars) == (2, pytest.approx(2.10))
    assert offer(BENDING, 5 * MILLION + 1, assumed, 2).machines is None
    assert offer(BENDING, 5 * MILLION + 1, assumed, None).machines == 3


def test_builds_of_one_engine_and_quantity_make_a_curve():
    figures = [
        built("duckdb", 4 * MILLION, 90.0),
        built("duckdb", MILLION, 30.0),
        built("duckdb", 2 * MILLION, 7.0, "stored_mb"),
        built("spark", 2 * MILLION, 500.0),
    ]
    found = curve_through(figures, "duckdb", "seconds")
    assert found == Curve((10_000, 40_000), (MILLION, 4 * MILLION), (30.0, 90.0))
    with pytest.raises(
        CommandError, match=r"at fewer than two sizes.*make bench-spark"
    ):
        curve_through(figures, "spark", "seconds")
    figures.append(built("duckdb", 8 * MILLION, 90.0))
    with pytest.raises(CommandError, match="does not grow from 40,000 to 80,000 users"):
        curve_through(figures, "duckdb", "seconds")


@pytest.fixture
def figures() -> list[Measured]:
    """Builds of 300 s and 60 s a million on DuckDB, of 600 s and 240 s on Spark."""
    found = []
    for events in (MILLION, 10 * MILLION):
        millions = events / MILLION
        found += [
            built("duckdb", events, 300 + 60 * millions),
            built("duckdb", events, 1_000 * millions, "stored_mb"),
            built("spark", events, 600 + 240 * millions),
            built("bigquery", events, 102.4 * millions, "billed_gib"),
        ]
    return found


@pytest.fixture
def record(figures, tmp_path):
    path = tmp_path / "figures.csv"
    add(path, figures)
    return path


def test_machines_of_two_kinds_are_not_compared(figures):
    assert curves_of(figures).events_per_user == 100
    figures[0] = Measured(**vars(figures[0]) | {"cores": 8})
    with pytest.raises(CommandError, match="which cannot be compared"):
        curves_of(figures)


def test_the_page_says_from_where_on_another_engine_pays(record, tmp_path, capsys):
    page = tmp_path / "page.md"
    arguments = ["--record", str(record), "--write", str(page), "--hours", "1"]
    assert engine_costs.main([*arguments, "--machine-price", "3.6"]) == 0
    text = page.read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    lines = text.splitlines()
    assert "On one machine of 2 cores and 25 GB" in text
    # 100 events a user, 0.001 dollars a second. The competition's: 2.2873 million; ten
    # times: 22.873 million, (300 + 60 x 22.873) s on DuckDB, (600 + 240 x 22.873) s on
    # Spark, where two machines are done in an hour: 2 x (600 + 240 x 22.873 / 2)
    ten_times = "| 0.46 | 23 | 1 | 1.67 | 1.69 | 2 | 6.69 | 14.30 |"
    assert f"| 228,730 | 22.9 {ten_times}" in lines
    # 5 times the machine for 13,724 s in 3,300 s each; 19 for 54,895 s in 3,000 s
    hundred_times = "| 3.90 | 229 | 5 | 15.22 | 15.42 | 19 | 66.30 | 142.96 |"
    assert f"| 2,287,300 | 228.7 {hundred_times}" in lines
    # 137,238 s are more than 32 machines share in time
    assert any(
        line.startswith("| 22,873,000 | 2,287.3 | 38.20 | 2,287 | - | - |")
        for line in lines
    )
    # 3,300 s that grow with events: 55 million; 32 times as many on 32 machines
    assert "builds 55 million events (24 times the competition's) within 1 h" in text
    # 32 x 3,600 s
    assert "1,760 million events (769 times the competition's) for 115 dollars" in text
    # 1,760 x 240 s within 3,000 s: 141 x 600 + 422,400 s; 1,760 x 0.625 dollars
    assert "on 141 machines like this one for 507 dollars" in text
    assert "BigQuery for 1,100 at most; Spark is the cheaper one" in text
    assert "Spark needs 4.0 times its seconds for an event more" in text
    assert "less than DuckDB at none of these sizes" in text


def test_bigquery_may_be_the_cheaper_one(record, capsys):
    # 0.01 dollars a million, and 0.3 dollars are fixed on DuckDB
    arguments = ["--record", str(record), "--machine-price", "3.6", "--tib-price"]
    assert engine_costs.main([*arguments, "0.1"]) == 0
    said = capsys.readouterr().out
    assert "BigQuery costs less than DuckDB with 22,873 and 228,730 and 2,287" in said
    assert "BigQuery is the cheaper one" in said


def test_where_spark_never_ends_in_time_bigquery_is_left(record, capsys):
    # 540 s: what is fixed on Spark takes 600
    assert engine_costs.main(["--record", str(record), "--hours", "0.15"]) == 0
    said = capsys.readouterr().out
    assert "fixed on Spark alone takes longer than 0.15 h: BigQuery is left" in said
    assert "| - | - |" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hours", "0"], "--hours must be a number above 0."),
        (["--hours", "0.08"], "--hours must be more than the 300 seconds"),
        (["--machine-price", "nan"], "--machine-price must be a number above 0."),
        (["--largest-machine", "0"], "--largest-machine must be a number above 0."),
        (["--record", "none.csv"], "none.csv is not there"),
        (["--write", "none/x.md"], "--write: none is no directory."),
    ],
)
def test_bad_options_are_one_sentence(arguments, message, record, capsys):
    assert engine_costs.main(["--record", str(record), *arguments]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


def test_the_page_in_docs_is_that_of_the_record(capsys):
    assert engine_costs.main([]) == 0
    page = PROJECT_DIR / "docs" / "engine-costs.md"
    assert page.read_text(encoding="utf-8") == capsys.readouterr().out
