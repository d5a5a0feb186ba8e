"""Whether the person is an adult as others are, and whether the estimates agree on their size."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tapeless.checks.findings import Reading

_GIRTHS = ("chest_m", "waist_m", "hips_m")


def stature(estimates: pd.DataFrame) -> Reading:
    """The person's stature in metres, if something gives the scale."""
    if (estimates["scale"] == "estimated").any():
        return Reading(
            None,
            why_not="No height is given, and the fit expects an adult: a child would be taken for "
            "one. Give height_cm in the sheet.",
        )
    return Reading(float(estimates["height_m"].median()))


def body_mass_index(estimates: pd.DataFrame) -> Reading:
    """Mass over height squared, in kg/m2: the median of the estimates."""
    return Reading(float((estimates["mass_kg"] / estimates["height_m"] ** 2).median()))


def disagreement(estimates: pd.DataFrame) -> Reading:
    """How much the estimates differ in girth: their relative standard deviation, in per cent.

    Of chest, waist and hips, whichever differ most.
    """
    if len(estimates) < 2:
        return Reading(None, why_not="There is one estimate, which nothing can be compared with.")
    logarithms = np.log(estimates[list(_GIRTHS)].to_numpy(float))
    return Reading(100 * float(logarithms.std(axis=0, ddof=1).max()))
