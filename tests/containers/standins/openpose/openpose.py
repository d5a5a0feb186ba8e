#!/usr/bin/python3
"""Stands in for OpenPose 1.7 in tests: its command line, its files and its failures, no network.

It reads the flags as gflags does, and refuses what OpenPose refuses: a flag that it does not have,
no `--display 0` where there is no X server, `--display 0` with nothing to write, models that are
not there, a net resolution of other than multiples of 16, and no CUDA, which is there when
NVIDIA_VISIBLE_DEVICES names a card, as NVIDIA's runtime makes it. Its own default for the models,
`models/`, is relative to the working directory.

It finds people in pictures of few people, each half as tall as the picture or more, before a
background of rows: what differs from the colours at the left and right edge of its row is a person.
The 25 points lie at fixed proportions of crown, soles and width, with the right of the person on
the left of the picture. Their confidence is 0.9, but for the right small toe, which is false: 0.1,
in the corner of the picture. The order of the people has no meaning: it changes from frame to
frame, and with STANDIN_OPENPOSE_ORDER (any text).

Environment (`containers.environment` hands it in):

STANDIN_OPENPOSE_LOAD_S=3   it takes so many seconds to load its models.
STANDIN_OPENPOSE_BUILD=cpu  it was built for CPUs, and needs no card.
STANDIN_OPENPOSE=<mode>     how it fails, for every video; or `<mode>@<text>`, for those only in the
                            path of whose `--image_dir` the text occurs:

    crash           writes half of its files, says so and ends with a status of 1
    half            writes half of its files, says nothing and ends with 0
    garbage         writes half of one file, all others, and ends with 0
    poison          crashes at the first picture whose upper left corner is magenta, 255, 0, 255
    hang            writes one file and then nothing, without end
    oom             writes half of its files and takes memory without end (but for a guard, 4 GB)
    no_gpu_memory   the graphics card has too little memory: Caffe's words, a status of 134
    fill_disk       fills the disk that it writes to (but for a guard, 256 MB), and ends with 1
    two_people      finds somebody else in every frame, half as tall, in the lower left corner
    nobody          finds nobody in any frame
    low_confidence  is hardly sure of anything: every confidence is 0.2
"""

import json
import os
import random
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np

FLAGS = {
    "image_dir": "", "video": "", "write_json": "", "write_images": "", "write_video": "",
    "write_images_format": "png", "model_folder": "models/", "model_pose": "BODY_25",
    "net_resolution": "-1x368", "output_resolution": "-1x-1", "face_net_resolution": "368x368",
    "hand_net_resolution": "368x368", "display": -1, "render_pose": -1, "num_gpu": -1,
    "num_gpu_start": 0, "keypoint_scale": 0, "number_people_max": -1, "logging_level": 3,
    "scale_number": 1, "frame_first": 0, "frame_last": -1, "frame_step": 1, "frame_rotate": 0,
    "tracking": -1, "scale_gap": 0.25, "cli_verbose": -1.0, "render_threshold": 0.05,
    "face": False, "hand": False, "part_candidates": False, "maximize_positives": False,
    "disable_blending": False,
}  # fmt: skip
"""OpenPose's flags with their defaults; those that a batch of pictures has use for."""

NETWORKS = {
    "pose": ("pose/body_25/pose_deploy.prototxt", "pose/body_25/pose_iter_584000.caffemodel"),
    "face": ("face/pose_deploy.prototxt", "face/pose_iter_116000.caffemodel"),
    "hand": ("hand/pose_deploy.prototxt", "hand/pose_iter_102000.caffemodel"),
}

# x from the middle of the body and y from crown to soles, in statures, of somebody who faces the
# camera. In BODY_25's order.
PLACES = (
    (0, 0.07), (0, 0.18), (-0.12, 0.18), (-0.16, 0.36), (-0.18, 0.5), (0.12, 0.18), (0.16, 0.36),
    (0.18, 0.5), (0, 0.5), (-0.06, 0.5), (-0.07, 0.73), (-0.07, 0.95), (0.06, 0.5), (0.07, 0.73),
    (0.07, 0.95), (-0.02, 0.06), (0.02, 0.06), (-0.04, 0.07), (0.04, 0.07), (0.1, 0.99),
    (0.12, 0.98), (0.06, 0.97), (-0.1, 0.99), (-0.12, 0.98), (-0.06, 0.97),
)  # fmt: skip
RIGHT_SMALL_TOE = 23

