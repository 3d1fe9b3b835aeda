"""What another engine would cost: lines through measurements, and where they cross."""

from __future__ import annotations

import pytest

from ml import engine_costs
from ml.bench_record import Measured, add
from ml.cli import CommandError
from ml.cost_lines import Line, crossing, line_through
from ml.settings import PROJECT_DIR

MILLION = 1_000_000


def line(fixed: float, per_million: float) -> Line:
    return Line(fixed, per_million, (1, 2), 0.0)


def built(engine: str, events: int, value: float, quantity: str = "seconds"):
    return Measured(
        *(engine, events // 100, events, "dbt build", quantity, value),
        *("0.1.0 abc", "2026-11-24"),
    )


def test_a_line_goes_through_two_sizes():
    # 10 seconds and 20 for each million events
    figures = [
        built("duckdb", MILLION, 30.0),
        built("duckdb", 4 * MILLION, 90.0),
        built("spark", 2 * MILLION, 500.0),
        built("duckdb", 2 * MILLION, 7.0, "stored_mb"),
    ]
    found = line_through(figures, "duckdb", "seconds")
    assert (found.fixed, found.per_million) == pytest.approx((10, 20))
    assert found.users == (10_000, 40_000)
    assert found.misfit == pytest.approx(0)
    with pytest.raises(CommandError, match="seconds of spark at 1 sizes"):
        line_through(figures, "spark", "seconds")


def test_nothing_is_fixed_below_zero_and_the_misfit_is_told():
    # through both would be -10 + 20 per million; from 0 the shares of 10 and 30 that
    # lie least far are those of the slope 12: (1/10 + 2/30) / (1/100 + 4/900)
    figures = [built("duckdb", MILLION, 10.0), built("duckdb", 2 * MILLION, 30.0)]
    found = line_through(figures, "duckdb", "seconds")
    slope = (1 / 10 + 2 / 30) / (1 / 100 + 4 / 900)
    assert (found.fixed, found.per_million) == pytest.approx((0, slope))
    # 11.54 for 10, 23.08 for 30
    assert found.misfit == pytest.approx(1 - 2 * slope / 30)


def test_machines_share_what_grows():
    build = line(100, 50)
    assert build.at(4 * MILLION) == 300
    assert build.at(4 * MILLION, machines=4) == 150
    assert build.events_within(300) == 4 * MILLION
    assert build.events_within(300, machines=3) == 12 * MILLION
    assert build.events_within(50) == 0
    # 200 seconds to share within 100: two machines, and a third for one event more
    assert build.machines_for(4 * MILLION, 200) == 2
    assert build.machines_for(4 * MILLION + 1, 200) == 3
    assert build.machines_for(1, 1_000) == 1
    assert build.machines_for(1, 100) is None


def test_one_line_is_below_another_from_where_they_cross():
    cheap_start, cheap_events = line(10, 30), line(110, 10)
    assert crossing(cheap_events, cheap_start) == 5 * MILLION
    assert crossing(cheap_start, cheap_events) is None
    assert crossing(line(0, 1), line(10, 2)) == 0
    assert crossing(line(0, 1), line(10, 1)) is None


@pytest.fixture
def record(tmp_path):
    """Builds of 300 s and 60 s per million on DuckDB, of 600 s and 240 s on Spark."""
    path = tmp_path / "figures.csv"
    figures = []
    for events in (MILLION, 10 * MILLION):
        millions = events / MILLION
        figures += [
            built("duckdb", events, 300 + 60 * millions),
            built("duckdb", events, 1_000 * millions, "stored_mb"),
            built("spark", events, 600 + 240 * millions),
            built("bigquery", events, 102.4 * millions, "billed_gib"),
        ]
    add(path, figures)
    return path


def test_the_page_says_from_where_on_another_engine_pays(record, tmp_path, capsys):
    page = tmp_path / "page.md"
    arguments = ["--record", str(record), "--write", str(page), "--hours", "1"]
    assert engine_costs.main([*arguments, "--machine-price", "3.6"]) == 0
    text = page.read_text(encoding="utf-8")
    assert capsys.readouterr().out == text
    lines = text.splitlines()
    # 100 events a user. The competition's: 2.2873 million; ten times: 22.873 million,
    # (300 + 60 x 22.873) s on DuckDB, (600 + 240 x 22.873) s on Spark, where two
    # machines are done in an hour: 2 x (600 + 240 x 22.873 / 2) x 0.001 dollars
    assert (
        "| 228,730 | 22.9 | 0.46 | 23 | 1 | 1.67 | 1.69 | 2 | 6.69 | 14.30 |" in lines
    )
    # 3,300 s that grow with events: 55 million; 32 times as many on 32 times the cores
    assert "builds 55 million events (24 times the competition's) within 1 h" in text
    assert "on the largest 1,760 million events (769 times" in text
    # 1,760 x 240 s within 3,000 s
    assert "with 141 machines like this one at the least" in text
    assert "Spark takes 4.0 times as long for an event" in text
    assert "costs less at no size. BigQuery bills at most 10.4 times" in text


def test_an_engine_that_is_cheaper_is_so_from_a_size_on(record, capsys):
    # 0.1 x 0.1 dollars per million on BigQuery for 0.06 and 0.3 fixed on DuckDB: always
    arguments = ["--record", str(record), "--machine-price", "3.6", "--tib-price"]
    assert engine_costs.main([*arguments, "0.1"]) == 0
    assert "costs less from 0 million events" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hours", "0"], "--hours must be above 0."),
        (["--machine-price", "nan"], "--machine-price must be above 0."),
        (["--largest-machine", "0"], "--largest-machine must be above 0."),
        (["--record", "none.csv"], "none.csv is not there"),
        (["--write", "none/x.md"], "none is no directory."),
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
