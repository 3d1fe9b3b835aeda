"""Purchase models behind one interface: see :mod:`ml.models.base`."""

from __future__ import annotations

from ml.models.base import PurchaseModel
from ml.models.blend import MEMBERS, Blend
from ml.models.competition_cosine import CompetitionCosine
from ml.models.cosine import Cosine
from ml.models.funnel import Funnel
from ml.models.popularity import Popularity
from ml.models.two_branch import TwoBranchNetwork, has_torch

#: All models that a file may hold; a blend comes after its members.
KNOWN: dict[str, type[PurchaseModel]] = {
    model.name: model
    for model in (
        *(Popularity, Cosine, CompetitionCosine),
        *(*MEMBERS.values(), Funnel, TwoBranchNetwork, Blend),
    )
}
#: Models that cannot be fitted here because an optional extra is missing, with what
#: to do about it.
LEFT_OUT: dict[str, str] = (
    {}
    if has_torch()
    else {
        TwoBranchNetwork.name: f"{TwoBranchNetwork.name} needs PyTorch, an optional "
        "extra that is not installed: run `make torch`."
    }
)
#: Models that can be fitted; a blend comes after its members.
MODELS = {name: model for name, model in KNOWN.items() if name not in LEFT_OUT}


def build(name: str, parameters: dict, random_state: int) -> PurchaseModel:
    """Return an unfitted model; models without draws take no seed."""
    model = MODELS[name](**parameters)
    if "random_state" in model.parameters():
        model = MODELS[name](**({"random_state": random_state} | parameters))
    return model
