"""A recipe: a model's name with its hyper-parameters, whatever it is fitted on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from ml.chosen import parameters_text
from ml.models import KNOWN, PurchaseModel

#: A hyper-parameter that is none of a recipe's: another seed is the same recipe.
SEED = "random_state"
ID_DIGITS = 8


@dataclass(frozen=True)
class Recipe:
    """A model and how it is to be fitted.

    Attributes
    ----------
    parameters
        What the model's constructor takes, without the seed and without what is None:
        that stands for a hyper-parameter that is not used, so that the recipe stays the
        one it was before there was such a hyper-parameter.
    """

    model_name: str
    parameters: dict

    @property
    def recipe_id(self) -> str:
        """Name and the beginning of a checksum of the hyper-parameters."""
        digest = hashlib.sha256(parameters_text(self.parameters).encode()).hexdigest()
        return f"{self.model_name}-{digest[:ID_DIGITS]}"

    def to_json(self) -> str:
        """Return the hyper-parameters as JSON, in the order in which they are used."""
        return json.dumps(self.parameters)


def recipe_of(model: PurchaseModel) -> Recipe:
    """Return the recipe by which a model is, or was, fitted."""
    parameters = {
        name: value
        for name, value in model.parameters().items()
        if name != SEED and value is not None
    }
    return Recipe(model.name, parameters)


def recipe_from(model_name: str, parameters: dict) -> Recipe:
    """Return the recipe of settings that leave some hyper-parameters at defaults."""
    return recipe_of(KNOWN[model_name](**parameters))
