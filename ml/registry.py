"""Model files: plain JSON, written whole or not at all, loaded without running code."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from ml import settings
from ml.models import MODELS, PurchaseModel

FORMAT = 1


class ModelFileError(Exception):
    """A model file that cannot be used; the message says why."""


def model_path(run_id: str, model_name: str) -> Path:
    """Return where a run keeps a model: ``artifacts/<run>/<model>.json``."""
    return settings.PROJECT_DIR / "artifacts" / run_id / f"{model_name}.json"


def save_model(model: PurchaseModel, path: Path) -> None:
    """Write a fitted model; an interrupted write leaves no file behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "name": model.name,
        "parameters": model.parameters(),
        "state": model.state(),
    }
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".model-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(content, file)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def load_model(path: Path) -> PurchaseModel:
    """Read a model that :func:`save_model` wrote.

    Raises
    ------
    ModelFileError
        The file is missing, broken, or of another format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ModelFileError(
                f"{path} has format {content['format']}, this version reads {FORMAT}: "
                "train again with `python -m ml.train`."
            )
        model_class = MODELS[content["name"]]
        return model_class(**content["parameters"]).restore(content["state"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(
            f"{path} is not a model file of this project ({error!r})."
        ) from error
