"""Fills docs/accuracy.md with what the runs of the benchmark measured, and with nothing else."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from calibrate_intervals import FRONT, TURN
from draw_accuracy import paired, with_people
from page import (
    DASH,
    Verdict,
    among,
    amount,
    fill,
    markdown,
    percent,
    replace_between,
    share,
    written,
)
from scipy.stats import betabinom, binomtest
from score_accuracy import AVERAGE, AVERAGE_OF_SEX, GIVEN, NOT_GIVEN, TAPELESS, given_height_sd
from use_intervals import BACKEND, CALIBRATED_PATTERN
from variants import AS_IN_A_RUN

from tapeless import __version__
from tapeless.bodies import SCALES
from tapeless.intervals import (
    CONFIDENCE,
    UNCERTAINTY_FILE,
    load_uncertainty,
    relative_sd_of,
    student,
)
from tapeless.logs import job_log
from tapeless.measurements import Measurement, load_table
from tapeless.population import BMI_RANGE, STATURE_RANGE_M

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

SETTINGS = ((TURN, GIVEN), (TURN, NOT_GIVEN), (FRONT, GIVEN), (FRONT, NOT_GIVEN))
MEAN_ERRORS = ("mean_error_mm", "mean_error_percent")
"""The targets of a turn that fronts are held against, too."""
CHECKS_OF_CLOTHES = frozenset({"loose_clothing", "unexplained_outline"})
README_MARKER = "accuracy, written by make bench-accuracy"

RECORDS: Mapping[str, Measurement] = {record.name: record for record in load_table().measurements}


@dataclass(frozen=True)
class Evidence:
    """The tables of a run; their columns are said where they are written."""

    errors: pd.DataFrame
    scores: pd.DataFrame
    truth: pd.DataFrame
    films: pd.DataFrame
    summary: pd.DataFrame
    summary_unknown: pd.DataFrame
    repeatability: pd.DataFrame
    spans: pd.DataFrame
    truth_of_calibration: pd.DataFrame
    ablation: pd.DataFrame

    def scored(self, take: str, height: str, method: str = TAPELESS) -> pd.DataFrame:
        """Scores by measurement, in the order of the table of measurements."""
        scores = self.scores
        own = scores[(scores["height"] == height) & (scores["method"] == method)]
        if method == TAPELESS:
            own = own[own["take"] == take]
        own = own.set_index("measurement")
        return own.loc[[name for name in RECORDS if name in own.index]]

    def pairs(self) -> pd.DataFrame:
        """By measurement: mean errors of turn and front (SI) of those measured in both."""
        own = self.errors[(self.errors["method"] == TAPELESS) & (self.errors["height"] == GIVEN)]
        own = own.assign(error=(own["measured"] - own["true"]).abs())
        wide = own.pivot_table(index=["measurement", "adult"], columns="take", values="error")
        both = wide.reindex(columns=[TURN, FRONT]).dropna()
        return both.groupby("measurement", sort=False).mean()


def accuracy_table(evidence: Evidence, take: str, height: str) -> str:
    """Errors, coverage and width, a row per measurement, beside what averages get wrong."""
    averages = {m: evidence.scored("", height, m) for m in (AVERAGE, AVERAGE_OF_SEX)}
    rows = []
    for name, own in evidence.scored(take, height).iterrows():
        record = RECORDS[str(name)]
        size = amount(record)
        row = {
            "": str(name),
            "bias": amount(record, signed=True)(own["bias"]),
            "error": f"**{size(own['mae'])}**",
            "error, %": percent(own["mae_percent"]),
            "95th percentile": size(own["p95"]),
            "largest": size(own["largest"]),
            **_coverage_cells(record, own),
        }
        if pd.notna(own["inside_narrower"]):
            row["inside, narrower"] = share(own["inside_narrower"])
            row["width, narrower"] = percent(own["narrower_percent"])
        row |= {who: percent(of["mae_percent"][str(name)]) for who, of in averages.items()}
        rows.append(row)
    return markdown(pd.DataFrame(rows).fillna(DASH))


def _coverage_cells(record: Measurement, own: pd.Series) -> dict[str, str]:
    low, high = range_of_share(own["held"], own["judged"])
    return {
        "measured": among(own["people"], own["filmed"]),
        "inside": f"{share(own['inside'])} ({100 * low:.0f} to {100 * high:.0f})",
        "covered": share(own["covered"]),
        "width": amount(record)(own["width"]),
        "width, %": percent(own["width_percent"]),
    }


def range_of_share(held: float, judged: float) -> tuple[float, float]:
    """The 95 % range of a share of which `held` of `judged` were seen (Clopper and Pearson)."""
    if not judged:
        return 0.0, 1.0
    found = binomtest(int(held), int(judged)).proportion_ci(CONFIDENCE, "exact")
    return float(found.low), float(found.high)


def front_table(evidence: Evidence) -> str:
    """Errors of the front only, and as a multiple of those of a turn of the same people."""
    pairs = evidence.pairs()
    rows = []
    for name, own in evidence.scored(FRONT, GIVEN).iterrows():
        record = RECORDS[str(name)]
        turn, front = (pairs[take].get(str(name)) for take in (TURN, FRONT))
        rows.append(
            {
                "": str(name),
                "bias": amount(record, signed=True)(own["bias"]),
                "error": f"**{amount(record)(own['mae'])}**",
                "error, %": percent(own["mae_percent"]),
                "that of the turn": amount(record)(turn),
                "ratio": written("{:.1f}")(front / turn if turn else None),
                "largest": amount(record)(own["largest"]),
                **_coverage_cells(record, own),
            }
        )
    return markdown(pd.DataFrame(rows))


def judge(evidence: Evidence, config: Mapping[str, Any]) -> list[Verdict]:
    """Every target of the configuration against what was measured."""
    turn = evidence.scored(TURN, GIVEN)
    verdicts: list[Verdict] = []
    for group, wanted in config["targets"].items():
        own = turn.loc[[name for name in wanted["measurements"] if name in turn.index]]
        verdicts += _judge_group(group, wanted, own)
    verdicts += _judge_front(evidence, config)
    for take, height in SETTINGS:
        own = evidence.scored(take, height)
        verdicts.append(_judge_measured(own, take, height, config["measured_share"]))
        verdicts.append(_judge_coverage(own, take, height, config))
    verdicts.append(_judge_spans(evidence.spans, config["real_spans"]))
    return verdicts


def _judge_measured(own: pd.DataFrame, take: str, height: str, wanted: float) -> Verdict:
    target = f"{take}, height {height}: at least {100 * wanted:.0f} % of people measured"
    if own.empty:
        return Verdict(target, DASH, None)
    people, filmed = own[["people", "filmed"]].max()
    return Verdict(target, among(people, filmed), bool(people >= wanted * filmed))


def _judge_group(group: str, wanted: Mapping[str, Any], own: pd.DataFrame) -> Iterator[Verdict]:
    kinds = {
        "mean_error_mm": ("mean error at most {} mm", 1000 * own["mae"], "mm"),
        "bias_mm": ("bias within {} mm", 1000 * own["bias"], "mm"),
        "largest_mm": ("nobody worse than {} mm", 1000 * own["largest"], "mm"),
        "mean_error_percent": ("mean error at most {} %", own["mae_percent"], "%"),
    }
    for key, (words, values, unit) in kinds.items():
        if key in wanted:
            said = ", ".join(f"{name} {value:.1f}" for name, value in values.items())
            is_met = bool((values.abs() <= wanted[key]).all()) if len(values) else None
            yield Verdict(f"{group}: {words.format(f'{wanted[key]:g}')}", f"{said} {unit}", is_met)


def _judge_front(evidence: Evidence, config: Mapping[str, Any]) -> Iterator[Verdict]:
    """Fronts against the targets of a turn, and against what a turn reached, which is stricter."""
    times = config["front_ratio"]
    front = evidence.scored(FRONT, GIVEN)
    for group, wanted in config["targets"].items():
        own = front.loc[[name for name in wanted["measurements"] if name in front.index]]
        allowed = {key: round(times * wanted[key], 9) for key in MEAN_ERRORS if key in wanted}
        yield from _judge_group(f"front only, {group}", allowed, own)
    names = [name for target in config["targets"].values() for name in target["measurements"]]
    pairs = evidence.pairs()
    ratios = (pairs[FRONT] / pairs[TURN]).reindex(names).dropna()
    said = ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items())
    is_met = bool((ratios <= times).all()) if len(ratios) else None
    yield Verdict(f"front only: mean errors at most {times} x those of the turn", said, is_met)


def _judge_coverage(
    own: pd.DataFrame, take: str, height: str, config: Mapping[str, Any]
) -> Verdict:
    """Missed where a share cannot be that of sound intervals; undecided where it may be by chance.

    A height that was given is no measurement.
    """
    low, high = config["coverage"]
    target = f"{take}, height {height}: every interval holds {100 * low:.0f} to {100 * high:.0f} %"
    judged = own[own["judged"] > 0].drop(index="height" if height == GIVEN else [], errors="ignore")
    if judged.empty:
        return Verdict(target, DASH, None)
    ranges = {
        str(name): range_of_share(row["held"], row["judged"]) for name, row in judged.iterrows()
    }
    wrong = [name for name, (lo, hi) in ranges.items() if hi < low or lo > high]
    is_in = judged["inside"].between(low, high)
    overall = judged["held"].sum() / judged["judged"].sum()
    said = f"{is_in.sum()} of {len(judged)} measurements, {100 * overall:.1f} % overall"
    if wrong:
        out = (f"{name} ({share(judged['inside'][name])})" for name in wrong)
        said += f"; by more than chance not {', '.join(out)}"
    is_met = False if wrong else (True if is_in.all() else None)
    return Verdict(target, said, is_met, "too few people to tell")


def _judge_spans(spans: pd.DataFrame, wanted: Mapping[str, Any]) -> Verdict:
    name, limit = wanted["measurement"], wanted["within_mm"]
    values = 1000 * spans.loc[spans["measurement"] == name, "measured"].dropna()
    target = f"spans of one recording: {name} within {limit} mm"
    if len(values) < 2:
        return Verdict(target, f"{len(values)} spans measured", None)
    range_mm = values.max() - values.min()
    return Verdict(target, f"{range_mm:.0f} mm over {len(values)} spans", bool(range_mm <= limit))


def cohort_table(evidence: Evidence, config: Mapping[str, Any]) -> str:
    """Who was measured, and who was used to find the width of the intervals."""
    people = {"evaluation": evidence.truth, "calibration": evidence.truth_of_calibration}
    columns: dict[str, list[str]] = {
        "": ["seed", "adults", "women", "stature", "body mass index"],
    }
    for cohort, truth in people.items():
        bmi = truth["mass"] / truth["height"] ** 2
        columns[cohort] = [
            str(config["cohorts"][cohort]["drawn"]["seed"]),
            str(len(truth)),
            str(int(truth["sex"].eq("female").sum())),
            f"{100 * truth['height'].min():.0f} to {100 * truth['height'].max():.0f} cm",
            f"{bmi.min():.1f} to {bmi.max():.1f} kg/m²",
        ]
    return markdown(pd.DataFrame(columns))


def films_table(evidence: Evidence) -> str:
    """How the evaluation cohort was filmed, as it turned out."""
    shots = evidence.films[evidence.films["take"] == TURN]
    size = with_people(evidence.errors, evidence.truth, evidence.films)["size_px"]
    partial = shots["turn_degrees"][shots["turn_degrees"] < 360]
    turns = f"{len(partial)} of {len(shots)}"
    if len(partial):
        turns += f", {partial.min():.0f} to {partial.max():.0f} degrees"
    rows = {
        "angle of the lens, vertical": _range(shots["vertical_fov_degrees"], "degrees"),
        "height of the camera": _range(100 * shots["height_m"], "cm"),
        "distance": _range(shots["distance_m"], "m", 1),
        "height in the picture": _range(size, f"px of {shots['height_px'].max()}"),
        "who turn less than once around": turns,
        "cluttered rooms": f"{shots['clutter'].sum()} of {len(shots)}",
        "with hair that stands off": f"{shots['hair_m'].gt(0).sum()} of {len(shots)}",
    }
    return markdown(pd.DataFrame({"": list(rows), "turns of the cohort": list(rows.values())}))


def _range(values: pd.Series, unit: str, digits: int = 0) -> str:
    return f"{values.min():.{digits}f} to {values.max():.{digits}f} {unit}"


def strata_table(evidence: Evidence, drawn: Sequence[str]) -> str:
    """Errors after a turn with and without something difficult, and in loose clothes."""
    own = evidence.errors[
        (evidence.errors["method"] == TAPELESS) & (evidence.errors["height"] == GIVEN)
    ].merge(evidence.films, on=["adult", "take"])
    is_turn = own["take"] == TURN
    groups = {
        "all": is_turn,
        "once around": is_turn & (own["turn_degrees"] == 360),
        "180 to 300 degrees only": is_turn & (own["turn_degrees"] < 360),
        "hair": is_turn & (own["hair_m"] > 0),
        "no hair": is_turn & (own["hair_m"] == 0),
        "clutter": is_turn & own["clutter"],
        "no clutter": is_turn & ~own["clutter"],
    }
    thicknesses = sorted(set(own["looseness_m"]) - {0.0})
    is_dressed_again = own["adult"].isin(own.loc[own["looseness_m"] > 0, "adult"])
    if thicknesses:
        groups["those who were dressed again"] = is_turn & is_dressed_again
    for thickness in thicknesses:
        name = f"they, in clothes {1000 * thickness:.0f} mm off the skin"
        groups[name] = own["looseness_m"] == thickness
    rows = []
    for name, of in groups.items():
        row = _error_row(name, own[of], drawn)
        row["inside"] = share(own.loc[of & own["measurement"].isin(drawn), "inside"].mean())
        rows.append({**row, "found to be loose": _share_found(evidence, set(own["video"][of]))})
    return markdown(pd.DataFrame(rows))


def _share_found(evidence: Evidence, videos: set[str]) -> str:
    """How many of the videos the checks of clothes found fault with."""
    own = evidence.summary[evidence.summary["video"].isin(videos)]
    flags = own["flags"].fillna("").str.split(";")
    is_found = flags.map(lambda codes: bool({*codes} & CHECKS_OF_CLOTHES))
    return among(int(is_found.sum()), len(own))


def ablation_table(evidence: Evidence, drawn: Sequence[str]) -> str:
    """Errors of the fit with other input, on those whom every variant could measure."""
    variants = paired(evidence.ablation).groupby("variant", sort=False)
    everybody = evidence.ablation.groupby("variant", sort=False)
    rows = []
    for name, of in everybody:
        own = variants.get_group(name) if name in variants.groups else of.iloc[:0]
        rows.append(_error_row(str(name), own, drawn) | {"measured": _measured(of, drawn)})
    return markdown(pd.DataFrame(rows))


def _measured(table: pd.DataFrame, drawn: Sequence[str]) -> str:
    own = table[table["measurement"].isin(drawn)].groupby("measurement")["measured"]
    return among(own.count().max(), own.size().max()) if len(own) else DASH


def _error_row(name: str, table: pd.DataFrame, drawn: Sequence[str]) -> dict[str, str]:
    """How many were measured; mean absolute error, and bias in brackets."""
    row = {"": name, "measured": _measured(table, drawn)}
    for measurement in drawn:
        own = table[table["measurement"] == measurement].dropna(subset="measured")
        error = own["measured"] - own["true"]
        record = RECORDS[measurement]
        row[measurement] = (
            f"{amount(record)(error.abs().mean())} ({amount(record, signed=True)(error.mean())})"
        )
    return row


def repeatability_table(evidence: Evidence, repeated: Sequence[str]) -> str:
    """Scatter within people and between them; and how much of the spread of people is kept."""
    kept = evidence.scored(TURN, GIVEN)["spread"].to_dict()
    rows = []
    table = evidence.repeatability.set_index("measurement")
    for name, own in table.loc[list(repeated)].iterrows():
        size = amount(RECORDS[str(name)])
        rows.append(
            {
                "": str(name),
                "within a person, SD": size(own["within_person_sd"]),
                "largest difference": size(own["largest_difference"]),
                "between people, SD": size(own["between_person_sd"]),
                "intraclass correlation": written("{:.2f}")(own["icc"]),
                "measured SD / true SD": written("{:.2f}")(kept.get(name)),
            }
        )
    return markdown(pd.DataFrame(rows))


def uncertainty_table(repeated: Sequence[str]) -> str:
    """What is wrong with all estimates of a video alike, by what the size rests on."""
    known = load_uncertainty()
    rows = []
    for name in repeated:
        quantity = RECORDS[name].quantity
        sds = {s: relative_sd_of(known, BACKEND, name, quantity, s) for s in SCALES}
        rows.append({"": name, **{f"`{s}`": written("{:.1f} %", 100)(sd) for s, sd in sds.items()}})
    return markdown(pd.DataFrame(rows))


def spans_table(spans: pd.DataFrame, repeated: Sequence[str]) -> str:
    """What different spans of a recording say."""
    if spans.empty:
        return "The recording was not there when this page was written."
    wide = spans.pivot_table(index="measurement", columns="video", values="measured")
    rows = []
    for name in [name for name in repeated if name in wide.index]:
        record = RECORDS[name]
        in_words = written(f"{{:.1f}} {record.unit.report}", record.unit.factor)
        values = {str(video): float(wide[video][name]) for video in wide}
        range_ = max(values.values()) - min(values.values())
        cells = {video: in_words(value) for video, value in values.items()}
        rows.append({"": name, **cells, "range": amount(record)(range_)})
    return markdown(pd.DataFrame(rows))


def flags_table(evidence: Evidence) -> str:
    """Which checks found fault with the videos, and which videos were rejected."""
    takes = evidence.films.set_index("video")["take"]
    said = []
    for height, summary in ((GIVEN, evidence.summary), (NOT_GIVEN, evidence.summary_unknown)):
        table = summary[summary["video"].isin(takes.index)].fillna({"flags": "", "code": ""})
        table = table.assign(take=table["video"].map(takes), height=height)
        said.append(table[["take", "height", "status", "code", "flags"]])
    rows = []
    for setting, table in pd.concat(said).groupby(["take", "height"], sort=False):
        flags = table["flags"].str.split(";").explode()
        counts = flags[flags != ""].value_counts()
        codes = table.loc[table["status"] == "rejected", "code"].value_counts()
        rows.append(
            {
                "": ", height ".join(map(str, setting)),
                "videos": str(len(table)),
                "measured": str(int(table["status"].eq("measured").sum())),
                "rejected": ", ".join(f"{code} {n}" for code, n in codes.items()) or DASH,
                "flagged": ", ".join(f"{code} {n}" for code, n in counts.items()) or DASH,
            }
        )
    return markdown(pd.DataFrame(rows))


def people_calibrated_on() -> int | None:
    """How many the intervals of the library were calibrated on; None if they were not yet."""
    rows = pd.read_csv(UNCERTAINTY_FILE, comment="#")
    bases = rows.loc[rows["shape_backend"] == BACKEND, "basis"]
    numbers = bases.str.extract(CALIBRATED_PATTERN)[0].dropna().astype(int)
    return int(numbers.min()) if len(numbers) else None


def people_to_tell(config: Mapping[str, Any]) -> int:
    """How many people it takes for a share of 95 % to be known to half of the target's range.

    By the normal approximation of the binomial distribution.
    """
    low, high = config["coverage"]
    spread = student(math.inf) / ((high - low) / 2)
    return math.ceil(spread**2 * CONFIDENCE * (1 - CONFIDENCE))


def chance(people: int, calibrated_on: int | None, config: Mapping[str, Any]) -> str:
    """How often sound intervals hold a share of so few people that the target allows.

    The share of all people whom an interval holds that was calibrated on n of them has a beta
    distribution, as in conformal prediction, and the number held a beta-binomial one.
    """
    if calibrated_on is None:
        return "an unknown share"
    low, high = config["coverage"]
    counts = [n for n in range(people + 1) if low <= n / people <= high]
    ranks = calibrated_on + 1
    of_all = betabinom(people, CONFIDENCE * ranks, (1 - CONFIDENCE) * ranks)
    return share(sum(of_all.pmf(n) for n in counts))


def readme_table(evidence: Evidence, repeated: Sequence[str]) -> str:
    """The README's: mean errors of turns with the height and without, and of an average body."""
    columns = {
        "height given": evidence.scored(TURN, GIVEN),
        "height not given": evidence.scored(TURN, NOT_GIVEN),
        "average body scaled to the height": evidence.scored("", GIVEN, AVERAGE),
    }
    rows = []
    for name in repeated:
        row = {"": name}
        for column, scores in columns.items():
            own = scores.loc[name] if name in scores.index else pd.Series(dtype=float)
            is_given = name == "height" and column != "height not given"
            size = amount(RECORDS[name])(own.get("mae"))
            row[column] = DASH if is_given else f"{percent(own.get('mae_percent'))} ({size})"
        rows.append(row)
    people = len(evidence.truth)
    return (
        f"Mean errors of {people} rendered adults on whom nothing was tuned, each turning once "
        f"(`make bench-accuracy`):\n\n{markdown(pd.DataFrame(rows))}"
    )


