"""Names of genres, capsules and places, read from the project's translation seeds."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

SEEDS_DIR = Path(__file__).resolve().parents[2] / "seeds"


@dataclass(frozen=True)
class Names:
    """Look-up tables; positions in the arrays are the numbers used everywhere else."""

    genres: list[str]
    genre_ja: np.ndarray
    capsules: list[str]
    capsule_ja: np.ndarray
    capsule_genre: np.ndarray
    capsule_variant: dict[int, str]
    large_areas: list[str]
    large_area_ja: np.ndarray
    prefectures: list[str]
    prefecture_ja: np.ndarray
    prefecture_large_area: np.ndarray
    office_ja: np.ndarray
    latitude: np.ndarray
    longitude: np.ndarray
    small_areas: list[str]
    small_area_ja: np.ndarray
    small_area_prefecture: np.ndarray

    def distance_km(self) -> np.ndarray:
        """Great-circle distances between prefectural offices, shape (47, 47)."""
        lat, lon = np.radians(self.latitude), np.radians(self.longitude)
        dlat = lat[:, None] - lat[None, :]
        dlon = lon[:, None] - lon[None, :]
        h = (
            np.sin(dlat / 2) ** 2
            + np.cos(lat)[:, None] * np.cos(lat)[None, :] * np.sin(dlon / 2) ** 2
        )
        return 2 * 6371.0 * np.arcsin(np.sqrt(np.clip(h, 0, 1)))


def _rows(name: str) -> list[dict[str, str]]:
    with (SEEDS_DIR / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _text(rows: list[dict[str, str]], column: str) -> np.ndarray:
    return np.array([row[column] for row in rows], dtype=object)


def read_names() -> Names:
    """Read the seeds in ``seeds/``."""
    genres = _rows("genres")
    capsules = _rows("capsules")
    large_areas = _rows("large_areas")
    prefectures = _rows("prefectures")
    small_areas = _rows("small_areas")
    genre_of = {row["genre"]: i for i, row in enumerate(genres)}
    capsule_of = {row["capsule_ja"]: i for i, row in enumerate(capsules)}
    large_of = {row["large_area"]: i for i, row in enumerate(large_areas)}
    prefecture_of = {row["prefecture"]: i for i, row in enumerate(prefectures)}
    variants = {
        capsule_of[row["canonical_ja"]]: row["variant_ja"]
        for row in _rows("spelling_variants")
        if row["column_name"] == "capsule_text"
    }
    return Names(
        genres=list(genre_of),
        genre_ja=_text(genres, "genre_ja"),
        capsules=[row["capsule"] for row in capsules],
        capsule_ja=_text(capsules, "capsule_ja"),
        capsule_genre=np.array([genre_of[row["genre"]] for row in capsules]),
        capsule_variant=variants,
        large_areas=list(large_of),
        large_area_ja=_text(large_areas, "large_area_ja"),
        prefectures=list(prefecture_of),
        prefecture_ja=_text(prefectures, "prefecture_ja"),
        prefecture_large_area=np.array(
            [large_of[r["large_area"]] for r in prefectures]
        ),
        office_ja=_text(prefectures, "office_ja"),
        latitude=np.array([float(row["latitude"]) for row in prefectures]),
        longitude=np.array([float(row["longitude"]) for row in prefectures]),
        small_areas=[row["small_area"] for row in small_areas],
        small_area_ja=_text(small_areas, "small_area_ja"),
        small_area_prefecture=np.array(
            [prefecture_of[row["prefecture"]] for row in small_areas]
        ),
    )
