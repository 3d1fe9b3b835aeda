"""Write the report: index.html, one page for a browser, and slides.md, slides.ko.md.

Everything comes from tables of the warehouse, in seconds. The page is in English and
Korean, needs no network and may be opened from disk.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from ml import cli, settings
from ml.files import written_whole
from ml.report.data import read_data
from ml.report.page import page, pictures
from ml.report.scorecard import measures, scorecard
from ml.report.slides import PICTURES, slide_pictures, slides
from ml.version import code_version
from ml.warehouse import open_warehouse

EXAMPLE = "example: python -m ml.report --out report"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = cli.parser("report", __doc__, EXAMPLE)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("report"),
        help="directory of the files (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    return cli.run(lambda: write_report(options.out))


def write_report(directory: Path) -> None:
    """Write the page and the slides, each whole or not at all.

    Raises
    ------
    cli.CommandError
        What is named as the directory is a file.
    """
    if directory.exists() and not directory.is_dir():
        raise cli.CommandError(f"--out: {directory} is a file, not a directory.")
    with open_warehouse(read_only=True) as warehouse:
        data = read_data(warehouse)
        version = f"ponpare-warehouse {code_version()}"
        footer = f"{version}, data {warehouse.data_fingerprint()[:8]}"
    shown = pictures(data)
    card = scorecard(measures(data))
    is_synthetic = settings.is_synthetic()
    files = {"index.html": page(data, shown, card, is_synthetic, footer)}
    of_language = slides(data, shown, card, is_synthetic)
    files |= {"slides.md": of_language["en"], "slides.ko.md": of_language["ko"]}
    files |= slide_pictures(data, shown)
    for name, content in files.items():
        with written_whole(directory / name) as file:
            file.write(content)
    for left_over in set((directory / PICTURES).glob("*.svg")) - {
        directory / name for name in files
    }:
        left_over.unlink()
    print(f"wrote {directory}/index.html, slides.md and slides.ko.md")


if __name__ == "__main__":
    sys.exit(main())
