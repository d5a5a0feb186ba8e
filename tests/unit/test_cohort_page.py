"""The page on a whole run: complete, safe, the same again, and plain about a collapse."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

import draw_cohort
from tapeless.cohort import (
    REPEATABILITY_COLUMNS,
    group_by_subject,
    repeatability_rows,
    subject_columns,
    subject_row,
)
from tapeless.measurements import load_table
from tapeless.reports import VERDICT_COLUMNS, PersonResult, Statistic, summary_columns, summary_row
from tapeless.writing import write_rows, write_table

HOSTILE = "<script>alert(1)</script>\"&'{{ 7 * 7 }}"
USUAL = {"height": 170.0, "chest": 98.0, "waist": 90.0, "hips": 106.0, "mass": 72.0}
OF_ADULTS = {"height": 7.0, "chest": 8.0, "waist": 13.0, "hips": 8.5, "mass": 13.0}


def result(
    video: str,
    subject: str = "",
    *,
    person: int = 1,
    scale: str = "estimated",
    sex: str | None = "female",
    **values: float,
) -> PersonResult:
    verdict = dict.fromkeys(VERDICT_COLUMNS) | {
        "video": video,
        "subject": subject,
        "person": person,
        "status": "measured",
        "scale": scale,
        "flags": "",
    }
    statistics = {
        name: Statistic(3, *[value] * 7, value * 0.95, value * 1.05, 0.02, "")
        for name, value in values.items()
    }
    return PersonResult(video, subject, person, verdict, statistics, sex=sex)


def rejected(
    video: str, code: str = "no_person", subject: str = "", **cells: object
) -> PersonResult:
    found = result(video, subject)
    verdict = {**found.verdict, "status": "rejected", "code": code, "reason": "why", **cells}
    return PersonResult(video, subject, 1, verdict, {})


def cohort(people: int, spread: float, videos: int = 2) -> list[PersonResult]:
    """People who differ by `spread` times what adults do, with a little noise between videos."""
    generator = np.random.default_rng(1)
    results = []
    for number in range(people):
        body = {n: v + spread * generator.normal(0, OF_ADULTS[n]) for n, v in USUAL.items()}
        for take in range(videos):
            values = {n: v + generator.normal(0, 0.7) for n, v in body.items()}
            results.append(result(f"v{number}_{take}", f"s{number:02d}", **values))
    return results


def page(folder: Path, results: list[PersonResult]) -> str:
    records = load_table().measurements
    tables = {name: folder / f"{name}.csv" for name in ("summary", "subjects", "repeatability")}
    rows = (summary_row(found, records) for found in results)
    write_rows(tables["summary"], summary_columns(records), rows)
    groups = group_by_subject(results).items()
    subjects = (subject_row(subject, videos, records) for subject, videos in groups)
    write_table(tables["subjects"], subject_columns(records), subjects)
    repeated = repeatability_rows(records, results)
    write_table(tables["repeatability"], REPEATABILITY_COLUMNS, repeated)
    draw_cohort.main(*tables.values(), folder / "cohort.html")
    return (folder / "cohort.html").read_text(encoding="utf-8")


class Tags(HTMLParser):
    """The elements of a page, and the text in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.sources: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.sources += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        self.text += " " + " ".join(data.split())


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", Tags(html).text)


def test_it_says_how_many_were_measured_and_why_others_were_not(tmp_path: Path) -> None:
    results = [*cohort(3, 1), rejected("dark"), rejected("cut", "partial_body"), rejected("wall")]

    text = text_of(page(tmp_path, results))

    assert re.search("9 videos ?: 6 measured, 3 rejected", text)
    assert re.search(r"no_person .*Nobody was found.* 2 dark; wall .*partial_body .* 1 cut", text)


def test_people_who_differ_as_adults_do_are_no_reason_for_a_warning(tmp_path: Path) -> None:
    html = page(tmp_path, cohort(30, spread=1))

    assert "Do not compare" not in text_of(html)
    assert text_of(html).count(" yes") >= 4


