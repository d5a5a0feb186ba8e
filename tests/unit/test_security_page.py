"""The page on security names tests that there are, for each threat, and that speak of it.

Whether they test enough, only reading them tells.
"""

from __future__ import annotations

import ast
import re

import pytest

from projects import ROOT

PAGE = (ROOT / "docs/security.md").read_text(encoding="utf-8")
TEST = re.compile(r"`((?:unit|workflow|containers)/\w+\.py)(?:::(\w+))?`")
UNTESTED = ("The queue of a cluster tells who is measured", "Pictures leave the machine")

# How each threat begins, and the tests that would fail: part of the name of one in each file that
# the page names for it.
PROOFS = {
    "It is a playlist or a script": "script_in_disguise",
    "It takes ffmpeg over": "reaches_nobody_on_the_network",
    "It writes or deletes files": "changes_no_file_system",
    "It takes all memory": "more_memory_than_it_may|too_large_for_the_memory",
    "It computes for ever": "cannot_compute_for_ever",
    "It crashes ffmpeg": "crashes_its_decoder_is_rejected",
    "A file's name is a command": "reaches_its_verdict_and_runs_nothing|whatever_a_file",
    "A name leads out of the results": "ids_are_safe",
    "The name of a video on S3": "leads_nowhere_but_to_its_file|reaches_no_file_outside",
    "A cell is taken for a formula": "no_cell_is_taken_for_a_formula",
    "A name is HTML": "names_from_outside_are_text",
    "A text is codes for a terminal": "no_code_for_a_terminal|become_lines",
    "A file runs code": "nothing_in_a_file_is_executed|pickled_in_a_result_is_never_touched",
    "A small file unpacks": "would_fill_the_memory|made_to_exhaust_the_reader",
    "Its arrays are not": "types_are_looked_at|any_fields_are_a_body_or_refused",
    "A program gets out": "is_not_privileged|no_rights_that_it_does_not_need",
    "It calls home": "shares_neither_network|has_no_network",
    "It changes what it should only read": "writes_to_its_output_and|write_to_its_output_and",
    "It takes the machine": "threads_and_dumps_are_limited|takes_too_much_memory",
    "It stays": "killed_in_the_middle_of_a_container",
    "A token of": "in_no_file_but_the_users_own",
    "A secret on the command line": "nor_are_they_in_the_command_line",
    "A hostile video reads it": "is_told_no_secret",
    "A kept picture shows a face": "with_all_heads_hidden|no_picture_of_the_raw_video_is_left",
    "A frame stays on the disk": "frames_are_forgotten|pictures_are_gone_when_a_video_is_done",
    "OpenPose or SHAPY keep pictures": "are_kept_only_with_the_frames",
    "A crash dumps pictures": "leaves_no_dump|threads_and_dumps_are_limited",
    "A container that works for several": "each_gets_what_it_would_alone",
    "Something of a person is left": "nothing_tells_of_a_subject|no_rule_puts_any|no_file_has",
    "Something of somebody else": "takes_nothing_of_the_others",
    "It stops halfway": "wherever_it_was_interrupted",
    "A link hides files": "what_lies_behind_one_is_removed",
    "It runs into a run at work": "second_run_in_the_same_folder_is_refused",
    "A package is swapped": "locked_to_one_version_and_its_checksums",
    "A package has a known": "could_not_look_something_up_is_no_success",
    "Nobody knows what is in it": "bill_of_materials",
    "An image is replaced": "another_image",
}


def read_threats() -> dict[str, list[tuple[str, str]]]:
    """The tests (file, and its class or function, if that is named) by threat."""
    rows = [line.strip("|").split("|") for line in PAGE.splitlines() if line.startswith("| ")]
    threats: dict[str, list[tuple[str, str]]] = {}
    named: list[tuple[str, str]] = []
    for threat, stopped_by, proof in ([cell.strip() for cell in row] for row in rows):
        if threat == "threat":
            continue
        assert stopped_by, threat
        named = named if proof == "the same" else TEST.findall(proof)
        threats[threat] = named
    return threats


def read_names(path: str, name: str) -> list[str]:
    """The names of the tests in a file, or in what is named of it."""
    module = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    parts = [part for part in module.body if not name or getattr(part, "name", "") == name]
    found = [below for part in parts for below in ast.walk(part)]
    return [
        part.name
        for part in found
        if isinstance(part, ast.FunctionDef) and part.name.startswith("test_")
    ]


def test_every_test_that_the_page_names_exists():
    for path, name in TEST.findall(PAGE):
        assert read_names(path, name), (path, name)


def test_every_threat_has_tests_and_every_proof_a_threat():
    threats = [threat for threat in read_threats() if threat not in UNTESTED]
    assert len(threats) > 25
    of_threats = {threat: [p for p in PROOFS if threat.startswith(p)] for threat in threats}
    assert [threat for threat, proofs in of_threats.items() if len(proofs) != 1] == []
    assert {proof for proofs in of_threats.values() for proof in proofs} == set(PROOFS)


@pytest.mark.parametrize("beginning", PROOFS)
def test_each_file_that_is_named_has_a_test_that_speaks_of_the_threat(beginning: str):
    (tests,) = (tests for threat, tests in read_threats().items() if threat.startswith(beginning))
    assert tests
    for path, name in tests:
        assert re.search(PROOFS[beginning], " ".join(read_names(path, name))), (path, name)
