"""Write the list of what the project installs and under which licences.

Takes the packages that the project needs when it runs, with all that they need in turn,
from what is installed in the environment. A package under a copyleft licence has to
have a word that says why it may be used. Prints the page unless told to write it.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ml import cli, settings
from ml.markdown import table

EXAMPLE = "example: python -m ml.licences --write docs/licences.md"

PAGE = Path("docs/licences.md")
COPYLEFT = re.compile(r"\b(A?L?GPL|General Public|MPL|Mozilla Public|EUPL|CDDL)", re.I)
OF_FILES = (
    "asks that changes to the package's own files stay open; it is used as it comes"
)
#: Why a package under a copyleft licence may be used.
NOTES = {
    "certifi": OF_FILES,
    "pathspec": OF_FILES,
    "text-unidecode": "leaves the choice; the project takes the Artistic License",
    "tqdm": OF_FILES,
}


@dataclass(frozen=True)
class Package:
    """One installed package."""

    name: str
    version: str
    licence: str

    @property
    def is_copyleft(self) -> bool:
        """Whether its licence asks that what is made of it stays open."""
        return COPYLEFT.search(self.licence) is not None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("licences", __doc__, EXAMPLE)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page")
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    cli.check_writable(options.write)
    page = markdown(packages(project_requirements()))
    if options.write is None:
        print(page, end="")
    else:
        options.write.write_text(page, encoding="utf-8")
        print(f"{options.write} written")


def project_requirements() -> list[str]:
    """Return what pyproject.toml says the project needs when it runs."""
    content = tomllib.loads(
        (settings.PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8")
    )
    return content["project"]["dependencies"]


def packages(requirements: Sequence[str]) -> list[Package]:
    """Return the packages that fulfil these requirements, and theirs, by name.

    Raises
    ------
    CommandError
        One of them is not installed.
    """
    waiting = [Requirement(text) for text in requirements]
    extras_of: dict[str, set[str]] = {}
    found: dict[str, metadata.Distribution] = {}
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        extras = extras_of.setdefault(name, set())
        if name in found and wanted.extras <= extras:
            continue
        extras |= wanted.extras
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise cli.CommandError(
                f"{name} is not installed: run `make env` first."
            ) from None
        waiting += [
            needed
            for text in found[name].requires or []
            for needed in [Requirement(text)]
            if needed.marker is None
            or any(needed.marker.evaluate({"extra": e}) for e in {"", *extras})
        ]
    return [
        Package(name, found[name].version, licence_of(found[name].metadata))
        for name in sorted(found)
    ]


def licence_of(about: metadata.PackageMetadata) -> str:
    """Return what a package states: an expression, else classifiers, else words."""
    if about.get("License-Expression"):
        return about["License-Expression"]
    classifiers = [
        text.split(" :: ")[-1]
        for text in about.get_all("Classifier") or []
        if text.startswith("License ::") and text != "License :: OSI Approved"
    ]
    if classifiers:
        return " or ".join(classifiers)
    return (about.get("License") or "").strip().split("\n")[0] or "not stated"


def markdown(found: Sequence[Package]) -> str:
    """Return the page.

    Raises
    ------
    CommandError
        A package under a copyleft licence, or under none, has no word in ``NOTES``.
    """
    unexplained = [
        f"{p.name} ({p.licence})"
        for p in found
        if (p.is_copyleft or p.licence == "not stated") and p.name not in NOTES
    ]
    if unexplained:
        raise cli.CommandError(
            f"it has to be said why these may be used: {', '.join(unexplained)}; see "
            "NOTES in ml/licences.py."
        )
    lines = [
        "# Licences",
        "",
        "Written by `python -m ml.licences --write docs/licences.md`: what the project "
        f"needs when it runs, {len(found)} packages with all that they need in turn, "
        "and the licence that each states. The project's own is in `LICENSE`. "
        "Versions and hashes stand in `requirements.txt`, with those for other "
        "platforms, for tests and for linting.",
        "",
        *table(
            ("package", "licence", "note"),
            ((p.name, p.licence, NOTES.get(p.name, "")) for p in found),
            numbers=False,
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
