"""Adults drawn from the Anny body model so that their statures and builds match a population.

Anny's own parameters know nothing of how common a body is: drawn uniformly they give people of
1.2 to 2.4 m. Here stature and body mass index are drawn first, from a population, and so is
everything else; then the parameters `height` and fatness are solved for the drawn stature and mass.

Two generators are kept apart. `draw_adults(..., varied_beyond_prior=False)` is the one that priors
are built on. With `varied_beyond_prior=True`, bodies also vary in ways that the first never varies
(left differs from right, and navels lie higher or lower), so that they lie outside any space fitted
to it: that is the generator of demo and benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from anny.anthropometry import Anthropometry
from anny.models.model_data import ANNY_VERSION

from tapeless.anny_model import load_model
from tapeless.bodies import Body
from tapeless.units import DENSITY_KG_M3

Floats = npt.NDArray[np.float32]
Sex = Literal["female", "male"]
Builds = Literal["population", "even_bmi", "even"]
"""How common statures and body mass indices are: as in the population, or at the ends of their
ranges as common as in the middle, the indices only ("even_bmi") or both ("even")."""

PRIOR_SEED = 1
"""Of the population that body spaces and priors are built on."""

STATURE_M: Mapping[Sex, tuple[float, float]] = {"female": (1.63, 0.070), "male": (1.76, 0.075)}
"""Mean and standard deviation: European and North American adults."""
STATURE_RANGE_M = (1.50, 1.98)
BMI_MEDIAN: Mapping[Sex, float] = {"female": 24.5, "male": 25.5}
BMI_LOG_SD = 0.17
BMI_RANGE = (17.0, 38.0)

FATNESS: Mapping[str, Mapping[Sex, float]] = {
    # local change: how much of it one unit of fatness brings
    "measure-waist-circ-incr": {"female": 0.10, "male": 0.15},
    "stomach-pregnant-incr": {"female": 0.05, "male": 0.10},
    "measure-hips-circ-incr": {"female": 0.04, "male": 0.05},
    "measure-thigh-circ-incr": {"female": 0.15, "male": 0.08},
    "measure-underbust-circ-incr": {"female": 0.12, "male": 0.08},
    "measure-bust-circ-incr": {"female": 0.10, "male": 0.05},
    "measure-upperarm-circ-incr": {"female": 0.20, "male": 0.15},
    "measure-calf-circ-incr": {"female": 0.15, "male": 0.15},
    "measure-neck-circ-incr": {"female": 0.12, "male": 0.15},
}
"""What fatness changes besides Anny's `weight` and `muscle`."""

SPREAD: Mapping[str, float] = {
    "measure-waist-circ-incr": 0.32,
    "measure-hips-circ-incr": 0.10,
    "measure-bust-circ-incr": 0.10,
    "measure-underbust-circ-incr": 0.12,
    "measure-thigh-circ-incr": 0.25,
    "measure-knee-circ-incr": 0.20,
    "measure-calf-circ-incr": 0.15,
    "measure-ankle-circ-incr": 0.20,
    "measure-upperarm-circ-incr": 0.15,
    "measure-wrist-circ-incr": 0.04,
    "measure-neck-circ-incr": 0.15,
    "measure-shoulder-dist-incr": 0.15,
    "measure-upperarm-length-incr": 0.25,
    "measure-lowerarm-length-incr": 0.25,
    "measure-napetowaist-dist-incr": 0.12,
    "measure-waisttohip-dist-incr": 0.12,
    "measure-neck-height-incr": 0.20,
    "upperlegs-height-incr": 0.15,
    "lowerlegs-height-incr": 0.15,
    "hip-scale-horiz-incr": 0.12,
    "hip-scale-depth-incr": 0.12,
    "torso-scale-horiz-incr": 0.12,
    "torso-scale-depth-incr": 0.15,
    "torso-scale-vert-incr": 0.12,
    "torso-vshape-incr": 0.15,
    "torso-muscle-pectoral-incr": 0.20,
    "torso-muscle-dorsi-incr": 0.15,
    "stomach-tone-incr": 0.30,
    "stomach-pregnant-incr": 0.10,
    "buttocks-volume-incr": 0.30,
    "breast-point-incr": 0.15,
    "breast-dist-incr": 0.20,
}
"""Standard deviations of the local changes that every adult has, people of equal stature and BMI.

They make the girths of such people differ by as much as measured people do: standard deviations of
about 3 cm at the waist, 3.5 cm at the chest and 2.5 cm at the hips.
"""

