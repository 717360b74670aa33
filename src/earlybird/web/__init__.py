"""Pages belong to people."""

from pathlib import Path

STATIC = Path(__file__).parent / "static"
"""Style sheets and icons, served as they are."""
