#!/usr/bin/python3
"""Stands in for SHAPY's regressor/demo.py in tests: its command line, files, silences, failures.

What it refuses or passes over, it does as the real one: relative paths from any folder but
`regressor/`, options that the configuration does not have, values that YAML reads as something
else, a batch that rounds to none, no CUDA (status 3; there is some when NVIDIA_VISIBLE_DEVICES
names a card, as NVIDIA's runtime makes it), a model folder that it cannot write to, pictures that
are none. It goes on without its weights, with random bodies and status 0. People with fewer than
six points are left out without a word, and of several in one picture the last overwrites the
others; when nobody is left, it ends with the Python error of the real one.

Its body model is the one of the download (download.py makes one that is like SMPL-X). The shape
depends on the picture, the pose on the keypoints: trunk, arms and legs are turned in the plane of
the picture until they lie along them, and the camera is the one that brings the joints nearest to
the points.

Environment (`containers.environment` hands it in):

STANDIN_SHAPY_LOAD_S=3 it takes so many seconds to load its weights.
STANDIN_SHAPY=<mode>   how it fails, for every video; or `<mode>@<text>`, for those only in the path
                       of whose pictures the text occurs:

    crash          ends with a Python error and status 1 after half of the pictures
    half           writes half of the files and a part of the next one, and ends with 0
    skip_some      leaves out every third picture, says nothing and ends with 0
    hang           does one picture and then nothing, without end
    oom            takes memory without end (but for a guard, 4 GB) after half of the pictures
    no_gpu_memory  the graphics card has too little memory for the network: status 3
    gpu_oom        it has too little for a picture: a Python error and status 1
    fill_disk      fills the disk that it writes to (but for a guard, 256 MB), and ends with 1
    nan            bodies of no number
    one_nan        the same, for the second picture alone
    giant          bodies of 5 m
    pickle         vertices that only unpickling gives
    other_weights  takes weights from another folder
    missing_keys   takes weights that lack what is trained, which stays random, and ends with 0
    missing_buffers  takes weights that lack what SHAPY also has from other files, and ends with 0
"""

import argparse
import hashlib
import importlib
import json
import os
import shutil
import struct
import sys
import time
from datetime import datetime
from pathlib import Path

import numpy as np

MODES = (
    "", "crash", "half", "skip_some", "hang", "oom", "no_gpu_memory", "gpu_oom",
    "fill_disk", "nan", "one_nan", "giant", "pickle", "other_weights", "missing_keys",
    "missing_buffers",
)  # fmt: skip

DATA = "../data"
TAPES = f"{DATA}/utility_files/measurements"
PRIORS = f"{DATA}/utility_files/shape_priors"
OPTIONS = {
    "output_folder": "",
    "checkpoint_folder": "checkpoints",
    "pretrained": f"{DATA}/trained_models/expose/body_only/",
    "part_key": "pose",
    "datasets.batch_size": 48,
    "datasets.pose_shape_ratio": 0.5,
    "datasets.pose.num_workers.test": 2,
    "datasets.pose.openpose.data_folder": "data/openpose",
    "datasets.pose.openpose.img_folder": "images",
    "datasets.pose.openpose.keyp_folder": "keypoints",
    "network.smplx.compute_measurements": True,
    "network.smplx.meas_definition_path": f"{TAPES}/measurement_defitions.yaml",
    "network.smplx.meas_vertices_path": f"{TAPES}/smplx_measurements.yaml",
    "body_model.model_folder": f"{DATA}/body_models/",
    "losses.body.shape.prior.gender_shape.female_stats_path": f"{PRIORS}/female_normal.npz",
    "losses.body.shape.prior.gender_shape.male_stats_path": f"{PRIORS}/male_normal.npz",
}
"""What the configuration has, as far as it matters here, with the values of the demo's own file."""

BUFFERS = ["param_mean", "model.shapedirs", "model.head_vertices_ids", "model.J_regressor",
           "regressor.mean_param"]  # fmt: skip
TRAINED = ["backbone.conv1.weight", *(f"backbone.stage4.{i}.branches.0.weight" for i in range(200)),
           "regressor.module.output_layer.bias"]  # fmt: skip
"""Of the several hundred parts of the network, some that its weights have names for."""

ROWS = 25 + 21 + 21 + 68  # points of body, hands and face, without pupils
BODY, NECK, WRISTS, HANDS, FACE = 0.05, 0.4, 0.2, 0.2, 0.4  # confidences that are believed in
LEAST_POINTS = 6
BOX_SCALE = 1.2
SENSOR_MM = 36
SHM_NEEDED = 256 << 20
MEMORY_GUARD, DISK_GUARD = 4 << 30, 256 << 20

