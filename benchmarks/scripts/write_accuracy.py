"""Fills docs/accuracy.md with what the runs of the benchmark measured, and with nothing else."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from calibrate_intervals import FRONT, TURN
from draw_accuracy import with_people
from page import DASH, amount, fill, markdown, percent, share, written
from scipy.stats import betabinom
from score_accuracy import AVERAGE, AVERAGE_OF_SEX, GIVEN, NOT_GIVEN, TAPELESS, given_height_sd
from use_intervals import BACKEND
from variants import AS_IN_A_RUN

from tapeless import __version__
from tapeless.bodies import SCALES
from tapeless.intervals import CONFIDENCE, load_uncertainty, relative_sd_of
from tapeless.logs import job_log
from tapeless.measurements import Measurement, load_table
from tapeless.population import BMI_RANGE, STATURE_RANGE_M

if TYPE_CHECKING:
    from snakemake.iocontainers import snakemake

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


def accuracy_table(evidence: Evidence, take: str, height: str) -> str:
    """Errors, coverage and width, a row per measurement, beside what averages get wrong."""
    averages = {m: evidence.scored("", height, m) for m in (AVERAGE, AVERAGE_OF_SEX)}
    rows = []
    for name, own in evidence.scored(take, height).iterrows():
        record = RECORDS[str(name)]
        size = amount(record)
        rows.append(
            {
                "": str(name),
                "bias": amount(record, signed=True)(own["bias"]),
                "error": f"**{size(own['mae'])}**",
                "error, %": percent(own["mae_percent"]),
                "95th percentile": size(own["p95"]),
                "largest": size(own["largest"]),
                "covered": share(own["covered"]),
                "inside": share(own["inside"]),
                "width": size(own["width"]),
                "width, %": percent(own["width_percent"]),
                **{who: percent(of["mae_percent"][str(name)]) for who, of in averages.items()},
            }
        )
    return markdown(pd.DataFrame(rows))


def front_table(evidence: Evidence) -> str:
    """Errors of the front only beside those of a turn of the same people, and their ratio."""
    turn, front = evidence.scored(TURN, GIVEN), evidence.scored(FRONT, GIVEN)
    rows = []
    for name, own in front.iterrows():
        record = RECORDS[str(name)]
        rows.append(
            {
                "": str(name),
                "bias": amount(record, signed=True)(own["bias"]),
                "error": f"**{amount(record)(own['mae'])}**",
                "error, %": percent(own["mae_percent"]),
                "that of the turn": amount(record)(turn["mae"][str(name)]),
                "ratio": written("{:.1f}")(own["mae"] / turn["mae"][str(name)]),
                "largest": amount(record)(own["largest"]),
                "covered": share(own["covered"]),
                "width": amount(record)(own["width"]),
            }
        )
    return markdown(pd.DataFrame(rows))


@dataclass(frozen=True)
class Verdict:
    """A target, what was reached, and whether that is enough; None where nothing was measured."""

    target: str
    reached: str
    is_met: bool | None

    def row(self) -> dict[str, str]:
        """The verdict in words."""
        words = {True: "met", False: "**missed**", None: "not measured"}
        return {"target": self.target, "reached": self.reached, "": words[self.is_met]}


def judge(evidence: Evidence, config: Mapping[str, Any]) -> list[Verdict]:
    """Every target of the configuration against what was measured."""
    turn = evidence.scored(TURN, GIVEN)
    verdicts: list[Verdict] = []
    for group, wanted in config["targets"].items():
        own = turn.loc[[name for name in wanted["measurements"] if name in turn.index]]
        verdicts += _judge_group(group, wanted, own)
    verdicts.append(_judge_front(evidence, config))
    for take, height in ((TURN, GIVEN), (TURN, NOT_GIVEN), (FRONT, GIVEN)):
        verdicts.append(_judge_coverage(evidence.scored(take, height), take, height, config))
    verdicts.append(_judge_spans(evidence.spans, config["real_spans"]))
    return verdicts


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
            yield Verdict(f"{group}: {words.format(wanted[key])}", f"{said} {unit}", is_met)


def _judge_front(evidence: Evidence, config: Mapping[str, Any]) -> Verdict:
    names = [name for target in config["targets"].values() for name in target["measurements"]]
    front, turn = evidence.scored(FRONT, GIVEN), evidence.scored(TURN, GIVEN)
    ratios = (front["mae"] / turn["mae"]).reindex(names).dropna()
    said = ", ".join(f"{name} {ratio:.1f}" for name, ratio in ratios.items())
    is_met = bool((ratios <= config["front_ratio"]).all()) if len(ratios) else None
    return Verdict(f"front only: errors at most {config['front_ratio']} x the turn's", said, is_met)


def _judge_coverage(
    own: pd.DataFrame, take: str, height: str, config: Mapping[str, Any]
) -> Verdict:
    low, high = config["coverage"]
    target = f"{take}, height {height}: every interval covers {100 * low:.0f} to {100 * high:.0f} %"
    covered = own["covered"].dropna()
    if covered.empty:
        return Verdict(target, DASH, None)
    out = covered[~covered.between(low, high)]
    said = f"{len(covered) - len(out)} of {len(covered)}, {100 * covered.mean():.1f} % overall"
    if len(out):
        said += "; not " + ", ".join(f"{name} ({100 * c:.0f} %)" for name, c in out.items())
    return Verdict(target, said, out.empty)


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
            str(config["cohorts"][cohort]["seed"]),
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
    return markdown(pd.DataFrame(_error_row(name, own[of], drawn) for name, of in groups.items()))


def ablation_table(evidence: Evidence, drawn: Sequence[str]) -> str:
    """Errors of the fit with other input, on the first people of the cohort."""
    variants = evidence.ablation.groupby("variant", sort=False)
    return markdown(pd.DataFrame(_error_row(str(name), of, drawn) for name, of in variants))


def _error_row(name: str, table: pd.DataFrame, drawn: Sequence[str]) -> dict[str, str]:
    """Mean absolute error, and bias in brackets."""
    row = {"": name, "people": DASH}
    for measurement in drawn:
        own = table[table["measurement"] == measurement].dropna(subset="measured")
        error = own["measured"] - own["true"]
        row["people"] = str(len(own))
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


def chance(people: int, calibrated_on: int, config: Mapping[str, Any]) -> str:
    """How often sound intervals cover a share of so few people that the target allows.

    The share of all people whom an interval covers that was calibrated on n of them has a beta
    distribution, as in conformal prediction, and the number covered a beta-binomial one.
    """
    low, high = config["coverage"]
    counts = [n for n in range(people + 1) if low <= n / people <= high]
    ranks = calibrated_on + 1
    of_all = betabinom(people, CONFIDENCE * ranks, (1 - CONFIDENCE) * ranks)
    return share(sum(of_all.pmf(n) for n in counts))


def fields_of(evidence: Evidence, config: Mapping[str, Any]) -> dict[str, str]:
    """What the page says."""
    drawn, repeated = config["drawn"], config["repeated"]
    people = len(evidence.truth)
    verdicts = judge(evidence, config)
    waist = evidence.scored(TURN, GIVEN).loc[drawn]
    return {
        "version": __version__,
        "adults": str(people),
        "stature": "{:.0f} to {:.0f} cm".format(*(100 * m for m in STATURE_RANGE_M)),
        "bmi": "{:.0f} to {:.0f}".format(*BMI_RANGE),
        "average_of": str(config["average_of"]),
        "height_sd": f"{100 * given_height_sd():.1f} %",
        "summary": ", ".join(
            f"{name} {amount(RECORDS[str(name)])(own['mae'])}" for name, own in waist.iterrows()
        ),
        "met": str(sum(v.is_met is True for v in verdicts)),
        "judged": str(sum(v.is_met is not None for v in verdicts)),
        "targets": markdown(pd.DataFrame(v.row() for v in verdicts)),
        "calibrated_on": str(len(evidence.truth_of_calibration)),
        "chance": chance(people, len(evidence.truth_of_calibration), config),
        "cohorts": cohort_table(evidence, config),
        "films": films_table(evidence),
        "checks": flags_table(evidence),
        "uncertainty": uncertainty_table(repeated),
        "turn": accuracy_table(evidence, TURN, GIVEN),
        "unknown": accuracy_table(evidence, TURN, NOT_GIVEN),
        "front": front_table(evidence),
        "strata": strata_table(evidence, drawn),
        "as_in_a_run": AS_IN_A_RUN,
        "ablated": str(evidence.ablation["video"].nunique()),
        "ablation": ablation_table(evidence, repeated),
        "repeated_people": str(evidence.repeatability["people"].max()),
        "repeated_videos": str(evidence.repeatability["videos"].max()),
        "repeatability": repeatability_table(evidence, repeated),
        "spans": spans_table(evidence.spans, repeated),
        "spans_height": str(config["real"]["height_cm"]),
    }


def main(
    inputs: Mapping[str, Path],
    ablations: Sequence[Path],
    template: Path,
    page: Path,
    config: Mapping[str, Any],
) -> None:
    """Writes `page`."""
    tables = {name: pd.read_csv(path) for name, path in inputs.items()}
    evidence = Evidence(**tables, ablation=pd.concat(map(pd.read_csv, ablations)))
    fill(template, page, fields_of(evidence, config))


if __name__ == "__main__":
    with job_log(snakemake.log[0]):
        names = [name for name in Evidence.__dataclass_fields__ if name != "ablation"]
        main(
            {name: Path(snakemake.input[name]) for name in names},
            [Path(path) for path in snakemake.input.ablation],
            Path(snakemake.input.template),
            Path(snakemake.output.page),
            snakemake.params.config,
        )
