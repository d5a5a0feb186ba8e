"""People of known measurements, rendered to video: for the demo, the tests and the benchmark.

A person of `tapeless.population` is dressed in colour, posed, and turns in front of a camera in a
plain room. All of it follows from a seed. The frame of the world is that of the body file (metres,
y up); the person stands at the origin and first faces the camera, which stands at positive z.
"""

from tapeless.synthetic.camera import Camera
from tapeless.synthetic.film import Shot, film_empty_room, film_person

__all__ = ["Camera", "Shot", "film_empty_room", "film_person"]