# Points of BODY_25 and joints of SMPL-X in the same places.
SAME = {1: 12, 2: 17, 3: 19, 4: 21, 5: 16, 6: 18, 7: 20, 9: 2, 10: 5, 11: 8, 12: 1, 13: 4, 14: 7}
LIMBS = (
    (16, 18, 5, 6), (18, 20, 6, 7), (17, 19, 2, 3), (19, 21, 3, 4),
    (1, 4, 12, 13), (4, 7, 13, 14), (2, 5, 9, 10), (5, 8, 10, 11), (0, 12, 8, 1),
)  # fmt: skip
"""Joint, next joint, and the points of BODY_25 that show the way from one to the other."""
JOINTS_WRITTEN = 144  # those of the skeleton, then landmarks of the face


class Log:
    """As loguru has it: to standard error first, then to standard output and a file, coloured."""

    def __init__(self):
        self.stream, self.file = sys.stderr, Path(os.devnull)

    def say(self, level, where, message):
        moment = datetime.now().isoformat(sep=" ", timespec="milliseconds")
        green, bold, plain = "\x1b[32m", "\x1b[1m", "\x1b[0m"
        line = (
            f"{green}{moment}{plain} | {bold}{level: <8}{plain} | {where} - {bold}{message}{plain}"
        )
        print(line, file=self.stream, flush=True)
        with self.file.open("a") as file:
            file.write(f"{line}\n")


log = Log()


def main():
    arguments = parse()
    options = merge(arguments)
    mode = mode_for(options)
    if os.environ.get("NVIDIA_VISIBLE_DEVICES", "") in ("", "void", "none"):
        log.say("ERROR", "__main__:main:133", "CUDA is not available!")
        sys.exit(3)
    Path(arguments.output_folder).mkdir(parents=True, exist_ok=True)
    log.stream, log.file = sys.stdout, Path(options["output_folder"], "info.log")
    model = read_model(options)
    if mode == "no_gpu_memory":
        sys.exit(3)
    time.sleep(float(os.environ.get("STANDIN_SHAPY_LOAD_S", "0")))
    is_trained = load_weights(options, mode)
    items = find_items(options)
    batch = check_loader(options, items)
    done = 0
    for number, (picture, points) in enumerate(items):
        misbehave(mode, number, len(items), Path(arguments.output_folder, picture.stem))
        print(f"\r{number / len(items):4.0%}|", end="", file=sys.stderr, flush=True)
        size, box = read_size(picture), find_box(points)
        if box is None:
            if batch > 1:
                raise AttributeError("'NoneType' object has no attribute 'shape'")
            continue
        if mode == "skip_some" and number % 3 == 2:
            continue
        betas = shape_of(picture, is_trained)
        result = estimate(model, betas, points, size, box, arguments.focal_length)
        write(picture, spoil(result, mode, number), arguments, options)
        done += 1
    log.say("INFO", "__main__:main:327", f"Average inference time: {0.05 * done / done}")


def parse():
    parser = argparse.ArgumentParser(description="PyTorch SMPL-X Regressor Demo")

    def is_true(text):
        return text.lower() in ["true"]

    parser.add_argument("--exp-cfg", dest="exp_cfgs", nargs="+")
    parser.add_argument("--output-folder", default="demo_output")
    parser.add_argument("--datasets", nargs="+", default=["openpose"])
    parser.add_argument("--show", default=False, type=is_true)
    parser.add_argument("--pause", default=-1, type=float)
    parser.add_argument("--exp-opts", default=[], nargs="*")
    parser.add_argument("--focal-length", default=5000, type=float)
    parser.add_argument("--save-vis", default=False, type=is_true)
    parser.add_argument("--save-mesh", default=False, type=is_true)
    parser.add_argument("--save-params", default=False, type=is_true)
    parser.add_argument("--split", default="test", choices=["train", "test", "val"])
    return parser.parse_args()


def merge(arguments):
    """The configuration: its file, and what the command line says instead."""
    for file in arguments.exp_cfgs:  # None, and so a TypeError, where there is none
        Path(file).read_text()
    if arguments.show or arguments.split != "test" or arguments.datasets != ["openpose"]:
        raise ValueError("this stand-in opens no window, and reads the split test of openpose only")
    options = dict(OPTIONS)
    for option in arguments.exp_opts:
        key, _, text = option.partition("=")
        if key not in options:
            raise KeyError(f"Key '{key}' not in 'Config'")
        options[key] = convert(key, read_yaml(text))
    return {k: os.path.expandvars(v) if isinstance(v, str) else v for k, v in options.items()}


