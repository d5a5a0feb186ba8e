"""The list of videos: ids of files in a folder, rows of a sheet, and what is wrong with them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from projects import PLUGINS
from tapeless.videosheet import USUAL_SHEET, Video, find_videos, make_ids, read_sheet, read_videos

ROOT = Path(__file__).parents[2]
SCHEMA = yaml.safe_load((ROOT / "schemas/videos.schema.yaml").read_text(encoding="utf-8"))
ID = re.compile(SCHEMA["properties"]["video"]["pattern"])
NO_SPAN = {"start_s": None, "end_s": None}

HOSTILE_NAMES = [
    "my walk.mp4",
    "q'uo\"tes.mp4",
    "$(touch pwned).mp4",
    "`touch pwned`.mp4",
    "new\nline.mp4",
    "{video}.mp4",
    "{.mp4",
    "<results>.mp4",
    "ümläut.mp4",
    "ｗｉｄｅ.mp4",
    "😀.mp4",
    "-rf.mp4",
    "--help",
    " lead and trail ",
    "back\\slash.mp4",
    "a;b&c|d.mp4",
    "*.mp4",
    "%s.mp4",
    "x" * 200 + ".mp4",
]


TOO_LONG = "x" * 300


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"no video")
    return folder


def ids_in(folder: Path) -> dict[str, str]:
    """Ids by path relative to the folder."""
    videos, faults = find_videos(str(folder))
    assert faults == []
    assert all(video == videos[video].video for video in videos)
    return {os.path.relpath(video.path, folder): name for name, video in videos.items()}


class TestFolder:
    def test_a_plain_name_is_its_own_id(self, tmp_path: Path):
        names = {"walk.mp4", "walk.mov", "IMG_0042.MOV", "2026-11-21.webm", "no_extension"}
        assert ids_in(fill(tmp_path, *names)) == {name: name for name in names}

    def test_files_in_folders_below_are_found(self, tmp_path: Path):
        ids = ids_in(fill(tmp_path, "a/walk.mp4", "b/deep/walk.mp4"))
        assert set(ids) == {"a/walk.mp4", "b/deep/walk.mp4"}
        assert ids["a/walk.mp4"].startswith("a_walk.mp4-")

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    def test_any_name_gets_an_id_that_is_safe_everywhere(self, tmp_path: Path, name: str):
        ((path, video),) = ids_in(fill(tmp_path, name)).items()
        assert path == name
        assert ID.fullmatch(video)

    def test_a_name_that_is_not_text_gets_an_id(self, tmp_path: Path):
        fill(tmp_path, os.fsdecode(b"caf\xe9.mp4"))
        (video,) = find_videos(str(tmp_path))[0].values()
        assert ID.fullmatch(video.video)
        assert Path(video.path).is_file()

    def test_names_that_look_alike_once_made_safe_have_ids_of_their_own(self, tmp_path: Path):
        ids = ids_in(fill(tmp_path, "a b.mp4", "a  b.mp4", "a+b.mp4", "a/b.mp4", "a_b.mp4"))
        assert len(set(ids.values())) == 5

    def test_ids_differ_where_case_does_not_count(self, tmp_path: Path):
        ids = ids_in(fill(tmp_path, "Walk.mp4", "walk.mp4"))
        assert len({video.casefold() for video in ids.values()}) == 2

    def test_an_id_stays_when_other_files_come_and_go(self, tmp_path: Path):
        before = ids_in(fill(tmp_path, "a b.mp4", "walk.mp4"))
        after = ids_in(fill(tmp_path, "a  b.mp4", "walk.mov", "sub/walk.mp4", "zz.mp4"))
        assert before.items() <= after.items()

    def test_hidden_files_and_folders_are_no_videos(self, tmp_path: Path):
        fill(tmp_path, ".DS_Store", ".gitkeep", ".cache/walk.mp4", "walk.mp4")
        assert set(ids_in(tmp_path)) == {"walk.mp4"}

    def test_links_are_followed_but_not_in_circles(self, tmp_path: Path):
        fill(tmp_path / "elsewhere", "walk.mp4")
        (tmp_path / "videos").mkdir()
        (tmp_path / "videos/linked").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere/back").symlink_to(tmp_path / "videos")
        assert set(ids_in(tmp_path / "videos")) == {"linked/walk.mp4"}

    def test_a_missing_or_empty_folder_holds_no_videos(self, tmp_path: Path):
        assert find_videos(str(tmp_path / "none")) == ({}, [])
        assert find_videos(str(tmp_path)) == ({}, [])

    def test_a_folder_that_cannot_be_looked_into_is_a_fault(self, tmp_path: Path):
        file = fill(tmp_path, "file") / "file"
        _, (fault,) = find_videos(str(file))
        assert fault == f"cannot look into {str(file)!r}: Not a directory"

    def test_what_cannot_be_looked_at_is_a_fault_beside_the_others(self, tmp_path: Path):
        fill(tmp_path, "walk.mp4")
        for name in ("one.mp4", "two.mp4"):
            (tmp_path / name).symlink_to(TOO_LONG)
        videos, faults = find_videos(str(tmp_path))
        assert list(videos) == ["walk.mp4"]
        assert faults == [
            f"cannot look at {str(tmp_path / name)!r}: File name too long"
            for name in ("one.mp4", "two.mp4")
        ]

    def test_a_folder_that_cannot_be_is_a_fault(self):
        _, (fault,) = find_videos(TOO_LONG)
        assert fault == f"cannot look at {TOO_LONG!r}: File name too long"

    def test_what_the_workflow_made_is_no_video(self, tmp_path: Path):
        fill(tmp_path, "walk.mp4", "sub/walk.mp4", "out/summary.csv", "out/videos/x/pictures/1.jpg")
        (tmp_path / "link").symlink_to("out")
        videos, faults = find_videos(str(tmp_path), made=[str(tmp_path / "sub/../out")])
        assert faults == []
        assert {Path(video.path) for video in videos.values()} == {
            tmp_path / "walk.mp4",
            tmp_path / "sub/walk.mp4",
        }

    def test_videos_may_lie_in_a_folder_that_the_workflow_makes(self, tmp_path: Path):
        fill(tmp_path, "clips/walk.mp4")
        videos, faults = find_videos(str(tmp_path / "clips"), made=[str(tmp_path)])
        assert (list(videos), faults) == (["walk.mp4"], [])

    def test_videos_and_results_in_the_very_same_folder_are_a_fault(self, tmp_path: Path):
        fill(tmp_path, "walk.mp4")
        (tmp_path / "link").symlink_to(tmp_path)
        videos, (fault,) = find_videos(str(tmp_path / "link"), made=[str(tmp_path)])
        assert videos == {}
        assert fault.startswith("results would go to the folder of videos")

    @given(st.sets(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1)))
    def test_ids_are_safe_and_unique_whatever_the_names(self, names: set[str]):
        ids = make_ids(sorted(names)).values()
        assert len({video.casefold() for video in ids}) == len(names)
        assert all(ID.fullmatch(video) for video in ids)


class TestVideo:
    def test_what_identifies_the_content_changes_with_the_file(self, tmp_path: Path):
        path = fill(tmp_path, "walk.mp4") / "walk.mp4"
        video = Video("walk.mp4", str(path))
        before = video.identify_content()
        path.write_bytes(b"another")
        assert video.identify_content() != before
        path.unlink()
        assert video.identify_content() == "absent"

    def test_an_older_file_in_its_place_is_another_content(self, tmp_path: Path):
        path = fill(tmp_path, "walk.mp4") / "walk.mp4"
        before = Video("walk.mp4", str(path)).identify_content()
        os.utime(path, (1, 1))
        assert Video("walk.mp4", str(path)).identify_content() != before

    def test_nothing_identifies_a_file_on_s3_which_snakemake_looks_at(self):
        assert Video("walk.mp4", "s3://lab/walk.mp4").identify_content() is None

    @pytest.mark.parametrize(
        "name", ["walk.mp4", "my walk.mp4", "ümläut.mp4", "$(x) 'y' \"z\".mp4"]
    )
    def test_snakemake_can_take_most_names(self, tmp_path: Path, name: str):
        assert Video("x", str(fill(tmp_path, name) / name)).is_plain_file

    @pytest.mark.parametrize("name", ["{x}.mp4", "<x>.mp4", "a\nb.mp4", "trail "])
    def test_names_that_snakemake_expands_or_trims_are_kept_from_it(
        self, tmp_path: Path, name: str
    ):
        assert not Video("x", str(fill(tmp_path, name) / name)).is_plain_file

    def test_a_file_that_is_not_there_is_kept_from_snakemake(self, tmp_path: Path):
        assert not Video("x", str(tmp_path / "none.mp4")).is_plain_file


class TestSheet:
    @pytest.fixture(autouse=True)
    def plugins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Snakemake's plugin for S3 is there."""
        monkeypatch.syspath_prepend(PLUGINS)

    @pytest.fixture
    def video(self, tmp_path: Path) -> str:
        return str(fill(tmp_path, "walk.mp4") / "walk.mp4")

    @staticmethod
    def read(folder: Path, *rows: str, **span: float) -> tuple[dict[str, Video], list[str]]:
        """Reads a sheet of these rows; the path of the sheet is left out of the faults."""
        sheet = folder / "sheet.tsv"
        sheet.write_text("\n".join(rows) + "\n", encoding="utf-8")
        videos, faults = read_sheet(sheet, SCHEMA, NO_SPAN | span)
        return videos, [fault.removeprefix(str(sheet)).lstrip(":, ") for fault in faults]

    def test_a_row_says_what_is_known_of_a_video(self, tmp_path: Path, video: str):
        videos, faults = self.read(
            tmp_path,
            "video\tpath\theight_cm\tmass_kg\tsex\tsubject\tstart_s\tend_s",
            f"front\t{video}\t172.5\t\tfemale\tAnna B.\t0\t9.5",
            "",
            f"back\t{video}\t\t\t\t\t\t",
        )
        assert faults == []
        assert videos == {
            "front": Video("front", video, 172.5, None, "female", "Anna B.", 0.0, 9.5),
            "back": Video("back", video),
        }

    @pytest.mark.parametrize("cell", ["170", " 170.0 ", "170.", "+170", "1.7e2", "1.70E+02"])
    def test_a_number_may_be_written_as_spreadsheets_do(
        self, tmp_path: Path, video: str, cell: str
    ):
        videos, faults = self.read(tmp_path, "video\tpath\theight_cm", f"x\t{video}\t{cell}")
        assert faults == []
        assert videos["x"].height_cm == 170

    def test_columns_may_be_left_out_and_stand_in_any_order(self, tmp_path: Path, video: str):
        videos, faults = self.read(tmp_path, "path\theight_cm\tvideo", f"{video}\t180\tx")
        assert (videos, faults) == ({"x": Video("x", video, height_cm=180.0)}, [])

    def test_a_quoted_path_may_hold_tabs_and_line_breaks(self, tmp_path: Path):
        path = fill(tmp_path, "a\tb\nc.mp4") / "a\tb\nc.mp4"
        videos, faults = self.read(tmp_path, "video\tpath", f'x\t"{path}"')
        assert (videos, faults) == ({"x": Video("x", str(path))}, [])

    def test_the_mark_that_spreadsheets_put_before_utf_8_is_no_part_of_it(
        self, tmp_path: Path, video: str
    ):
        videos, faults = self.read(tmp_path, "\ufeffvideo\tpath", f"x\t{video}")
        assert (list(videos), faults) == (["x"], [])

    def test_the_shipped_example_has_the_columns_of_the_schema(self):
        example = (ROOT / "config/videos.example.tsv").read_text(encoding="utf-8")
        assert example.splitlines()[0].split("\t") == list(SCHEMA["properties"])

    @pytest.mark.parametrize(
        ("cells", "fault"),
        [
            (
                {"height_cm": "1.8"},
                "height_cm must be from 80 to 250, is 1.8 (metres? then write 180)",
            ),
            (
                {"height_cm": "1800"},
                "height_cm must be from 80 to 250, is 1800 (millimetres? then write 180)",
            ),
            (
                {"distance_m": "240"},
                "distance_m must be from 0.3 to 100, is 240 (centimetres? then write 2.4)",
            ),
            (
                {"object_height_cm": "2.1", "object_height_px": "900"},
                "object_height_cm must be from 5 to 1000, is 2.1 (metres? then write 210)",
            ),
            ({"object_height_cm": "210"}, "object_height_px must be given with object_height_cm"),
            ({"object_height_px": "900"}, "object_height_cm must be given with object_height_px"),
            ({"vertical_fov_degrees": "180"}, "vertical_fov_degrees must be from 5 to 150, is 180"),
            (
                {"height_cm": "172,5"},
                "height_cm must be a number, is '172,5' (with a point, not a comma)",
            ),
            ({"height_cm": "tall"}, "height_cm must be a number, is 'tall'"),
            (
                {"mass_kg": "70,5"},
                "mass_kg must be a number, is '70,5' (with a point, not a comma)",
            ),
            (
                {"start_s": "1,5"},
                "start_s must be a number, is '1,5' (with a point, not a comma)",
            ),
            ({"height_cm": "1_70"}, "height_cm must be a number, is '1_70'"),
            ({"height_cm": "١٧٠"}, "height_cm must be a number, is '١٧٠'"),
            ({"height_cm": "nan"}, "height_cm must be a number, is 'nan'"),
            ({"start_s": "1e999"}, "start_s must be a finite number"),
            ({"mass_kg": "-3"}, "mass_kg must be from 10 to 400, is -3"),
            ({"sex": "F"}, "sex must be one of female, male, is 'F'"),
            ({"start_s": "3", "end_s": "2"}, "start_s (3) must be before end_s (2)"),
            ({"start_s": "2", "end_s": "2"}, "start_s (2) must be before end_s (2)"),
            ({"video": "../x"}, "video must be 1 to 100 letters"),
            ({"video": "-x"}, "video must be 1 to 100 letters"),
            ({"video": "a b"}, "video must be 1 to 100 letters"),
            ({"video": ""}, "video must be given"),
            ({"path": ""}, "path must be given"),
            ({"path": "none.mp4"}, "there is no file 'none.mp4'"),
            ({"path": "/"}, "there is no file '/'"),
            ({"path": "s3://lab"}, "path must be of the form s3://bucket/file, is 's3://lab'"),
            (
                {"path": "s3://lab/{walk}.mp4"},
                "the name of a file on S3 cannot have { } in it: 's3://lab/{walk}.mp4'",
            ),
            (
                {"path": "s3://lab/walk\\one.mp4"},
                "the name of a file on S3 cannot have \\ in it: 's3://lab/walk\\\\one.mp4'",
            ),
            (
                {"path": "s3://lab/\x1b/walk.mp4"},
                "the name of a file on S3 cannot have '\\x1b' in it: 's3://lab/\\x1b/walk.mp4'",
            ),
            ({"path": TOO_LONG}, f"cannot look at {TOO_LONG!r}: File name too long"),
        ],
    )
    def test_a_fault_names_the_line_and_the_cell(
        self, tmp_path: Path, video: str, cells: dict[str, str], fault: str
    ):
        row = {"video": "x", "path": video} | cells
        videos, faults = self.read(tmp_path, "\t".join(row), "\t".join(row.values()))
        assert videos == {}
        assert [found[: len(fault)] for found in faults] == [f"line 2: {fault}"[: len(fault)]]
        assert faults[0].removeprefix("line 2: ").startswith(fault)

    @pytest.mark.parametrize(
        "path",
        [
            "s3://lab/../../../../victim/keep.py",
            "s3://lab/walks/../walk.mp4",
            "s3://lab/./walk.mp4",
            "s3://lab/walks//walk.mp4",
            "s3://lab//walk.mp4",
            "s3://lab/walks/",
            "s3://../walk.mp4",
        ],
    )
    def test_a_path_on_s3_leads_nowhere_but_to_its_file(self, tmp_path: Path, path: str):
        """Else its copy would be made, and deleted, in another place of this machine."""
        videos, (fault,) = self.read(tmp_path, "video\tpath", f"x\t{path}")
        assert videos == {}
        assert fault == (
            f"line 2: between the slashes of a path on S3 must be names, not '', '.' or '..': "
            f"{path!r}"
        )

    @pytest.mark.parametrize("dots", [".\t.", ".\n.", ".\r."])
    def test_nor_one_that_does_so_when_marks_are_left_out(self, tmp_path: Path, dots: str):
        _, (fault,) = self.read(tmp_path, "video\tpath", f'x\t"s3://lab/{dots}/{dots}/walk.mp4"')
        assert "the name of a file on S3 cannot have" in fault

    @pytest.mark.parametrize("name", ["...", "..walk", "my walks", "gehen ü", "a%2F..", "a;b=1+1"])
    def test_a_name_on_s3_may_have_most_marks(self, tmp_path: Path, name: str):
        videos, faults = self.read(tmp_path, "video\tpath", f"x\ts3://lab/{name}/{name}.mp4")
        assert (list(videos), faults) == (["x"], [])

    def test_a_video_on_s3_needs_the_plugin(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("sys.path", [path for path in sys.path if path != str(PLUGINS)])
        _, faults = self.read(tmp_path, "video\tpath", "x\ts3://lab/x.mp4")
        assert faults == ["line 2: videos on S3 need Snakemake's plugin for it: make setup-cluster"]

    def test_a_span_of_the_configuration_counts_too(self, tmp_path: Path, video: str):
        _, faults = self.read(tmp_path, "video\tpath\tend_s", f"x\t{video}\t4", start_s=5.0)
        assert faults == ["line 2: start_s (5) must be before end_s (4)"]

    def test_an_id_given_twice_is_a_fault_also_in_other_case(self, tmp_path: Path, video: str):
        _, faults = self.read(tmp_path, "video\tpath", f"x\t{video}", f"X\t{video}")
        assert faults == ["line 3: the id X is that of line 2 already"]

    def test_all_faults_are_said_at_once(self, tmp_path: Path, video: str):
        _, faults = self.read(
            tmp_path, "video\tpath\theigth_cm\tsex", f"x\t{video}\t170\tm", "y\tnone\t\t"
        )
        assert faults == [
            "unknown column 'heigth_cm' (did you mean height_cm?)",
            "line 2: sex must be one of female, male, is 'm'",
            "line 3: there is no file 'none'",
        ]

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            (b"", "its first line must name the columns"),
            (b"video,path\nx,walk.mp4\n", "its first line must name the columns"),
            (b"video\tpath\tpath\n", "its first line names a column twice"),
            (b"video\tpath\nx\ty\tz\n", "line 2 has more cells than there are columns"),
            (b"video\tpath\nx\t\xff\xfe\n", "is not UTF-8"),
            (b'video\tpath\nx\t"open\n', "unexpected end of data"),
        ],
    )
    def test_a_file_that_is_no_such_sheet_is_refused(
        self, tmp_path: Path, content: bytes, fault: str
    ):
        sheet = tmp_path / "sheet.tsv"
        sheet.write_bytes(content)
        videos, (found,) = read_sheet(sheet, SCHEMA, NO_SPAN)
        assert videos == {}
        assert found.startswith(f"{sheet}: {fault}")


