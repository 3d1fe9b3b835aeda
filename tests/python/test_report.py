"""The report: what it says comes from the data, in both languages, and it draws."""

from __future__ import annotations

import copy
import json
import re
import shutil
from html.parser import HTMLParser

import jinja2
import jinja2.meta
import pytest
from test_project_rules import none_of
from warehouses import World

from ml.files import written_whole
from ml.report import charts, facts, words
from ml.report.data import read_data
from ml.report.page import NOT_SHOWN, as_json, page, pictures, summary
from ml.report.scorecard import failed_tests, measures, scorecard, verdict
from ml.report.slides import slides
from ml.settings import PROJECT_DIR
from ml.warehouse import WarehouseError, open_warehouse

HOSTILE = (
    "\"'><script>alert(1)</script>&\u2028<img src=x onerror=alert(2)>"
    "\r\r---\r\r# =1+1 \x1b[31m`[x](javascript:alert(3))`|{{ 7 * 7 }}"
)
PHONE = (390, 844)
#: Pictures that only long commands fill, and those that a training fills.
BY_OTHERS = {"judged_weeks", "ablation"}
BY_TRAINING = {
    name
    for name, entry in words.texts()["pictures"].items()
    if entry.get("fills") == "python -m ml.train"
}


@pytest.fixture(scope="module")
def trained(sample_world, tmp_path_factory) -> World:
    """A warehouse after one training."""
    directory = tmp_path_factory.mktemp("report")
    world = World(sample_world.data_dir, directory / "sample.duckdb")
    shutil.copy(sample_world.database, world.database)
    world.python("-m", "ml.train")
    return world


@pytest.fixture(scope="module")
def read(trained) -> facts.Data:
    """What the queries give after a training."""
    with open_warehouse(trained.database, read_only=True) as warehouse:
        return read_data(warehouse)


@pytest.fixture
def data(read) -> facts.Data:
    """The same, for a test to change."""
    return copy.deepcopy(read)


@pytest.fixture(scope="module")
def written(trained, tmp_path_factory):
    """The directory that the command wrote."""
    directory = tmp_path_factory.mktemp("written")
    trained.python("-m", "ml.report", "--out", str(directory))
    return directory


def whole_page(data: facts.Data) -> str:
    """Return the page on these data."""
    card = scorecard({**dict.fromkeys(_measure_names()), "latency_p95_ms": 30.0})
    return page(data, pictures(data), card, True, "test")


def _measure_names() -> set[str]:
    return {bar["measure"] for bar in words.bars()}


def said(data: facts.Data, name: str) -> str:
    """Return title and text of a picture in both languages."""
    (picture,) = [picture for picture in pictures(data) if picture.name == name]
    return " ".join([*picture.title.values(), *picture.text.values()])


