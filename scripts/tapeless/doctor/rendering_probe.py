"""Makes a context as pyrender does it, and says what renders in it: run by the check of rendering.

Without the rest of pyrender, which takes a second to load.
"""

import ctypes
import importlib
import importlib.util
import os
import sys
from types import ModuleType

os.environ.setdefault("PYOPENGL_PLATFORM", "egl")
ctypes.CDLL("libGL.so.1")  # of OpenCV

found = importlib.util.find_spec("pyrender")
if found is None:
    raise ModuleNotFoundError("No module named 'pyrender'")
bare = ModuleType("pyrender")
bare.__path__ = list(found.submodule_search_locations or ())
sys.modules["pyrender"] = bare

egl = importlib.import_module("pyrender.platforms.egl")
device = egl.get_device_by_index(int(os.environ.get("EGL_DEVICE_ID", "0")))
platform = egl.EGLPlatform(64, 64, device=device)
platform.init_context()
platform.make_current()

gl = importlib.import_module("OpenGL.GL")
sys.stdout.write(gl.glGetString(gl.GL_RENDERER).decode(errors="replace"))