def read_yaml(text):
    """A scalar, as YAML reads it: it has comments, quotes, and other things than text."""
    if text.startswith('"'):
        return json.loads(text)
    if "${" in text:
        raise KeyError(f"str interpolation key of {text!r} not found")
    text = text.partition(" #")[0]
    if text[:1] in tuple("[]{}&*!|>%@`#'") or ": " in text:
        raise ValueError(f"YAML reads {text!r} as something else than text")
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return {"true": True, "false": False}.get(text.lower(), text)


def convert(key, value):
    wanted = type(OPTIONS[key])
    if wanted is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, wanted):
        raise ValueError(f"Value '{value}' of type '{type(value)}' is no {wanted} ({key})")
    return value


def mode_for(options):
    mode, _, text = os.environ.get("STANDIN_SHAPY", "").partition("@")
    if mode not in MODES:
        sys.exit(f"STANDIN_SHAPY={mode}: the stand-in knows {', '.join(MODES[1:])}")
    return mode if text in options["datasets.pose.openpose.data_folder"] else ""


def read_model(options):
    for key in ("female_stats_path", "male_stats_path"):
        Path(options[f"losses.body.shape.prior.gender_shape.{key}"]).read_bytes()
    file = Path(options["body_model.model_folder"], "smplx", "SMPLX_NEUTRAL.npz")
    log.say("INFO", "body_models:__init__:421", f"Loading model from: {file}")
    names = ("v_template", "shapedirs", "f", "J_regressor", "kintree_table", "weights")
    with np.load(file, allow_pickle=True) as content:
        return {name: content[name] for name in names}


def load_weights(options, mode):
    """Whether there are any, and all of them."""
    folder = Path(options["output_folder"], options["checkpoint_folder"])
    log.say("INFO", "checkpointer:__init__:32", f"Creating directory {folder}")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "best_checkpoint"
    is_fallback = not file.exists()
    if is_fallback:
        file = Path(options["pretrained"], "checkpoints", "latest_checkpoint")
    if not file.exists():
        log.say("WARNING", "checkpointer:load_checkpoint:78", f"No checkpoint found in {folder}!")
        return False
    log.say("INFO", "checkpointer:load_checkpoint:86", f"Load pretrained: {is_fallback}")
    if not file.read_bytes().startswith(b"PK"):
        raise RuntimeError("Invalid magic number; corrupt file?")
    if mode == "other_weights":
        file = f"{DATA}/trained_models/expose/body_only/checkpoints/latest_checkpoint"
    log.say("WARNING", "checkpointer:load_checkpoint:96", f"Loading checkpoint from {file}!")
    absent = {"missing_keys": BUFFERS + TRAINED, "missing_buffers": BUFFERS}.get(mode, [])
    if absent:
        words = f"The following keys were not found: {absent}"
        log.say("WARNING", "checkpointer:load_checkpoint:102", words)
    return mode != "missing_keys"


def find_items(options):
    """A picture and its points for every person, in the order of the folder."""
    base = Path(options["datasets.pose.openpose.data_folder"]).expanduser()
    folder = base / options["datasets.pose.openpose.keyp_folder"]
    pictures, points = [], []
    for picture in (base / options["datasets.pose.openpose.img_folder"]).iterdir():
        candidates = [folder / f"{picture.stem}{end}" for end in ("_keypoints.json", ".json")]
        file = next((path for path in candidates if path.exists()), None)
        people = [] if file is None else json.loads(file.read_text())["people"]
        if people:
            pictures += [picture] * len(people)
            points.append(np.stack([read_person(person) for person in people]))
    points = np.concatenate(points, axis=0)
    if points.shape[1] != ROWS:
        raise IndexError(f"index {points.shape[1]} is out of bounds for axis 1 with size {ROWS}")
    return list(zip(pictures, points, strict=True))


def read_person(entry):
    parts = [entry["pose_keypoints_2d"]]
    for name, count in (("hand_left", 21), ("hand_right", 21), ("face", 70)):
        values = entry.get(f"{name}_keypoints_2d", [])
        parts.append(values if len(values) else [0] * (3 * count))
    rows = [np.array(part, np.float32).reshape(-1, 3) for part in parts]
    rows[3] = rows[3][:-2]
    return np.concatenate(rows)


