"""Write docs/licences.md: the licence of every package that the lock names.

Licences are read from the metadata of the installed packages. A licence that would bind
the project as a whole must be known here, with the reason for which it does not.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from ml import cli, settings
from ml.files import write_whole
from ml.markdown import table

EXAMPLE = "example: python -m ml.licences --write docs/licences.md"

PAGE = Path("docs/licences.md")
LOCK = settings.PROJECT_DIR / "requirements.txt"
PYPROJECT = settings.PROJECT_DIR / "pyproject.toml"
#: Licences that extend to what is built on the package.
BINDING = re.compile(r"(?<![A-Za-z])A?GPL|GNU (Affero )?General Public", re.IGNORECASE)
#: Packages that name such a licence, and why the project is not bound by it.
NOT_BOUND_BY = {
    "text-unidecode": "offered under the Artistic License as well, which is chosen",
}
#: Systems that a marker of the lock may speak of; the first is where the page is made.
SYSTEMS = (
    {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
    {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
)
PYTHONS = ("3.11", "3.12", "3.13")


@dataclass(frozen=True)
class Package:
    """One package of the lock.

    Attributes
    ----------
    licence
        As its metadata says; None if it is not needed on Linux and so not read.
    is_run_time
        Whether commands of the project need it, not its tests and linters alone.
    """

    name: str
    licence: str | None
    is_run_time: bool


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("licences", __doc__, EXAMPLE)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page")
    options = parser.parse_args(arguments)
    return cli.run(lambda: _run(options))


def _run(options: argparse.Namespace) -> None:
    cli.check_writable(options.write)
    found = packages(LOCK.read_text(encoding="utf-8"), PYPROJECT)
    check(found)
    if options.write is None:
        print(markdown(found), end="")
    else:
        write_whole(options.write, markdown(found))
        print(f"{options.write} written")


def packages(lock: str, pyproject: Path) -> list[Package]:
    """Return the packages of a lock by name.

    Raises
    ------
    cli.CommandError
        A package is not installed.
    """
    locked = locked_requirements(lock)
    wanted = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]
    run_time = needed_by(wanted["dependencies"], set(locked))
    return [
        Package(
            name,
            licence_of(installed(name)) if _is_on_linux(markers) else None,
            name in run_time,
        )
        for name, markers in sorted(locked.items())
    ]


def locked_requirements(lock: str) -> dict[str, list[Marker | None]]:
    """Return the names of a lock with the markers of their lines."""
    found: dict[str, list[Marker | None]] = {}
    for line in lock.splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\ "))
            name = canonicalize_name(requirement.name)
            found.setdefault(name, []).append(requirement.marker)
    return found


def _is_on_linux(markers: Iterable[Marker | None]) -> bool:
    return any(marker is None or _may_hold(marker, SYSTEMS[:1]) for marker in markers)


def _may_hold(marker: Marker, systems: Iterable[dict], extra: str = "") -> bool:
    """Whether a marker is true on one of the systems with one of the Pythons."""
    return any(
        marker.evaluate(
            system
            | {"python_version": python, "python_full_version": f"{python}.9"}
            | {"extra": extra}
        )
        for system in systems
        for python in PYTHONS
    )


def needed_by(requirements: Iterable[str], locked: set[str]) -> set[str]:
    """Return the locked packages that requirements lead to, on any system."""
    found: set[tuple[str, str]] = set()
    waiting = [(Requirement(text), "") for text in requirements]
    while waiting:
        requirement, extra_of_parent = waiting.pop()
        name = canonicalize_name(requirement.name)
        marker = requirement.marker
        if name not in locked or (
            marker is not None and not _may_hold(marker, SYSTEMS, extra_of_parent)
        ):
            continue
        for extra in {"", *requirement.extras}:
            if (name, extra) in found:
                continue
            found.add((name, extra))
            try:
                children = distribution(name).requires or []
            except PackageNotFoundError:
                # of another system
                children = []
            waiting += [(Requirement(child), extra) for child in children]
    return {name for name, _ in found}


def installed(name: str) -> Distribution:
    """Return an installed package.

    Raises
    ------
    cli.CommandError
        It is not there.
    """
    try:
        return distribution(name)
    except PackageNotFoundError as error:
        raise cli.CommandError(
            f"{name} is in requirements.txt and not installed: run `make env`."
        ) from error


def licence_of(package: Distribution) -> str:
    """Return what the metadata of a package say: expression, classifiers or words."""
    metadata = package.metadata
    expression = metadata.get("License-Expression")
    if expression:
        return expression
    classifiers = [
        classifier.split(" :: ")[-1]
        for classifier in metadata.get_all("Classifier", [])
        if classifier.startswith("License :: ") and classifier.count(" :: ") > 1
    ]
    if classifiers:
        return " or ".join(classifiers)
    return (metadata.get("License") or "").strip().split("\n")[0]


def check(found: Iterable[Package]) -> None:
    """Raise CommandError if a licence is not stated, or would bind the project."""
    silent = [package.name for package in found if package.licence == ""]
    if silent:
        raise cli.CommandError(
            f"{', '.join(silent)}: no licence in the metadata, so nobody knows whether "
            "the package may be used: leave it out, or take a version that says."
        )
    binding = [
        package.name
        for package in found
        if package.is_run_time
        and BINDING.search(package.licence or "")
        and package.name not in NOT_BOUND_BY
    ]
    if binding:
        raise cli.CommandError(
            f"{', '.join(binding)}: the licence extends to what is built on the "
            "package; leave it out, or say in ml.licences why the project is not bound."
        )


def markdown(found: Sequence[Package]) -> str:
    """Return the page."""
    read = [package for package in found if package.licence]
    unread = [package.name for package in found if package.licence is None]
    lines = [
        "# Licences of the packages",
        "",
        "Written by `make licences` from the metadata of the packages that "
        "`requirements.txt` locks, in their own words. None of them is part of this "
        "project: an environment gets them from a package index. The one file that "
        "carries something of them is the report: the script of Vega, Vega-Lite and "
        "vega-embed (BSD-3-Clause) that vl-convert-python brings.",
    ]
    for title, is_run_time in (("To run", True), ("To test and lint", False)):
        rows = [
            (package.name, package.licence, NOT_BOUND_BY.get(package.name, ""))
            for package in read
            if package.is_run_time == is_run_time
        ]
        head = ("package", "licence", "remark")
        lines += ["", f"## {title}", "", *table(head, rows, numbers=False)]
    if unread:
        lines += ["", f"Needed on other systems than Linux only: {', '.join(unread)}."]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
