"""Pictures for people: frames with hidden faces, overlays, and the contact sheet of a video."""
