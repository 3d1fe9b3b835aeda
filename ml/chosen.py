"""Which settings the models are fitted with: data, found by a search."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path

from ml import settings
from ml.files import write_whole
from ml.models import MODELS
from ml.warehouse import Warehouse

#: What a search on the competition's own data chose, with its record.
SHIPPED_FILE = settings.PROJECT_DIR / "ml" / "chosen_settings.json"


@dataclass(frozen=True)
class ChosenSettings:
    """Hyper-parameters of every model and the model that is published.

    Attributes
    ----------
    parameters
        Per model what its constructor takes; empty for its own defaults. The blend's
        hold its members' as well.
    source
        Words that say where the settings come from.
    settings_record
        The same for a file of settings: data, weeks and the number that were tried.
    """

    parameters: dict[str, dict]
    default_model: str
    source: str
    settings_record: dict = field(default_factory=dict)

    @classmethod
    def complete(
        cls,
        parameters: dict[str, dict],
        default_model: str,
        source: str,
        settings_record: dict | None = None,
    ) -> ChosenSettings:
        """Fill in models that were not searched, and the blend's members."""
        everyone = {name: dict(parameters.get(name, {})) for name in MODELS}
        blend = everyone["blend"]
        blend["parameters_of"] = {
            name: everyone[name] for name in blend.get("weights", {})
        }
        if not blend["parameters_of"]:
            del blend["parameters_of"]
        return cls(everyone, default_model, source, settings_record or {})


def read_chosen(warehouse: Warehouse) -> ChosenSettings:
    """Return what the latest searches on these files chose, else what is shipped."""
    fingerprint = warehouse.data_fingerprint()
    rows = warehouse.rows(
        """
        select run_id, model_name, parameters, is_default, chosen_at
        from ml.model_settings
        where data_fingerprint = ? and (model_name, chosen_at) in (
            select model_name, max(chosen_at) from ml.model_settings
            where data_fingerprint = ? group by model_name
        )
        order by chosen_at desc, model_name
        """,
        [fingerprint, fingerprint],
    )
    if not rows:
        return shipped()
    run_id, *_, chosen_at = rows[0]
    (default,) = (row[1] for row in rows if row[0] == run_id and row[3])
    found = {name: json.loads(text) for _, name, text, _, _ in rows}
    search = f"search {run_id} of {chosen_at:%Y-%m-%d}"
    return ChosenSettings.complete(
        # what no search looked at stays as it is shipped
        shipped().parameters | found,
        default,
        f"{search} on this data",
        {"from": search},
    )


def shipped() -> ChosenSettings:
    """Return the settings that come with the project."""
    content = json.loads(SHIPPED_FILE.read_text(encoding="utf-8"))
    return ChosenSettings.complete(
        content["parameters"],
        content["default_model"],
        f"shipped with the project ({content['record']['data']}, searched on "
        f"{content['record']['searched_on']})",
        content["record"]["settings"],
    )


def write_shipped(
    path: Path, parameters: dict[str, dict], default_model: str, record: dict
) -> None:
    """Write a file like the one that is shipped."""
    content = {
        "record": record,
        "default_model": default_model,
        "parameters": parameters,
    }
    write_whole(path, json.dumps(content, indent=2, default=str) + "\n")


def parameters_text(parameters: dict) -> str:
    """Return parameters as JSON with sorted keys, for the tables."""
    return json.dumps(parameters, sort_keys=True)


def today() -> dt.date:
    """Return the day on which a search ends, for its record."""
    return dt.datetime.now(dt.UTC).date()
