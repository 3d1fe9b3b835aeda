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
    """Write the page and the slides, each whole or not at all."""
    with open_warehouse(read_only=True) as warehouse:
        data = read_data(warehouse)
        version = f"ponpare-warehouse {code_version()}"
        footer = f"{version}, data {warehouse.data_fingerprint()[:8]}"
    shown = pictures(data)
    card = scorecard(measures(data))
    is_synthetic = settings.is_synthetic()
    with written_whole(directory / "index.html") as file:
        file.write(page(data, shown, card, is_synthetic, footer))
    print(f"wrote {directory / 'index.html'}: open it in a browser")


if __name__ == "__main__":
    sys.exit(main())
