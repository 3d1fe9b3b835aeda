"""Purchase models behind one interface: see :mod:`ml.models.base`."""

from __future__ import annotations

from ml.models.base import PurchaseModel
from ml.models.blend import MEMBERS, Blend
from ml.models.competition_cosine import CompetitionCosine
from ml.models.cosine import Cosine
from ml.models.popularity import Popularity
from ml.models.reference import FrozenReference

#: All models; a blend comes after its members.
MODELS: dict[str, type[PurchaseModel]] = {
    model.name: model
    for model in (
        *(Popularity, Cosine, CompetitionCosine, FrozenReference),
        *(*MEMBERS.values(), Blend),
    )
}


def build(name: str, parameters: dict, random_state: int) -> PurchaseModel:
    """Return an unfitted model; models without draws take no seed."""
    model = MODELS[name](**parameters)
    if "random_state" in model.parameters():
        model = MODELS[name](**({"random_state": random_state} | parameters))
    return model