class TestChoice:
    @pytest.fixture(autouse=True)
    def _in_a_project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        fill(tmp_path, "videos/walk.mp4", "config/config.yaml")
        monkeypatch.chdir(tmp_path)

    @staticmethod
    def read(**config: Any) -> tuple[dict[str, Video], list[str]]:
        usual = {"videos": "videos", "sheet": str(USUAL_SHEET), "sampling": NO_SPAN}
        return read_videos(usual | config, SCHEMA)

    def test_with_no_sheet_the_folder_is_measured(self):
        assert self.read() == ({"walk.mp4": Video("walk.mp4", "videos/walk.mp4")}, [])

    def test_a_sheet_goes_before_the_folder(self):
        USUAL_SHEET.write_text("video\tpath\nx\tvideos/walk.mp4\n", encoding="utf-8")
        assert list(self.read()[0]) == ["x"]

    def test_an_empty_sheet_lists_nothing_and_does_not_fall_back_on_the_folder(self):
        USUAL_SHEET.write_text("video\tpath\n", encoding="utf-8")
        assert self.read() == ({}, [])

    def test_no_sheet_is_taken_when_it_is_switched_off(self):
        USUAL_SHEET.write_text("video\tpath\n", encoding="utf-8")
        assert list(self.read(sheet=None)[0]) == ["walk.mp4"]

    def test_a_sheet_that_was_asked_for_by_name_must_exist(self):
        assert self.read(sheet="other.tsv") == ({}, ["there is no sheet 'other.tsv'"])

    def test_a_sheet_that_cannot_be_is_a_fault(self):
        assert self.read(sheet=TOO_LONG) == (
            {},
            [f"cannot look at {TOO_LONG!r}: File name too long"],
        )

    def test_results_within_the_folder_are_left_out(self):
        fill(Path("videos/results"), "summary.csv")
        usual = {"videos": "videos", "sheet": None, "sampling": NO_SPAN}
        assert list(read_videos(usual, SCHEMA, ["videos/results"])[0]) == ["walk.mp4"]

    def test_a_configuration_with_faults_of_its_own_is_no_trouble(self):
        assert self.read(videos=3, sheet=4, sampling=None) == ({}, [])