class Scripts(HTMLParser):
    """What a browser takes for scripts and for text."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[dict] = []
        self.images = 0
        self.text = ""

    def handle_starttag(self, tag, attrs):
        """Note scripts and images."""
        if tag == "script":
            self.scripts.append({**dict(attrs), "body": ""})
        self.images += tag == "img"

    def handle_data(self, data):
        """Note what stands in a script, and what does not."""
        if self.cdata_elem == "script":
            self.scripts[-1]["body"] += data
        else:
            self.text += data


def parsed(html: str) -> Scripts:
    """Return a page as a browser takes it."""
    scripts = Scripts()
    scripts.feed(html)
    return scripts


# Texts


def _texts() -> list[tuple[str, dict]]:
    found = []

    def look(place: str, value: object) -> None:
        if isinstance(value, dict) and set(value) & set(words.LANGUAGES):
            found.append((place, value))
        elif isinstance(value, dict):
            for key, part in value.items():
                look(f"{place}.{key}", part)
        elif isinstance(value, list):
            for part in value:
                look(place, part)

    for name in ("texts.yml", "words.yml", "bars.yml", "slides.yml"):
        look(name, words._read(name))
    return found


def _variables(template: str) -> set[str]:
    environment = jinja2.Environment()
    environment.filters.update(
        dict.fromkeys(words._environment("en", False).filters, str)
    )
    found = jinja2.meta.find_undeclared_variables(environment.parse(template))
    return (found | set(re.findall(r"(?<!\{)\{(\w+)\}", template))) - {"lang"}


def test_every_text_is_there_in_both_languages_with_the_same_figures():
    assert len(_texts()) > 100
    none_of(
        (
            place
            for place, text in _texts()
            if set(text) != set(words.LANGUAGES)
            or not all(isinstance(part, str) and part.strip() for part in text.values())
            or _variables(text["en"]) != _variables(text["ko"])
        ),
        "a text has en and ko, and both tell the same figures",
    )


def test_every_reason_has_korean_words(manifest):
    known = {
        column["config"]["meta"].get("reason")
        for mart in ("training_pairs", "scoring_pairs")
        for column in manifest["nodes"][f"model.ponpare.{mart}"]["columns"].values()
    } - {None}
    assert len(known) > 40
    none_of(known ^ set(words._read("words.yml")["reasons"]), "reasons are translated")


def test_every_column_shown_has_a_korean_heading(read):
    entries = words.texts()["pictures"].items()
    shown = {
        column.removesuffix("_en").removesuffix("_ko")
        for name, entry in entries
        for row in read[entry.get("query", name)][:1]
        for column in row
        if column not in NOT_SHOWN
    }
    assert len(shown) > 50
    none_of(
        (column for column in shown if words.column(column)["ko"] == column),
        "columns of tables have a heading in words.yml",
    )


def test_pictures_have_facts_and_rows_or_a_command(read):
    entries = words.texts()["pictures"]
    assert set(entries) == set(facts.FACTS)
    assert set(charts.CHARTS) == set(entries) - {"recommendations"}
    assert all(set(entry) >= {"name"} for entry in entries.values() if "fills" in entry)
    assert {entry["section"] for entry in entries.values()} <= set(
        words.texts()["sections"]
    )
    assert {entry.get("query", name) for name, entry in entries.items()} <= set(read)


# Sentences come from the data


def _double_first(rows, column):
    rows[0][column] *= 2


#: A change of the rows of each picture that its sentences have to tell.
CHANGES = {
    "prices": lambda rows: [row.update(median_yen=12345) for row in rows],
    "discount_rates": lambda rows: rows.append({"low_percent": 0, "n_coupons": 10**6}),
    "display_days": lambda rows: rows.append({"n_days": 13, "n_coupons": 10**6}),
    "price_discount": lambda rows: [row.update(price_correlation=0.9) for row in rows],
    "ages": lambda rows: rows.append({"low_age": 95, "sex": "male", "n_users": 10**6}),
    "purchases_per_user": lambda rows: rows[-1].update(n_users=10**6),
    "weeks": lambda rows: rows[3].update(n_purchases=10**6),
    "views": lambda rows: rows[0].update(bought_share=0.987),
    "prefectures": lambda rows: rows.reverse(),
    "genre_areas": lambda rows: rows[0].update(
        large_area_en="Mars", large_area_ko="화성"
    ),
    "weekday_hours": lambda rows: rows[5].update(n_purchases=10**6),
    "missing": lambda rows: [row.update(n_missing=row["n_coupons"]) for row in rows],
    "correlations": lambda rows: [row.update(rank_correlation=-0.77) for row in rows],
    "leaderboard": lambda rows: [
        row.update(default_minus_it_low=0.001, default_minus_it_high=1.0)
        for row in rows
        if not row["is_default"]
    ],
    "precision_recall": lambda rows: [row.update(precision_value=1e-5) for row in rows],
    "lift": lambda rows: [row.update(lift=777.7) for row in rows],
    "calibration": lambda rows: [row.update(observed=0.9) for row in rows],
    "confusion": lambda rows: rows[0].update(n_pairs=7_654_321),
    "slices": lambda rows: rows[-1].update(value=0.99, low=0.98, high=1.0),
    "genre_recall": lambda rows: [row.update(value=0.123) for row in rows],
    "importance": lambda rows: rows[0].update(input_name="shoe_size"),
    "recommendations": lambda rows: [row.update(reasons="low price") for row in rows],
    "runs": lambda rows: rows[-1].update(fit_seconds=98765.4),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_of_the_data_changes_what_is_said(name, data):
    before = said(data, name)
    entry = words.texts()["pictures"][name]
    CHANGES[name](data[entry.get("query", name)])
    after = said(data, name)
    assert before != after
    for language in words.LANGUAGES:
        assert entry["title"][language]
    assert "None" not in after
    assert "{" not in after


def test_changes_are_told_of_every_picture_that_has_rows():
    assert set(CHANGES) | BY_OTHERS == set(facts.FACTS)


def test_the_leaderboard_claims_only_what_intervals_allow(data):
    bounds = {"cosine": (0.001, 0.01), "popularity": (-0.01, -0.001)}
    for row in data["leaderboard"]:
        if not row["is_default"]:
            low, high = bounds.get(row["model_name"], (-0.01, 0.01))
            row |= {"default_minus_it_low": low, "default_minus_it_high": high}
    text = said(data, "leaderboard")
    assert "better beyond doubt than cosine; no difference" in text
    assert "It is beyond doubt worse than popularity." in text


@pytest.mark.parametrize(
    ("correlation", "expected"),
    [
        (0.05, "Price says next to nothing about the discount rate"),
        (-0.4, "Dearer coupons have lower discount rates"),
        (0.4, "Dearer coupons have higher discount rates"),
    ],
)
def test_the_finding_turns_with_the_sign(correlation, expected, data):
    for row in data["price_discount"]:
        row["price_correlation"] = correlation
    assert expected in said(data, "price_discount")


def test_users_without_history_make_no_headline(data):
    for row in data["slices"]:
        row.update(value=0.5, low=0.4, high=0.6)
        if row["slice"] == "purchases_0":
            row.update(value=0.9, low=0.8, high=1.0)
    assert "history: none" not in said(data, "slices")
    assert "0.9" not in said(data, "slices")


def test_facts_by_hand():
    rows = [
        {"low_count": 0, "high_count": 0, "n_users": 2, "n_purchases": 0},
        {"low_count": 1, "high_count": 1, "n_users": 5, "n_purchases": 5},
        {"low_count": 10, "high_count": None, "n_users": 3, "n_purchases": 45},
    ]
    found = facts.purchases_per_user(rows, {})
    # 3 of 10 users, 45 of 50 purchases
    assert found["heavy_user_share"] == 0.3
    assert found["heavy_purchase_share"] == 0.9
    assert found["once_share"] == 0.5
    assert found["never_share"] == 0.2
    bins = [
        {"predicted": 0.1, "observed": 0.2, "n_pairs": 10},
        {"predicted": 0.5, "observed": 0.25, "n_pairs": 4},
    ]
    # expected 1 + 2, bought 2 + 1; both bins are off by a factor of two
    assert facts.calibration(bins, {}) == {"ratio": 1.0, "n_bins": 2, "worst": 2.0}


def test_a_backtest_is_told(data):
    data["judged_weeks"] = [
        {
            "cutoff_date": week,
            "model_name": model,
            "map_at_10": value,
            "map_at_10_low": value / 2,
            "map_at_10_high": value * 2,
        }
        for week, of_week in {
            "2012-06-03": {"blend": 0.01, "cosine": 0.02},
            "2012-06-10": {"blend": 0.03, "cosine": 0.02},
            "2012-06-17": {"blend": 0.05, "cosine": 0.02},
        }.items()
        for model, value in of_week.items()
    ]
    assert "Blend is first in 2 of 3 weeks" in said(data, "judged_weeks")
    assert "0.03000" in said(data, "judged_weeks")


def test_an_ablation_is_told(data):
    data["ablation"] = [
        {
            "model_name": "lightgbm_binary",
            "feature_group": group,
            "n_features": 3,
            "difference": difference,
            "low": difference - 0.001,
            "high": difference + 0.001,
            "first_judged_cutoff": "2012-03-18",
            "last_judged_cutoff": "2012-04-08",
        }
        for group, difference in (("views", -0.004), ("price", 0.0005))
    ]
    text = said(data, "ablation")
    assert "Without views, MAP@10 changes by \N{MINUS SIGN}0.00400" in text
    assert "1 of 2 differences" in text


# Missing inputs


def test_without_a_training_the_report_says_what_fills_it(sample_world, tmp_path):
    sample_world.python("-m", "ml.report", "--out", str(tmp_path))
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    with open_warehouse(sample_world.database, read_only=True) as warehouse:
        untrained = pictures(read_data(warehouse))
    empty = {picture.name: picture.note for picture in untrained if picture.is_empty}
    assert set(empty) == BY_TRAINING | BY_OTHERS
    assert empty["ablation"]["en"] == (
        "Groups of features: nothing to show yet; `make ablation` fills this."
    )
    assert "<code>python -m ml.train</code>" in html
    assert "Half of the coupons cost" in html


def test_without_a_visit_log_the_section_says_what_fills_it(data):
    data["views"] = []
    (views,) = [picture for picture in pictures(data) if picture.name == "views"]
    assert views.is_empty
    assert "coupon_visit_train" in views.note["ko"]


def test_a_warehouse_of_another_version_is_one_sentence(trained, tmp_path):
    database = tmp_path / "old.duckdb"
    shutil.copy(trained.database, database)
    with open_warehouse(database) as warehouse:
        warehouse.connection.execute("drop table core.dim_calendar")
        with pytest.raises(WarehouseError, match=r"weeks: .*run `dbt build`"):
            read_data(warehouse)


# Scorecard


@pytest.mark.parametrize(
    ("bar", "value", "expected"),
    [
        ({"at_most": 20}, 20, "pass"),
        ({"at_most": 20}, 20.1, "fail"),
        ({"at_least": 5}, 5, "pass"),
        ({"at_least": 5}, 4, "fail"),
        ({"above": 0}, 0, "fail"),
        ({"above": 0}, 0.1, "pass"),
        ({"above": 0}, None, "not_measured"),
        ({"at_most": 20}, float("nan"), "not_measured"),
    ],
)
def test_verdicts(bar, value, expected):
    assert verdict(bar, value) == expected


def test_the_scorecard_takes_its_values_from_the_tables(data, trained, monkeypatch):
    for name, value in trained.environment().items():
        monkeypatch.setenv(name, value)
    measured = measures(data)
    assert set(measured) == _measure_names()
    (default,) = [row for row in data["runs"] if row["is_default"]]
    assert measured["latency_p95_ms"] == default["latency_p95_ms"]
    (cosine,) = [r for r in data["leaderboard"] if r["model_name"] == "cosine"]
    assert measured["gain_over_cosine"] == cosine["default_minus_it_low"]
    assert measured["gain_over_reference"] is None
    assert measured["warehouse_mb"] == trained.database.stat().st_size / 1e6


def test_the_summary_names_what_is_not_reached():
    measured = dict.fromkeys(_measure_names(), None)
    measured |= {"latency_p95_ms": 21.0, "fit_seconds": 1.0}
    text = summary(scorecard(measured))
    n_all = len(words.bars())
    assert f"1 of {n_all} criteria are reached, {n_all - 2} not measured" in text["en"]
    assert "Not reached: Latency" in text["en"]


def test_failed_tests_are_those_of_this_warehouse(tmp_path, monkeypatch):
    monkeypatch.setenv("DBT_TARGET_PATH", str(tmp_path))
    assert failed_tests("mine") is None

    def result(unique_id: str, status: str, relation: str | None) -> dict:
        return {"unique_id": unique_id, "status": status, "relation_name": relation}

    results = [
        result("model.ponpare.a", "success", '"mine"."core"."a"'),
        result("test.ponpare.b", "pass", None),
        result("test.ponpare.c", "fail", None),
        result("unit_test.ponpare.d", "error", None),
    ]
    path = tmp_path / "run_results.json"
    path.write_text(json.dumps({"results": results}), encoding="utf-8")
    assert failed_tests("mine") == 2
    assert failed_tests("other") is None
    path.write_text(json.dumps({"results": results[:1]}), encoding="utf-8")
    assert failed_tests("mine") is None


def test_the_command_shows_an_example_and_refuses_a_file(trained, tmp_path):
    done = trained.python("-m", "ml.report", "--help")
    assert "python -m ml.report" in done.stdout.split("example:")[1]
    (tmp_path / "taken").touch()
    out = str(tmp_path / "taken")
    done = trained.python("-m", "ml.report", "--out", out, check=False)
    assert done.returncode == 1
    assert done.stderr == f"error: --out: {out} is a file, not a directory.\n"


def test_whoever_may_read_new_files_may_read_the_page(tmp_path):
    (tmp_path / "plain").touch()
    with written_whole(tmp_path / "page") as file:
        file.write("x")
    modes = [(tmp_path / name).stat().st_mode & 0o777 for name in ("plain", "page")]
    assert modes[0] == modes[1]


# Slides

#: The order of a presentation of the project.
ORDER = (
    *("The problem", "The data", "The baseline", "Cleaning", "Modelling"),
    *("Results", "Limits", "What failed and why", "Deployment"),
)


def _slides(data: facts.Data) -> dict[str, str]:
    card = scorecard({**dict.fromkeys(_measure_names()), "latency_p95_ms": 30.0})
    return slides(data, pictures(data), card, True)


def test_slides_are_in_order_with_pictures_that_were_written(written):
    for language, name in (("en", "slides.md"), ("ko", "slides.ko.md")):
        text = (written / name).read_text(encoding="utf-8")
        assert len(re.findall("^---$", text, re.MULTILINE)) == len(ORDER)
        linked = re.findall(r"\]\((pictures/\w+\.\w+\.svg)\)", text)
        assert len(linked) > 10
        for file in linked:
            assert f".{language}." in file
            drawn = (written / file).read_text(encoding="utf-8")
            assert drawn.startswith("<svg")
            assert drawn.count("<path") > 4
        if language == "en":
            assert tuple(re.findall("^## (.*)$", text, re.MULTILINE)) == ORDER
        else:
            assert "목표 달성 현황" in text
    assert {path.name for path in (written / "pictures").iterdir()} == {
        file.removeprefix("pictures/")
        for name in ("slides.md", "slides.ko.md")
        for file in re.findall(
            r"pictures/[\w.]+", (written / name).read_text(encoding="utf-8")
        )
    }


def test_slides_tell_the_figures_of_the_tables(data):
    before = _slides(data)["en"]
    (totals,) = data["totals"]
    totals["n_outside_sale"] = 4321
    data["misses"][0].update(n_bought=98765, n_missed=12345)
    after = _slides(data)
    for text in after.values():
        assert "4,321" in text
        assert "98,765" in text
    assert "Not reached yet: Latency" in before
    assert "98,765" not in before


def test_slides_without_a_training_say_what_is_missing(data):
    for name in data:
        if name in BY_TRAINING or name in {"curves", "misses"}:
            data[name] = []
    for text in _slides(data).values():
        assert "`python -m ml.train`" in text
        assert "None" not in text
        assert not re.search(r"^- *$", text, re.MULTILINE)


def test_hostile_values_are_text_in_slides(data):
    clean = _slides(data)
    for language, text in _slides(_all_poisoned(data)).items():
        assert "alert(1)" in text
        assert not re.search(r"<script|<img|\]\(javascript|[\r\x1b]|\D49\D", text)
        rulers = text.splitlines().count("---")
        assert rulers == clean[language].splitlines().count("---")


# Hostile values


def test_json_cannot_end_its_script():
    text = as_json({"name": HOSTILE})
    assert not set(text) & set("<>&\u2028")
    assert json.loads(text) == {"name": HOSTILE}


def _poison(value: object) -> object:
    """Put markup into every text of the rows; texts that are keys keep their start."""
    return f"{value}{HOSTILE}" if isinstance(value, str) else value


def _all_poisoned(data: facts.Data) -> facts.Data:
    """Return the data with markup in every text but those that name a kind of row."""
    kept = {"slice", "metric", "column_name"}
    return {
        query: [
            {
                column: value if column in kept else _poison(value)
                for column, value in row.items()
            }
            for row in rows
        ]
        for query, rows in data.items()
    }


def test_hostile_values_stay_text_everywhere(data):
    clean = parsed(whole_page(data))
    poisoned = parsed(whole_page(_all_poisoned(data)))
    assert len(poisoned.scripts) == len(clean.scripts) == 4
    assert poisoned.images == clean.images == 0
    assert poisoned.text.count("<script>alert(1)</script>") > 50
    of_pictures = next(s for s in poisoned.scripts if s.get("id") == "charts")
    assert "alert(1)" in json.dumps(json.loads(of_pictures["body"]))


# In a browser


def _switch(browser, language: str) -> None:
    browser.find(f"[data-language={language}]").click()
    _wait_drawn(browser, language)


def _open(browser, path, language: str = "en") -> None:
    """Open the page in a language, whatever the last reader chose."""
    browser.open(path)
    browser.driver.execute_script(
        "localStorage.setItem('language', arguments[0])", language
    )
    browser.open(path)
    _wait_drawn(browser, language)


def _wait_drawn(browser, language: str) -> None:
    browser.wait(
        lambda: (
            browser.driver.execute_script(
                "return document.documentElement.dataset.drawn"
            )
            == language
        ),
        f"the pictures are not drawn in {language}",
    )


def _keep(browser, name: str) -> None:
    """Write a screenshot of the whole page for people to look at, out of git."""
    directory = PROJECT_DIR / "report" / "screenshots"
    directory.mkdir(parents=True, exist_ok=True)
    shot = browser.screenshot(directory / f"{name}.png", whole=True)
    assert shot.stat().st_size > 50_000


def _svg_counts(browser) -> dict[str, tuple[int, int, int]]:
    """Return marks, width and height of every picture."""
    return browser.driver.execute_script(
        """
        return Object.fromEntries([...document.querySelectorAll("[data-chart]")].map(
            (place) => {
                const svg = place.querySelector("svg");
                const box = svg?.getBoundingClientRect();
                return [place.dataset.chart, svg
                    ? [svg.querySelectorAll("path, text, line").length,
                       box.width, box.height]
                    : [0, 0, 0]];
            }))
        """
    )


def test_the_page_draws_and_asks_nobody(browser, written):
    _open(browser, written / "index.html")
    counts = _svg_counts(browser)
    assert set(counts) == set(charts.CHARTS) - BY_OTHERS
    none_of(
        (
            f"{name}: {n_marks} marks, {width} x {height}"
            for name, (n_marks, width, height) in counts.items()
            if n_marks < 8 or width < 300 or height < 100
        ),
        "a picture has marks and a size",
    )
    assert browser.console_errors() == []
    assert browser.requests() == []
    assert browser.failed_requests() == []
    _keep(browser, "desktop-en")


def test_the_switch_changes_the_language_in_place(browser, written):
    _open(browser, written / "index.html")
    heading, chart = browser.find("h1").text, browser.find("#prices .chart").text
    _switch(browser, "ko")
    assert browser.find("h1").text != heading
    assert browser.driver.title == browser.find("h1").text
    assert "할인가" in browser.find("#prices .chart").text
    assert "할인가" not in chart
    visible = browser.find("main").text
    english = words.texts()["sections"]["scorecard"]["en"]
    assert english not in visible
    assert re.search("[가-힣]", visible)
    _keep(browser, "desktop-ko")
    _switch(browser, "en")
    assert browser.find("h1").text == heading
    browser.driver.refresh()
    _wait_drawn(browser, "en")
    assert not re.search("[가-힣]", browser.find("main").text)
    assert browser.requests() == []


@pytest.mark.parametrize("language", words.LANGUAGES)
def test_a_phone_needs_no_sideways_scrolling(browser, written, language):
    browser.set_size(*PHONE, phone=True)
    _open(browser, written / "index.html", language)
    assert browser.overflow() == 0
    reasons = browser.find_all("#recommendations td.reasons")
    assert len(reasons) > 4
    assert all(
        cell.rect["x"] + cell.rect["width"] <= PHONE[0] and cell.rect["x"] >= 0
        for cell in reasons
    )
    widths = {name: width for name, (_, width, _) in _svg_counts(browser).items()}
    assert max(widths.values()) <= PHONE[0]
    assert min(widths.values()) > 200
    _keep(browser, f"phone-{language}")


def test_keys_alone_reach_the_switch_and_the_tables(browser, written):
    _open(browser, written / "index.html")
    focusable = browser.driver.execute_script(
        "return [...document.querySelectorAll('button, summary')].map("
        "(part) => { part.focus(); return document.activeElement === part; })"
    )
    assert len(focusable) > 15
    assert all(focusable)
    details = browser.find("#prices details")
    assert not browser.find_all("#prices table")
    details.find_element("css selector", "summary").send_keys("\n")
    assert "1,001" in browser.find("#prices table").text


def test_hostile_values_run_nothing_in_a_browser(browser, data, tmp_path):
    path = tmp_path / "index.html"
    path.write_text(whole_page(_all_poisoned(data)), encoding="utf-8")
    _open(browser, path)
    assert browser.console_errors() == []
    assert browser.driver.execute_script("return document.images.length") == 0
    assert min(n_marks for n_marks, _, _ in _svg_counts(browser).values()) >= 8
    # names in a picture are cut, but they are text
    assert "<script>al" in browser.find("#genre_areas .chart").text


def test_the_exposure_names_a_command_that_is_there(manifest):
    exposure = manifest["exposures"]["exposure.ponpare.report"]
    assert exposure["label"] == "make report"