def fields_of(evidence: Evidence, config: Mapping[str, Any]) -> dict[str, str]:
    """What the page says."""
    drawn, repeated = config["drawn"], config["repeated"]
    people = len(evidence.truth)
    verdicts = judge(evidence, config)
    calibrated_on = people_calibrated_on()
    scores = evidence.scored(TURN, GIVEN).loc[drawn]
    return {
        "version": __version__,
        "adults": str(people),
        "stature": "{:.0f} to {:.0f} cm".format(*(100 * m for m in STATURE_RANGE_M)),
        "bmi": "{:.0f} to {:.0f}".format(*BMI_RANGE),
        "average_of": str(config["average_of"]),
        "height_sd": f"{100 * given_height_sd():.1f} %",
        "summary": ", ".join(
            f"{name} {amount(RECORDS[str(name)])(own['mae'])}" for name, own in scores.iterrows()
        ),
        "met": str(sum(v.is_met is True for v in verdicts)),
        "judged": str(sum(v.is_met is not None for v in verdicts)),
        "targets": markdown(pd.DataFrame(v.row() for v in verdicts)),
        "calibrated_on": f"{calibrated_on} people" if calibrated_on else "nobody yet",
        "chance": chance(people, calibrated_on, config),
        "people_to_tell": str(people_to_tell(config)),
        "cohorts": cohort_table(evidence, config),
        "films": films_table(evidence),
        "checks": flags_table(evidence),
        "uncertainty": uncertainty_table(repeated),
        "turn": accuracy_table(evidence, TURN, GIVEN),
        "unknown": accuracy_table(evidence, TURN, NOT_GIVEN),
        "front": front_table(evidence),
        "front_unknown": accuracy_table(evidence, FRONT, NOT_GIVEN),
        "strata": strata_table(evidence, drawn),
        "as_in_a_run": AS_IN_A_RUN,
        "ablated": str(evidence.ablation["video"].nunique()),
        "ablation": ablation_table(evidence, repeated),
        "repeated_people": str(evidence.repeatability["people"].max()),
        "repeated_videos": str(evidence.repeatability["videos"].max()),
        "repeatability": repeatability_table(evidence, repeated),
        "spans": spans_table(evidence.spans, repeated),
        "spans_height": str(config["real"]["height_cm"]),
        "recording": config["real"]["source"],
    }


def main(
    inputs: Mapping[str, Path],
    ablations: Sequence[Path],
    template: Path,
    page: Path,
    readme: Path | None,
    config: Mapping[str, Any],
) -> None:
    """Writes `page`, and the table of the `readme`; a try leaves that as it is."""
    tables = {name: pd.read_csv(path) for name, path in inputs.items()}
    evidence = Evidence(**tables, ablation=pd.concat(map(pd.read_csv, ablations)))
    fill(template, page, fields_of(evidence, config))
    if readme:
        replace_between(readme, README_MARKER, readme_table(evidence, config["repeated"]))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        names = [name for name in Evidence.__dataclass_fields__ if name != "ablation"]
        main(
            {name: Path(snakemake.input[name]) for name in names},
            [Path(path) for path in snakemake.input.ablation],
            Path(snakemake.input.template),
            Path(snakemake.output.page),
            Path(snakemake.params.readme) if snakemake.params.readme else None,
            snakemake.params.config,
        )