CONTRAST = 28  # of 255: what differs more from the background is a person
SHARE_OF_HEIGHT = 0.22  # of the picture: what is less tall is furniture
GAP = 0.06  # of the picture's height: what is farther apart is two people
LEAST_WIDTH = 0.01  # of the picture's height
TRUNK_WIDTH = 0.17  # between waist and hips, seen from the front, in statures
MEMORY_GUARD = 4 << 30
DISK_GUARD = 256 << 20


def main(arguments):
    flags = parse(arguments)
    check(flags)
    say("Starting OpenPose demo...")
    images = sorted(p for p in Path(flags["image_dir"]).iterdir() if p.suffix.lower() == ".png")
    if not images:
        fail(f"No images found in {flags['image_dir']}")
    mode = mode_for(flags["image_dir"])
    time.sleep(float(os.environ.get("STANDIN_OPENPOSE_LOAD_S", "0")))
    for number, image in enumerate(images):
        misbehave(mode, number, len(images), flags)
        if mode == "poison" and is_poison(image):
            fail("Error occurred on a thread. Segmentation fault (stand-in)", status=1)
        process(image, flags, mode, is_broken=mode == "garbage" and number == len(images) // 2)
    say(f"OpenPose demo successfully finished: {len(images)} frames.")


def parse(arguments):
    """Reads flags as gflags does: one dash or two, `--name=value` or `--name value`, and `--name`
    or `--noname` for those that are true or false."""
    flags = dict(FLAGS)
    words = list(arguments)
    while words:
        word = words.pop(0)
        if not word.startswith("-"):
            continue
        name, is_given, value = word.lstrip("-").partition("=")
        if name.startswith("no") and isinstance(FLAGS.get(name[2:]), bool) and not is_given:
            name, is_given, value = name[2:], "=", "false"
        if name not in FLAGS:
            print(f"ERROR: unknown command line flag '{name}'", file=sys.stderr)
            sys.exit(1)
        if not is_given and not isinstance(FLAGS[name], bool):
            if not words:
                print(f"ERROR: flag '{word}' is missing its argument", file=sys.stderr)
                sys.exit(1)
            value = words.pop(0)
        flags[name] = convert(name, value if value or is_given else "true")
    return flags


def convert(name, text):
    kind = type(FLAGS[name])
    try:
        return text.lower() in ("1", "t", "true", "y", "yes") if kind is bool else kind(text)
    except ValueError:
        print(f"ERROR: illegal value '{text}' for {kind.__name__} flag '{name}'", file=sys.stderr)
        sys.exit(1)


def check(flags):
    """Refuses what OpenPose refuses."""
    if flags["display"] != 0 and not os.environ.get("DISPLAY"):
        fail("cannot connect to X server: there is no display; use --display 0")
    if not any(flags[name] for name in ("write_json", "write_images", "write_video")):
        fail("No output is selected: --display 0 and no flag that writes anything")
    if not flags["image_dir"]:
        fail("no --image_dir: there is no camera here")
    if not Path(flags["image_dir"]).is_dir():
        fail(f"Folder {flags['image_dir']} does not exist")
    if flags["model_pose"] != "BODY_25":
        fail(f"this stand-in knows BODY_25 only, not {flags['model_pose']}")
    check_resolution(flags["net_resolution"])
    check_models(flags)
    if os.environ.get("STANDIN_OPENPOSE_BUILD") != "cpu":
        check_cards(flags)


def check_models(flags):
    folder = Path(flags["model_folder"])
    for network, files in NETWORKS.items():
        for file in files if network == "pose" or flags[network] else ():
            if not (folder / file).is_file():
                fail(f"The file {folder / file} does not exist: check --model_folder")


def check_cards(flags):
    cards = os.environ.get("NVIDIA_VISIBLE_DEVICES", "")
    if cards in ("", "void", "none"):
        fail("Cuda check failed (100 vs. 0): no CUDA-capable device is detected")
    if max(flags["num_gpu"], 1) + flags["num_gpu_start"] > len(cards.split(",")):
        fail(f"There are not as many cards as asked for: {cards} are visible")


def check_resolution(text):
    try:
        sides = [int(side) for side in text.split("x")]
    except ValueError:
        sides = []
    if len(sides) != 2 or all(side < 0 for side in sides):
        fail(f"--net_resolution must be WIDTHxHEIGHT, not {text}")
    if any(side >= 0 and (side % 16 or not side) for side in sides):
        fail(f"Net resolution {text} must be multiples of 16")


def mode_for(folder):
    mode, _, text = os.environ.get("STANDIN_OPENPOSE", "").partition("@")
    known = (
        "", "crash", "half", "garbage", "hang", "oom", "no_gpu_memory", "fill_disk", "two_people",
        "nobody", "low_confidence", "poison",
    )  # fmt: skip
    if mode not in known:
        fail(f"STANDIN_OPENPOSE={mode}: the stand-in knows {', '.join(known[1:])}")
    return mode if text in folder else ""


def misbehave(mode, number, count, flags):
    """What goes wrong before picture `number` of `count`."""
    if mode == "hang" and number == 1:
        say("This takes a while...")
        while True:
            time.sleep(3600)
    if mode == "no_gpu_memory":
        print("Check failed: error == cudaSuccess (2 vs. 0)  out of memory", file=sys.stderr)
        sys.exit(134)
    if number < count // 2:
        return
    if mode == "half":
        sys.exit(0)
    if mode == "crash":
        fail("Error occurred on a thread. Segmentation fault (stand-in)", status=1)
    if mode == "oom":
        take_memory()
    if mode == "fill_disk":
        fill_disk(Path(flags["write_json"] or flags["write_images"]))


def is_poison(image):
    return read_png(image)[0, 0].tolist() == [255, 0, 255]


def take_memory():
    taken = []
    while sum(map(len, taken)) < MEMORY_GUARD:
        taken.append(os.urandom(1 << 20) * 16)
    fail("the machine has more memory than a test should take", status=1)


def fill_disk(folder):
    try:
        with (folder / "filling.tmp").open("wb") as stream:
            for _ in range(DISK_GUARD >> 20):
                stream.write(bytes(1 << 20))
                stream.flush()
    except OSError as error:
        fail(f"cannot write to {folder}: {error.strerror}", status=1)
    fail("the disk is larger than a test should fill", status=1)


def process(image, flags, mode, is_broken):
    picture = read_png(image)
    people = [] if mode == "nobody" else find_people(picture)
    if mode == "two_people":
        people.append(somebody_else(picture))
    people = [with_confidence(one, picture, mode) for one in people]
    random.Random(os.environ.get("STANDIN_OPENPOSE_ORDER", "") + image.stem).shuffle(people)
    if flags["number_people_max"] > 0:
        people = sorted(people, key=lambda one: -np.ptp(one[:, 1]))[: flags["number_people_max"]]
    if flags["write_json"]:
        content = {"version": 1.3, "people": [describe(one, flags) for one in people]}
        text = json.dumps(content, separators=(",", ":"))
        folder = Path(flags["write_json"])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{image.stem}_keypoints.json").write_text(
            text[: len(text) // 2] if is_broken else text
        )
    if flags["write_images"]:
        folder = Path(flags["write_images"])
        folder.mkdir(parents=True, exist_ok=True)
        if flags["render_pose"] != 0:
            for one in people:
                draw(picture, one)
        write_png(folder / f"{image.stem}_rendered.png", picture)


def describe(points, flags):
    """One entry of `people`; faces and hands are a cloud around the nose and the wrists."""

    def cloud(centre, count, is_wanted):
        if not is_wanted:
            return []
        place = points[centre] if points[centre, 2] else np.zeros(3)
        return [round(float(v), 3) for v in np.tile(place, count)]

    return {
        "person_id": [-1],
        "pose_keypoints_2d": [float(f"{value:.6g}") for value in points.ravel()],
        "face_keypoints_2d": cloud(0, 70, flags["face"]),
        "hand_left_keypoints_2d": cloud(7, 21, flags["hand"]),
        "hand_right_keypoints_2d": cloud(4, 21, flags["hand"]),
        "pose_keypoints_3d": [],
        "face_keypoints_3d": [],
        "hand_left_keypoints_3d": [],
        "hand_right_keypoints_3d": [],
    }


def find_people(picture):
    """The people in an RGB picture (H, W, 3), each (25, 2) px."""
    mask = differs_from_its_row(picture)
    height = len(mask)
    columns = np.flatnonzero(mask.sum(axis=0) >= SHARE_OF_HEIGHT * height)
    groups = np.split(columns, np.flatnonzero(np.diff(columns) > GAP * height) + 1)
    return [place(mask, group) for group in groups if len(group) >= LEAST_WIDTH * height]


def differs_from_its_row(picture):
    """Where a picture differs from both edges of its row, thin lines left out, (H, W)."""
    colours = picture.astype(np.int16)
    edge = max(3, picture.shape[1] // 30)
    mask = np.ones(picture.shape[:2], bool)
    for border in (colours[:, :edge], colours[:, -edge:]):
        background = np.median(border, axis=1)[:, None]
        mask &= np.abs(colours - background).max(axis=2) > CONTRAST
    thick = mask.astype(np.int16)
    for axis in (0, 1):
        thick = sum(np.roll(thick, shift, axis) for shift in (-2, -1, 0, 1, 2))
    return thick >= 13


def place(mask, columns):
    """The points of the person in some columns of a mask, (25, 2) px."""
    weights = mask[:, columns].sum(axis=0)
    middle = float(np.average(columns, weights=weights))
    rows = np.flatnonzero(mask[:, columns].sum(axis=1) >= 2)
    crown, soles = float(rows[0]), float(rows[-1] + 1)
    waist, hips = (round(crown + share * (soles - crown)) for share in (0.38, 0.48))
    spans = [span_around(row, round(middle)) for row in mask[waist:hips]]
    width = float(np.median(spans)) / (TRUNK_WIDTH * (soles - crown))
    return spread(middle, crown, soles, min(max(width, 0.3), 1.0))


def span_around(row, column):
    """How many pixels of a row hang together around a column."""
    empty = np.flatnonzero(~row)
    after = np.searchsorted(empty, column)
    left = empty[after - 1] if after else -1
    right = empty[after] if after < len(empty) else len(row)
    return int(right - left - 1)


def spread(middle, crown, soles, width):
    stature = soles - crown
    return np.array([(middle + stature * width * x, crown + stature * y) for x, y in PLACES])


def somebody_else(picture):
    height, width = picture.shape[:2]
    stature = 0.45 * height
    return spread(0.18 * width, 0.97 * height - stature, 0.97 * height, 0.5)


def with_confidence(points, picture, mode):
    """(25, 3), with one false point."""
    confidence = 0.2 if mode == "low_confidence" else 0.9
    body = np.column_stack([points, np.full(len(points), confidence)])
    inside = (body[:, :2] >= 0).all(axis=1) & (body[:, :2] < picture.shape[1::-1]).all(axis=1)
    body[~inside] = 0
    body[RIGHT_SMALL_TOE] = 2, 3, 0.1
    return body


def draw(picture, points):
    for x, y, confidence in points:
        if confidence > FLAGS["render_threshold"]:
            picture[max(0, int(y) - 2) : int(y) + 3, max(0, int(x) - 2) : int(x) + 3] = 255, 0, 0


def read_png(path):
    """The RGB picture (H, W, 3) in a PNG file of 8 bits without interlacing.

    Rows are filtered against their neighbours above and to the left, so that pixels on a diagonal
    can be restored at once (PNG specification, section 9).
    """
    chunks, content = {}, path.read_bytes()[8:]
    while content:
        length, kind = struct.unpack(">I4s", content[:8])
        chunks[kind] = chunks.get(kind, b"") + content[8 : 8 + length]
        content = content[12 + length :]
    width, height, depth, colour, *_, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    channels = {0: 1, 2: 3, 4: 2, 6: 4}.get(colour, 0)
    if depth != 8 or interlaced or not channels:
        fail(f"cannot read {path}: of another kind than this stand-in knows")
    raw = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, -1)
    filters, raw = raw[:, 0], raw[:, 1:].reshape(height, width, channels)
    picture = unfilter(filters, raw.astype(np.int16))
    return np.ascontiguousarray(picture if channels == 3 else np.repeat(picture[..., :1], 3, 2))


def unfilter(filters, raw):
    height, width, channels = raw.shape
    done = np.zeros((height + 1, width + 1, channels), np.int16)
    for diagonal in range(height + width - 1):
        rows = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        columns = diagonal - rows
        kinds = filters[rows, None]
        left, above = done[rows + 1, columns], done[rows, columns + 1]
        corner = done[rows, columns]
        guess = left + above - corner
        off = np.abs(np.stack([guess - left, guess - above, guess - corner]))
        paeth = np.where(
            (off[0] <= off[1]) & (off[0] <= off[2]),
            left,
            np.where(off[1] <= off[2], above, corner),
        )
        prediction = np.select(
            [kinds == 1, kinds == 2, kinds == 3, kinds == 4],
            [left, above, (left + above) // 2, paeth],
            0,
        )
        done[rows + 1, columns + 1] = (raw[rows, columns] + prediction) & 255
    return done[1:, 1:].astype(np.uint8)


def write_png(path, picture):
    height, width = picture.shape[:2]
    rows = np.concatenate([np.zeros((height, 1), np.uint8), picture.reshape(height, -1)], axis=1)

    def chunk(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 1))
        + chunk(b"IEND", b"")
    )


def say(text):
    print(text, flush=True)


def fail(text, status=255):
    print(f"Error:\n{text}", file=sys.stderr, flush=True)
    sys.exit(status)


if __name__ == "__main__":
    main(sys.argv[1:])