SPREAD_OF_LIMBS: Mapping[str, float] = {
    "upperarm-fat-incr": 0.15,
    "upperarm-muscle-incr": 0.20,
    "upperarm-shoulder-muscle-incr": 0.25,
    "lowerarm-fat-incr": 0.15,
    "lowerarm-muscle-incr": 0.20,
    "upperleg-fat-incr": 0.12,
    "upperleg-muscle-incr": 0.20,
    "lowerleg-fat-incr": 0.15,
    "lowerleg-muscle-incr": 0.20,
    "leg-valgus-incr": 0.30,
    "foot-scale-incr": 0.20,
    "hand-scale-incr": 0.20,
}
"""Likewise of arms and legs, of which left and right are alike.

Who carries more on the limbs carries less on the trunk at the same mass: without these changes the
prior expected chests of 8 mm too much of the people that it is held against.
"""

SPREAD_OF_TRUNK: Mapping[str, float] = {
    "hip-trans-forward": 0.20,
    "hip-trans-up": 0.20,
    "hip-waist-up": 0.30,
    "hip-scale-vert-incr": 0.20,
    "torso-trans-forward": 0.20,
    "pelvis-tone-incr": 0.30,
    "stomach-navel-out": 0.30,
    "stomach-navel-up": 0.30,
    "measure-frontchest-dist-incr": 0.25,
    "breast-volume-vert-up": 0.30,
    "breast-trans-up": 0.20,
    "neck-trans-forward": 0.25,
    "neck-scale-depth-incr": 0.25,
}
"""Likewise of posture and of the shapes of belly, breast and neck."""

BEYOND_PRIOR = frozenset({"stomach-navel-out", "stomach-navel-up"})
"""Of these, what only people beyond the prior have: what no outline shows."""

ASYMMETRY_BEYOND_PRIOR = 0.5
"""How much left and right then differ from what they share, as a share of `SPREAD_OF_LIMBS`."""

# Of height and fatness, the two unknowns, and of stature (m) and mass (kg), what they give.
_BOUNDS = ((0.05, -2.5), (0.95, 5.0))
_MAX_STEP = np.array([0.3, 1.0])
_TOLERANCES = (0.001, 0.1)
_MAX_ITERATIONS = 20
_CHUNK = 64


@dataclass(frozen=True)
class Adult:
    """One person: the parameters of the Anny model of `tapeless.anny_model`.

    `phenotypes` holds every phenotype of the model (0 to 1; gender 0 is male), `local_changes`
    those local changes that are not 0.
    """

    sex: Sex
    phenotypes: Mapping[str, float]
    local_changes: Mapping[str, float]


@dataclass(frozen=True)
class _Draft:
    """A person whose Anny height and fatness are still to be solved for."""

    sex: Sex
    stature_m: float
    mass_kg: float
    phenotypes: dict[str, float]
    local_changes: dict[str, float]


def draw_adults(
    count: int, seed: int, *, varied_beyond_prior: bool = False, builds: Builds = "population"
) -> list[Adult]:
    """Draws adults, women and men in turn.

    The same seed gives the same people (but for rounding), and a longer list begins with the
    people of a shorter one.
    """
    adults: dict[int, Adult] = {}
    attempt = 0
    while missing := [number for number in range(count) if number not in adults]:
        drafts = [_draft(number, attempt, seed, varied_beyond_prior, builds) for number in missing]
        solved = zip(missing, _solve(drafts), strict=True)
        adults |= {number: adult for number, adult in solved if adult is not None}
        attempt += 1
    return [adults[number] for number in range(count)]