def check_loader(options, items):
    batch = round(options["datasets.batch_size"] * options["datasets.pose_shape_ratio"])
    if batch < 1:
        raise ValueError(f"batch_size should be a positive integer value, but got {batch}")
    workers = options["datasets.pose.num_workers.test"]
    if workers > 0 and shutil.disk_usage("/dev/shm").total < SHM_NEEDED:
        raise RuntimeError("DataLoader worker (pid 17) is killed by signal: Bus error.")
    log.say("INFO", "build:build_pose_dataset:110", f"Created dataset: OpenPose ({len(items)})")
    return batch


def read_size(path):
    """Width and height of a PNG file."""
    head = path.read_bytes()[:24]
    if head[:8] != b"\x89PNG\r\n\x1a\n" or len(head) < 24:
        raise RuntimeError(
            "OpenCV(4.5.1) error: (-215:Assertion failed) !_src.empty() in function 'cvtColor'"
        )
    return struct.unpack(">II", head[16:24])


def find_box(points):
    """Centre and side, px, of the square around the points believed in; None for too few."""
    limit = np.full(len(points), BODY)
    limit[1] = NECK
    limit[[4, 7]] = WRISTS
    limit[25:67] = HANDS
    limit[67:] = FACE
    believed = points[np.clip(points[:, 2], 0, 1) >= limit, :2]
    if len(believed) < LEAST_POINTS:
        return None
    low, high = believed.min(axis=0), believed.max(axis=0)
    if np.prod(high - low) <= 0:
        return None
    return (low + high) / 2, BOX_SCALE * float((high - low).max())


def shape_of(picture, is_trained):
    if not is_trained:
        return np.random.default_rng().normal(0, 4, 10)
    seed = hashlib.sha256(picture.read_bytes()).digest()[:8]
    return np.random.default_rng(int.from_bytes(seed, "big")).normal(0, 0.3, 10)


def estimate(model, betas, points, size, box, focal):
    shaped = model["v_template"] + model["shapedirs"][:, :, :10] @ betas
    joints = model["J_regressor"] @ shaped
    facing = -1.0 if points[5, 0] < points[2, 0] and min(points[[2, 5], 2]) > 0 else 1.0
    turns = turn_limbs(joints, model["kintree_table"][0].astype(np.int64), points, facing)
    vertices, posed = skin(shaped, joints, model, turns)
    view = np.array([facing, -1.0, -facing])  # y down, and z away from the camera
    vertices, posed = vertices * view, posed * view
    scale, shift = fit_camera(posed, points, box)
    (centre, side), (width, height) = box, size
    weak = 2 * scale / side
    transl = np.array([*(shift - centre) / scale, 2 * focal / (weak * side)])
    landmarks = np.zeros((JOINTS_WRITTEN, 3), np.float32)
    landmarks[: len(posed)] = posed
    return {
        "betas": betas.astype(np.float32),
        "v_shaped": shaped.astype(np.float32),
        "vertices": vertices.astype(np.float32),
        "faces": model["f"].astype(np.int64),
        "joints": landmarks,
        "proj_joints": (weak * (landmarks[:, :2] + transl[:2])).astype(np.float32),
        "global_rot": np.diag(view)[None].astype(np.float32),
        "raw_global_rot": np.zeros(6, np.float32),
        "body_pose": turns[1:22].astype(np.float32),
        "raw_body_pose": np.zeros(126, np.float32),
        "camera": np.array([np.log(np.expm1(weak)), *transl[:2]], np.float32),
        "shift_x": float(0.5 - centre[0] / width),
        "shift_y": float((centre[1] - 0.5 * height) / width),
        "transl": transl,
        "center": centre.astype(np.float32),
        "focal_length_in_mm": focal / width * SENSOR_MM,
        "focal_length_in_px": focal,
        "sensor_width": SENSOR_MM,
    }


def turn_limbs(joints, parents, points, facing):
    """Rotations (55, 3, 3), not relative to the parents', that lay the limbs along the points."""
    turns = np.tile(np.eye(3), (len(joints), 1, 1))
    goals = {}
    for joint, following, start, end in LIMBS:
        if min(points[[start, end], 2]) > 0:
            along = (points[end, :2] - points[start, :2]) * (facing, -1)
            rest = (joints[following] - joints[joint])[:2]
            goals[joint] = np.arctan2(*along[::-1]) - np.arctan2(*rest[::-1])
    for joint, parent in enumerate(parents):
        if joint in goals:
            c, s = np.cos(goals[joint]), np.sin(goals[joint])
            turns[joint] = [[c, -s, 0], [s, c, 0], [0, 0, 1]]
        elif 0 <= parent < len(joints):
            turns[joint] = turns[parent]
    return turns


