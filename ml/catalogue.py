"""Write the catalogue of features from the YAML of the marts.

Every feature of ml.scoring_pairs with its meaning, type, group, mart, window and what
null means, and every mart with its grain. Prints the page unless told to write it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ml import cli
from ml.files import write_whole
from ml.manifest import is_not_null, last_sentence, models, read_manifest
from ml.markdown import table

EXAMPLE = "example: python -m ml.catalogue --write docs/features.md"

PAGE = Path("docs/features.md")
PAIR_MARTS = ("training_pairs", "scoring_pairs")
#: Where a feature comes from that no mart of its own holds.
PAIR = "pair"


@dataclass(frozen=True)
class Feature:
    """What the YAML says of one feature.

    Attributes
    ----------
    mart
        Feature mart with a column of the same name, ``pair`` if there is none.
    window
        Time that the feature looks at; empty if the YAML does not say.
    null_means
        ``never null``, or what null says.
    """

    name: str
    meaning: str
    data_type: str
    group: str
    mart: str
    window: str
    null_means: str


@dataclass(frozen=True)
class Mart:
    """What the YAML says of one mart that holds features."""

    name: str
    grain: str
    n_features: int


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("catalogue", __doc__, EXAMPLE)
    chosen = parser.add_mutually_exclusive_group()
    chosen.add_argument("--write", type=Path, metavar="FILE", help="write the page")
    chosen.add_argument(
        "--check",
        action="store_true",
        help=f"only say whether {PAGE} is what would be written",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    cli.check_writable(options.write)
    manifest = read_manifest()
    page = markdown(features_of(manifest), marts_of(manifest))
    if options.check:
        check(page, PAGE)
        print(f"{PAGE} agrees with the YAML")
    elif options.write is not None:
        write_whole(options.write, page)
        print(f"{options.write} written")
    else:
        print(page, end="")


def check(page: str, path: Path) -> None:
    """Raise CommandError unless a file holds just this page."""
    if not path.is_file() or path.read_text(encoding="utf-8") != page:
        raise cli.CommandError(f"{path} lags behind the YAML: run `make catalogue`.")


def features_of(manifest: dict) -> list[Feature]:
    """Return the features of ``ml.scoring_pairs`` in its order."""
    columns = models(manifest)["scoring_pairs"]["columns"].values()
    sources = _feature_columns(manifest)
    features = []
    for column in columns:
        meta = column["config"]["meta"]
        if meta.get("role") != "feature":
            continue
        found = _source_of(column, sources)
        windows = [meta.get("window")] + [
            of_mart["config"]["meta"].get("window") for _, of_mart in found
        ]
        features.append(
            Feature(
                column["name"],
                _line(column["description"]),
                column["data_type"],
                meta["group"],
                ", ".join(mart for mart, _ in found) or PAIR,
                next((str(window) for window in windows if window), ""),
                "never null" if is_not_null(column) else meta.get("null_means", ""),
            )
        )
    return features


def marts_of(manifest: dict) -> list[Mart]:
    """Return the feature marts and the pair marts, each with its grain."""
    return [
        Mart(
            name,
            last_sentence(node["description"]),
            sum(
                column["config"]["meta"].get("role") == "feature"
                for column in node["columns"].values()
            ),
        )
        for name, node in sorted(models(manifest).items(), key=_pair_marts_last)
        if name in PAIR_MARTS or _is_feature_mart(node)
    ]


def markdown(features: Sequence[Feature], marts: Sequence[Mart]) -> str:
    """Return the page."""
    groups = list(dict.fromkeys(feature.group for feature in features))
    lines = [
        "# Features",
        "",
        "Written by `make catalogue` from the YAML of the marts; change it there. "
        f"{len(features)} features in {len(groups)} groups, the same in "
        "`ml.training_pairs`, which the models learn from, and in `ml.scoring_pairs`, "
        "which they score. Everything is as known at the cutoff. Features of type "
        "varchar are categorical, all others numeric; `mart` is where a feature is "
        f"computed, `{PAIR}` what is put together from several marts where user and "
        "coupon meet (`macros/pair_features.sql`); `window` is the time that a feature "
        "looks at, where the YAML names it.",
    ]
    for group in groups:
        members = [feature for feature in features if feature.group == group]
        lines += ["", f"## {group.capitalize()}: {len(members)}", ""]
        lines += table(
            ("feature", "type", "meaning", "mart", "window", "null means"),
            (
                (
                    f"`{feature.name}`",
                    feature.data_type,
                    feature.meaning,
                    feature.mart,
                    feature.window,
                    feature.null_means,
                )
                for feature in members
            ),
            numbers=False,
        )
    lines += ["", "## Marts", ""]
    lines += table(
        ("mart", "grain", "features"),
        ((f"`{mart.name}`", mart.grain, str(mart.n_features)) for mart in marts),
        numbers=False,
    )
    return "\n".join(lines) + "\n"


def _feature_columns(manifest: dict) -> list[tuple[str, dict]]:
    """Return mart and column of every feature that a feature mart holds."""
    return [
        (name, column)
        for name, node in sorted(models(manifest).items())
        if _is_feature_mart(node)
        for column in node["columns"].values()
        if column["config"]["meta"].get("role") == "feature"
    ]


def _source_of(column: dict, sources: list[tuple[str, dict]]) -> list[tuple[str, dict]]:
    """Return where a pair column comes from; of several namesakes those of its group.

    Two marts may name a column alike: `days_since_last_purchase` is the user's in one,
    of user and shop in another.
    """
    namesakes = [source for source in sources if source[1]["name"] == column["name"]]
    group = column["config"]["meta"]["group"]
    of_group = [
        source for source in namesakes if source[1]["config"]["meta"]["group"] == group
    ]
    return of_group or namesakes


def _is_feature_mart(node: dict) -> bool:
    return node["schema"] == "features" and any(
        column["config"]["meta"].get("role") == "feature"
        for column in node["columns"].values()
    )


def _pair_marts_last(item: tuple[str, dict]) -> tuple[bool, str]:
    return item[0] in PAIR_MARTS, item[0]


def _line(text: str) -> str:
    return " ".join(text.split())


if __name__ == "__main__":
    sys.exit(main())