def rest_body(adult: Adult) -> Body:
    """The unposed body of an adult: their true shape, in the frame of the body file."""
    vertices, joints = rest_shapes([adult])
    model = load_model()
    return Body(
        vertices=vertices[0],
        faces=model.faces.numpy().astype(np.int32),
        joints=joints[0],
        joint_names=np.array(model.bone_labels),
        topology="anny",
        frames=np.array([], dtype=np.str_),
        posed_vertices=np.zeros((0, len(vertices[0]), 3), np.float32),
        camera_focal_px=np.zeros(0, np.float32),
        camera_center_px=np.zeros((0, 2), np.float32),
        backend="anny",
        backend_version=ANNY_VERSION,
        scale="known_height",
    )


def rest_shapes(adults: Sequence[Adult]) -> tuple[Floats, Floats]:
    """The unposed vertices (N, V, 3) and bone heads (N, 104, 3) of many adults.

    Metres, y up, feet at y = 0, facing +z; bones in the order of `load_model().bone_labels`.
    """
    rests = [_rest(*parameters_of(adults[i : i + _CHUNK])) for i in range(0, len(adults), _CHUNK)]
    vertices, joints = (np.concatenate(arrays) for arrays in zip(*rests, strict=True))
    floor = vertices[..., 2].min(axis=1)
    return _y_up(vertices, floor), _y_up(joints, floor)


def parameters_of(adults: Sequence[Adult]) -> tuple[torch.Tensor, torch.Tensor]:
    """The phenotypes (N, 6) and local changes (N, 125) as `load_model()` takes them."""
    model = load_model()
    phenotypes = [[a.phenotypes[name] for name in model.phenotype_labels] for a in adults]
    local_changes = [
        [a.local_changes.get(name, 0.0) for name in model.local_change_labels] for a in adults
    ]
    return torch.tensor(phenotypes), torch.tensor(local_changes)


def _rest(phenotypes: torch.Tensor, local_changes: torch.Tensor) -> tuple[Floats, Floats]:
    with torch.inference_mode():
        model = load_model()
        coefficients = model._get_phenotype_blendshape_coefficients(
            phenotypes, local_changes, torch.zeros(1, 0)
        )
        result = model.get_rest_model(coefficients)
    return result["rest_vertices"].numpy(), result["rest_bone_heads"].numpy()


def _y_up(points: Floats, floor: Floats) -> Floats:
    x, y, z = np.moveaxis(points, -1, 0)
    return np.stack([x, z - floor[:, None], -y], axis=-1)


def _draft(
    number: int, attempt: int, seed: int, varied_beyond_prior: bool, builds: Builds
) -> _Draft:
    generator = np.random.default_rng([seed, int(varied_beyond_prior), number, attempt])
    sex: Sex = "female" if number % 2 == 0 else "male"
    stature, bmi = _build(generator, sex, builds)
    towards_other_sex = generator.uniform(0, 0.1)
    phenotypes = {
        "gender": 1 - towards_other_sex if sex == "female" else towards_other_sex,
        "age": generator.uniform(0.67, 0.90),
        "muscle": generator.uniform(0.35, 0.75),
        "proportions": generator.uniform(0.2, 0.9),
    }
    local_changes = {name: generator.normal(0, spread) for name, spread in SPREAD.items()}
    asymmetry = ASYMMETRY_BEYOND_PRIOR if varied_beyond_prior else 0.0
    for name, spread in SPREAD_OF_LIMBS.items():
        of_both = generator.normal(0, spread)
        for side in "lr":
            local_changes[f"{side}-{name}"] = of_both + generator.normal(0, asymmetry * spread)
    for name, spread in SPREAD_OF_TRUNK.items():
        change = generator.normal(0, spread)
        if varied_beyond_prior or name not in BEYOND_PRIOR:
            local_changes[name] = change
    return _Draft(sex, stature, bmi * stature**2, phenotypes, local_changes)


