"""Model files: plain JSON, written whole or not at all, loaded without running code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ml import settings
from ml.files import written_whole
from ml.mart_values import WeekValues
from ml.models import KNOWN, PurchaseModel
from ml.warehouse import Column

#: Raised also when the same contents come to mean something else: in format 1 a blend
#: was a mean of log-odds.
FORMAT = 2


class ModelFileError(Exception):
    """A model file that cannot be used; the message says why."""


def model_path(run_id: str, model_name: str) -> Path:
    """Return where a run keeps a model: ``artifacts/<run>/<model>.json``."""
    return settings.PROJECT_DIR / "artifacts" / run_id / f"{model_name}.json"


class ChangedMartError(ModelFileError):
    """A sound model file, of features that are gone or mean something else by now."""


@dataclass(frozen=True)
class SavedModel:
    """A fitted model as a file holds it.

    Attributes
    ----------
    averages : ndarray of float64, shape (number of numeric features,)
        Mean of each numeric feature over the pairs that the model was fitted on, which
        reasons are measured against; empty if the file has none.
    last_week
        What all features were in the last week that the model was fitted on; None in
        files of older versions.
    """

    model: PurchaseModel
    averages: np.ndarray
    last_week: WeekValues | None = None


def save_model(
    model: PurchaseModel,
    path: Path,
    averages: Sequence[float] = (),
    last_week: WeekValues | None = None,
) -> None:
    """Write a fitted model; an interrupted write leaves no file behind.

    Parameters
    ----------
    averages, last_week
        See :class:`SavedModel`.
    """
    content = _content(model, averages)
    if last_week is not None:
        content["last_week"] = last_week.to_dict()
    with written_whole(path) as file:
        json.dump(content, file)


def model_text(model: PurchaseModel, averages: Sequence[float] = ()) -> str:
    """Return what :func:`save_model` would write."""
    return json.dumps(_content(model, averages))


def _content(model: PurchaseModel, averages: Sequence[float]) -> dict:
    return {
        "format": FORMAT,
        "name": model.name,
        "parameters": model.parameters(),
        "averages": list(map(float, averages)),
        "state": model.state(),
    }


def load_model(path: Path, columns: Sequence[Column] | None = None) -> PurchaseModel:
    """Return the model of a file, see :func:`load_saved`."""
    return load_saved(path, columns).model


def load_saved(path: Path, columns: Sequence[Column] | None = None) -> SavedModel:
    """Read what :func:`save_model` wrote.

    Parameters
    ----------
    columns
        Contract of the mart that the model is to score; by default it is not checked.

    Raises
    ------
    ModelFileError
        The file is missing, broken or of another format.
    ChangedMartError
        It was fitted on other features than the mart has.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ModelFileError(
                f"{path} has format {content['format']}, this version reads {FORMAT}: "
                "train again with `python -m ml.train`."
            )
        saved = _restored(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{path} is not a model file of this project ({error!r})."
        ) from error
    if columns is not None:
        _check_features(saved.model, columns, path)
    return saved


def format_of(path: Path) -> int | None:
    """Return the format of a model file, None if it cannot be told."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["format"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


def saved_of_text(text: str) -> SavedModel:
    """Return the model of :func:`model_text`, which the same version has written."""
    return _restored(json.loads(text))


def _restored(content: dict) -> SavedModel:
    model_class = KNOWN[content["name"]]
    last_week = content.get("last_week")
    return SavedModel(
        model_class(**content["parameters"]).restore(content["state"]),
        np.array(content.get("averages", []), dtype=np.float64),
        None if last_week is None else WeekValues.from_dict(last_week),
    )


def _check_features(
    model: PurchaseModel, columns: Sequence[Column], path: Path
) -> None:
    """Raise ChangedMartError unless the mart has just the features of the model."""
    kind = {True: "text", False: "numeric"}
    fitted_on = {
        name: kind[name in model.contract_.categories] for name in model.contract_.names
    }
    # one model ranks by each score, as if it were a feature
    fitted_on |= dict.fromkeys(model.contract_.scores, kind[False])
    in_mart = {
        c.name: kind[c.is_categorical]
        for c in columns
        if c.role in {"feature", "score"}
    }
    differences = [
        *(f"{name} is gone" for name in fitted_on if name not in in_mart),
        *(f"{name} is new" for name in in_mart if name not in fitted_on),
        *(
            f"{name} was {fitted_on[name]} and is {in_mart[name]}"
            for name in fitted_on
            if in_mart.get(name, fitted_on[name]) != fitted_on[name]
        ),
    ]
    if differences:
        raise ChangedMartError(
            f"{path} was fitted on other features than ml.scoring_pairs has "
            f"({', '.join(differences)}): train again with `python -m ml.train`."
        )