def skin(shaped, joints, model, turns):
    """Posed vertices and joints, by linear blending."""
    parents = model["kintree_table"][0].astype(np.int64)
    posed = joints.copy()
    for joint, parent in enumerate(parents):
        if 0 <= parent < len(joints):
            posed[joint] = posed[parent] + turns[parent] @ (joints[joint] - joints[parent])
    shift = posed - np.einsum("jab,jb->ja", turns, joints)
    weights = model["weights"]
    blended = np.tensordot(weights, turns, 1)
    return np.einsum("vab,vb->va", blended, shaped) + weights @ shift, posed


def fit_camera(posed, points, box):
    """Pixels per metre, and where the origin is seen: what brings joints nearest to points."""
    found = [(point, joint) for point, joint in SAME.items() if points[point, 2] > BODY]
    if len(found) < 2:
        (centre, side) = box
        return side / 2, centre.astype(np.float64)
    seen = points[[point for point, _ in found], :2].astype(np.float64)
    places = posed[[joint for _, joint in found], :2]
    offset = places - places.mean(axis=0)
    scale = float((offset * seen).sum() / (offset**2).sum())
    return scale, seen.mean(axis=0) - scale * places.mean(axis=0)


class OnTheCard:
    """What is stored of a tensor that lies on a graphics card: to read it takes running code."""

    def __reduce__(self):
        return importlib.import_module, ("the_graphics_card_of_the_container",)


def spoil(result, mode, number):
    if mode == "nan" or (mode == "one_nan" and number == 1):
        result["v_shaped"][::7] = np.nan
    if mode == "giant":
        result["v_shaped"] *= 3
    if mode == "pickle":
        result["v_shaped"] = np.array({"rows": result["v_shaped"].tolist()}, dtype=object)
    return result


def write(picture, result, arguments, options):
    base = f"{arguments.output_folder}/{picture.name.split('.')[0]}"
    if arguments.save_vis:
        for kind in ("hd_imgs", "hd_stage_02_overlay", "hd_stage_02_cat"):
            shutil.copyfile(picture, f"{base}_{kind}.png")
            print(f"{base}_{kind}.png")
    if arguments.save_mesh:
        write_ply(f"{base}.ply", result["vertices"] + result["transl"], result["faces"])
    if arguments.save_params:
        keys = ("meas_definition_path", "meas_vertices_path")
        has_tapes = all(Path(options[f"network.smplx.{key}"]).exists() for key in keys)
        if has_tapes and options["network.smplx.compute_measurements"]:
            names = ("mass", "height", "chest", "waist", "hips")
            result["measurements"] = {tape: OnTheCard() for tape in names}
        np.savez_compressed(f"{base}.npz", fname=picture.name, **result)


def write_ply(path, vertices, faces):
    header = (
        f"ply\nformat binary_little_endian 1.0\nelement vertex {len(vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(faces)}\nproperty list uchar int vertex_indices\nend_header\n"
    )
    rows = np.zeros(len(faces), [("count", "u1"), ("corners", "<i4", 3)])
    rows["count"], rows["corners"] = 3, faces
    Path(path).write_bytes(header.encode() + vertices.astype("<f4").tobytes() + rows.tobytes())


def misbehave(mode, number, count, result):
    """What goes wrong before picture `number` of `count`, and so before its `result`."""
    if mode == "hang" and number == 1:
        while True:
            time.sleep(3600)
    if number >= count // 2 and mode in FAILURES:
        FAILURES[mode](result)


def break_off(result):
    whole = next(result.parent.glob("*.npz"), None)
    if whole is not None:
        result.with_suffix(".npz").write_bytes(whole.read_bytes()[:5000])
    sys.exit(0)


def crash(_result):
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def lack_gpu_memory(_result):
    raise RuntimeError(
        "CUDA out of memory. Tried to allocate 20.00 MiB (GPU 0; 1.95 GiB total capacity)"
    )


def take_memory(_result):
    taken = []
    while sum(map(len, taken)) < MEMORY_GUARD:
        taken.append(os.urandom(1 << 20) * 16)
    raise MemoryError("the machine has more memory than a test should take")


def fill_disk(result):
    with result.with_suffix(".tmp").open("wb") as stream:
        for _ in range(DISK_GUARD >> 20):
            stream.write(bytes(1 << 20))
            stream.flush()
    raise RuntimeError("the disk is larger than a test should fill")


FAILURES = {
    "half": break_off, "crash": crash, "oom": take_memory, "gpu_oom": lack_gpu_memory,
    "fill_disk": fill_disk,
}  # fmt: skip


if __name__ == "__main__":
    main()
