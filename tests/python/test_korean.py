"""Korean: one word for each thing, particles that fit, a README like the English."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

import pytest

from ml import settings
from ml.models import KNOWN
from ml.reference.model import FrozenReference
from ml.report import words

ROOT = settings.PROJECT_DIR
README = ROOT / "README.md"
KOREAN_README = ROOT / "README.ko.md"
#: A particle right behind a filled-in word or figure.
PARTICLE = re.compile(
    r"\{\{([^{}]*)\}\}(을|를|이|가|은|는|과|와|으로|로|이나|나|이라|라|이며|며)(?![가-힣])"
)
#: These follow "%", which is read with a vowel at its end.
AFTER_PERCENT = {"를", "가", "는", "와", "로", "나", "라", "며"}
FIGURE = re.compile(r"\d(?:[\d.,:-]*\d)?")


def korean(content: object) -> Iterator[str]:
    """Yield what stands under a key `ko`, and the Korean words of the reasons."""
    if isinstance(content, dict):
        for key, value in content.items():
            if key == "ko":
                yield str(value)
            elif key == "reasons":
                yield from map(str, value.values() if "ko" not in value else ())
            yield from korean(value)
    elif isinstance(content, list):
        for value in content:
            yield from korean(value)


def of_report() -> list[str]:
    """Return the Korean texts of the report."""
    names = ("texts.yml", "words.yml", "slides.yml", "bars.yml")
    return [text for name in names for text in korean(words._read(name))]


def of_seeds() -> list[str]:
    """Return the Korean labels of the seeds."""
    labels = []
    for path in sorted((ROOT / "seeds").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                labels += [v for name, v in row.items() if name.endswith("_ko")]
    return labels


def banned() -> dict[str, str]:
    """Return the words that are not used, and the Korean one that is."""
    page = (ROOT / "docs" / "korean-terms.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in page.splitlines() if "|" in line]
    return {
        word.strip(): row[1].strip()
        for row in rows[2:]
        for word in row[2].split(",")
        if word.strip()
    }


def misplaced_particles(text: str) -> list[str]:
    """Return the particles that fit some fillings and not others."""
    return [
        found.group()
        for found in PARTICLE.finditer(text)
        if "| pct" not in found[1] or found[2] not in AFTER_PERCENT
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{{ model[lang] }}를 학습해", ["{{ model[lang] }}를"]),
        ("{{ model[lang] }} 모델을 학습해", []),
        ("{{ value | num(5) }}로, 두 배", ["{{ value | num(5) }}로"]),
        ("쌍의 {{ share | pct(1) }}가 구매로", []),
        ("쌍의 {{ share | pct }}이 구매로", ["{{ share | pct }}이"]),
        ("{{ n | n }}명을", []),
        ("{{ value }}로그", []),
    ],
)
def test_particles_are_judged_by_what_they_follow(text, found):
    assert misplaced_particles(text) == found


def test_no_particle_depends_on_what_a_template_fills_in():
    texts = of_report()
    assert len(texts) > 150
    assert [hit for text in texts for hit in misplaced_particles(text)] == []


def test_a_line_does_not_begin_with_a_particle():
    template = {"en": "{{ share | pct }} buy", "ko": "{{ share | pct }}가 구매"}
    shown = words.sentence(template, {"share": 0.25})
    assert shown == {
        "en": "25\N{NO-BREAK SPACE}% buy",
        "ko": "25%\N{WORD JOINER}가 구매",
    }
    assert (
        words.sentence(template, {"share": 0.25}, markdown=True)["ko"] == "25%가 구매"
    )


def test_every_model_has_korean_words():
    names = [*KNOWN, FrozenReference.name]
    assert [name for name in names if words.word(name)["ko"] == name] == []


def test_every_thing_has_one_korean_word():
    terms = banned()
    assert terms["대지역"] == "권역"
    assert len(terms) > 25
    places = {
        "README.ko.md": KOREAN_README.read_text(encoding="utf-8"),
        "report": "\n".join(of_report()),
        "seeds": "\n".join(of_seeds()),
    }
    assert len(places["seeds"].splitlines()) > 150
    found = [
        f"{place}: {word}, not {term}"
        for place, text in places.items()
        for word, term in terms.items()
        if re.search(rf"(?<![가-힣]){re.escape(word)}", text)
    ]
    assert found == []


def test_korean_labels_are_korean():
    assert [label for label in of_seeds() if not re.search("[가-힣]", label)] == []
    japanese = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
    assert [label for label in of_seeds() if japanese.search(label)] == []


def test_the_two_readmes_have_the_same_sections_commands_and_figures():
    english, other = (
        path.read_text(encoding="utf-8") for path in (README, KOREAN_README)
    )

    blocks = re.compile(r"^```$.*?^```$", re.MULTILINE | re.DOTALL)

    def headings(text: str) -> list[str]:
        return re.findall(r"^#+(?= )", blocks.sub("", text), re.MULTILINE)

    def commands(text: str) -> set[str]:
        named = re.findall(r"`([^`\n]+)`", blocks.sub("", text))
        # what stands between < and > is translated
        return {re.sub("<.*?>", "<>", command) for command in named}

    def figures(text: str) -> set[str]:
        return {found.rstrip(".,:-") for found in FIGURE.findall(text)}

    assert headings(english) == headings(other)
    assert commands(english) == commands(other)
    assert figures(english) <= figures(other)
    # "eight weeks" is 8개 주
    assert all(len(figure) == 1 for figure in figures(other) - figures(english))
    # what a program prints is printed alike
    printed = [block for block in blocks.findall(english) if "MAP@10" in block]
    assert len(printed) == 2
    assert [block for block in printed if block not in other] == []