def test_a_collapse_to_the_mean_body_is_said_in_a_plain_sentence(tmp_path: Path) -> None:
    text = text_of(page(tmp_path, cohort(30, spread=0.1)))

    assert "Do not compare people by height, chest, waist, hips, mass." in text
    assert "they say little more than the mean body would" in text
    assert re.search(
        r"waist: standard deviation 1\.\d+ cm, of the body model's adults 1\d\.\d+; \d+ %, at most",
        text,
    )


def test_videos_of_a_subject_that_disagree_are_named(tmp_path: Path) -> None:
    two = [result("a", "Ann", waist=70.0), result("b", "Ann", waist=95.0)]

    text = text_of(page(tmp_path, two))

    assert re.search(r"waist=videos_disagree The videos of this subject differ .* 1 Ann", text)


def test_what_checks_found_is_counted_with_its_meaning(tmp_path: Path) -> None:
    seen = [rejected("a", flags="no_turn;camera_moves"), rejected("b", flags="no_turn=cannot_tell")]

    text = text_of(page(tmp_path, [*seen, rejected("c", flags="camera_moves")]))

    assert "camera_moves The camera does not stand still. 2 a; c" in text
    assert "no_turn=cannot_tell It cannot be told: The person is not seen from the side" in text


def test_what_checks_found_is_counted_by_video_and_not_by_subject_again(tmp_path: Path) -> None:
    text = text_of(page(tmp_path, [rejected("a", subject="Ann", flags="camera_moves")]))

    assert "camera_moves The camera does not stand still. 1 a" in text


def test_it_says_what_people_are_compared_without(tmp_path: Path) -> None:
    def said(**about: str | None) -> str:
        people = [result(name, name, waist=70.0, height=170.0, **about) for name in "abc"]
        return text_of(page(tmp_path, people))

    assert "Women are compared with women" in said()
    assert "Heights were given: what they explain is taken out" in said(scale="known_height")
    assert "Not everybody's sex stands in the sheet, so that no measurement can pass" in said(
        sex=None
    )


def test_without_a_second_video_it_says_what_to_do(tmp_path: Path) -> None:
    assert "Nobody has a second video here" in text_of(page(tmp_path, cohort(4, 1, videos=1)))


def test_people_of_one_video_are_counted_apart(tmp_path: Path) -> None:
    pair = [result("a", "Ann", waist=70.0), result("a", person=2, waist=95.0)]

    text = text_of(page(tmp_path, pair))

    assert "1 video, in which 2 people were to be measured: 2 measured, 0 rejected" in text
    assert "They show 1 person who has a name in the sheet. The numbers" in text


def test_nobody_measured_is_a_page_too(tmp_path: Path) -> None:
    html = page(tmp_path, [rejected("dark")])

    assert "0 measured, 1 rejected" in text_of(html)
    assert "img" not in Tags(html).names


def test_it_needs_no_other_file_and_runs_nothing(tmp_path: Path) -> None:
    tags = Tags(page(tmp_path, cohort(5, 1)))

    assert tags.names.isdisjoint({"script", "link", "iframe", "object", "form"})
    assert len(tags.sources) == 2
    for source in tags.sources:
        kind, _, content = source.partition(",")
        assert kind == "data:image/svg+xml;base64"
        drawing = base64.b64decode(content).decode()
        assert drawing.lstrip().startswith("<?xml")
        assert "<image" not in drawing  # no picture in a picture


def test_names_from_outside_are_text_and_nothing_else(tmp_path: Path) -> None:
    hostile = [
        result("a", HOSTILE, waist=70.0),
        result("b", HOSTILE, waist=95.0),
        rejected(HOSTILE, HOSTILE),
        rejected("c", flags=f"{HOSTILE}"),
    ]

    html = page(tmp_path, hostile)

    assert "<script" not in html
    assert "{{ 7 * 7 }}" in html
    assert text_of(html).count("<script>alert(1)</script>") >= 3


def test_the_same_tables_give_the_same_page(tmp_path: Path) -> None:
    results = [*cohort(5, 1), rejected("dark")]

    assert page(tmp_path, results) == page(tmp_path, results)