def _build(generator: np.random.Generator, sex: Sex, builds: Builds) -> tuple[float, float]:
    """A stature in m and a body mass index in kg/m2."""
    mean, sd = STATURE_M[sex]
    if builds == "even":
        low, high = np.clip([mean - 3 * sd, mean + 3 * sd], *STATURE_RANGE_M)
        stature = generator.uniform(low, high)
    else:
        stature = _truncated(generator, mean, sd, STATURE_RANGE_M)
    log_bmi_range = (float(np.log(BMI_RANGE[0])), float(np.log(BMI_RANGE[1])))
    if builds == "population":
        log_bmi = _truncated(generator, np.log(BMI_MEDIAN[sex]), BMI_LOG_SD, log_bmi_range)
    else:
        log_bmi = generator.uniform(*log_bmi_range)
    return stature, float(np.exp(log_bmi))


def _truncated(
    generator: np.random.Generator, mean: float, sd: float, bounds: tuple[float, float]
) -> float:
    while not bounds[0] <= (value := generator.normal(mean, sd)) <= bounds[1]:
        pass
    return float(value)


def _solve(drafts: Sequence[_Draft]) -> list[Adult | None]:
    """Finds the height and fatness that give each draft its stature and mass; None where none does.

    Broyden's method, for all drafts at once: one evaluation of the model an iteration.
    """
    targets = np.array([[d.stature_m, d.mass_kg] for d in drafts])
    unknowns = np.array([[0.4 + (d.stature_m - STATURE_M[d.sex][0]), 0.2] for d in drafts])
    slopes = np.array([[[1.1, 0.0], [60.0, 7.0]]]).repeat(len(drafts), axis=0)
    errors = _sizes(drafts, unknowns) - targets
    for _ in range(_MAX_ITERATIONS):
        open_ = np.flatnonzero(~_within_tolerance(errors))
        if len(open_) == 0:
            break
        steps = -np.linalg.solve(slopes[open_], errors[open_, :, None])[..., 0]
        moved = np.clip(unknowns[open_] + np.clip(steps, -_MAX_STEP, _MAX_STEP), *_BOUNDS)
        steps, unknowns[open_] = moved - unknowns[open_], moved
        new_errors = _sizes([drafts[i] for i in open_], moved) - targets[open_]
        misses = new_errors - errors[open_] - np.einsum("nij,nj->ni", slopes[open_], steps)
        lengths = np.maximum((steps**2).sum(axis=1), 1e-12)[:, None, None]
        slopes[open_] += np.einsum("ni,nj->nij", misses, steps) / lengths
        errors[open_] = new_errors
    return [
        _adult(draft, *solution) if solved else None
        for draft, solution, solved in zip(drafts, unknowns, _within_tolerance(errors), strict=True)
    ]


def _within_tolerance(errors: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    return (np.abs(errors) <= _TOLERANCES).all(axis=1)


def _sizes(drafts: Sequence[_Draft], unknowns: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Stature in m and mass in kg (N, 2) of drafts given their height and fatness (N, 2)."""
    anthropometry = Anthropometry(load_model())
    adults = [_adult(d, *u) for d, u in zip(drafts, unknowns, strict=True)]
    sizes = []
    for start in range(0, len(adults), _CHUNK):
        vertices = torch.from_numpy(_rest(*parameters_of(adults[start : start + _CHUNK]))[0])
        mass = anthropometry.volume(vertices) * DENSITY_KG_M3
        sizes.append(torch.stack([anthropometry.height(vertices), mass], dim=1).numpy())
    return np.concatenate(sizes).astype(np.float64)


def _adult(draft: _Draft, height: float, fatness: float) -> Adult:
    muscle_lost = 0.35 * fatness if fatness > 0 else -0.2 * fatness
    phenotypes = draft.phenotypes | {
        "height": float(height),
        "weight": float(np.clip(0.5 + 0.5 * fatness, 0, 1)),
        "muscle": float(np.clip(draft.phenotypes["muscle"] - muscle_lost, 0.05, 1)),
    }
    local_changes = dict(draft.local_changes)
    for name, loading in FATNESS.items():
        local_changes[name] = local_changes.get(name, 0.0) + loading[draft.sex] * float(fatness)
    return Adult(draft.sex, phenotypes, local_changes)
