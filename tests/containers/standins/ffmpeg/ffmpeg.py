#!/usr/bin/python3
"""Runs the real ffmpeg or ffprobe, but for "-hwaccel cuda", which is a stand-in for a real card.

As ffmpeg does, it fails without a card; with one, everything is decoded without its help.
"""

import os
import sys
from pathlib import Path

ROOT = "/opt/ffmpeg"

name, arguments = Path(sys.argv[0]).name, sys.argv[1:]
if arguments[:1] == ["hang"]:
    print("hanging", file=sys.stderr, flush=True)
    os.execvp("sleep", ["sleep", "600"])
if "-hwaccel" in arguments:
    if os.environ.get("NVIDIA_VISIBLE_DEVICES", "void") in ("", "void", "none"):
        sys.exit("Device creation failed: -1.")
    place = arguments.index("-hwaccel")
    del arguments[place : place + 2]
loader = f"{ROOT}/lib/loader"
os.execv(loader, [loader, "--library-path", f"{ROOT}/lib", f"{ROOT}/{name}", *arguments])
