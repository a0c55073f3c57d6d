"""What is wrong with the layout of a page: read from boxes and from pixels, whatever font it is shown in."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_SCRIPT = (Path(__file__).with_name("layout.js")).read_text().partition("\n")[2]
_SAME = 2
"""Levels by which a colour on the screen may differ from the one that was wanted."""


def problems(page: Any) -> list[str]:
    """What sticks out of the page, lies above something else or is cut off."""
    return list(page.evaluate(_SCRIPT, "problems"))


def boxes(page: Any) -> list[list[Any]]:
    """Places of panels, headings and charts: what, left, top, width and height in the whole page."""
    return list(page.evaluate(_SCRIPT, "boxes"))


def boxes_by_theme(page: Any) -> tuple[list[list[Any]], list[list[Any]]]:
    """`boxes` in light and in dark colours, of the very same moment."""
    light, dark = page.evaluate(_SCRIPT, "themes")
    return light, dark


def _screen(page: Any, color: str) -> tuple[dict[str, Any], NDArray[np.bool_]]:
    """What the page says of its ground, and which pixels of a screenshot of that moment have one of its colours. One pixel is one of the page's."""
    while True:
        said = page.evaluate(_SCRIPT, "ground")
        pixels = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("RGB")).astype(int)
        if page.evaluate(_SCRIPT, "ground") == said:
            return said, np.asarray(np.abs(pixels - np.array(said[color])).max(axis=2) <= _SAME)


def stains(page: Any) -> list[tuple[int, int]]:
    """Pixels of a screenshot between the panels that have not the colour of the ground: something was drawn where nothing should be."""
    said, right_color = _screen(page, "color")
    free = np.zeros(right_color.shape, dtype=bool)
    left, top, right, bottom = (round(edge) for edge in said["main"])
    free[top:bottom, left:right] = True
    # Some pixels more to each side: edges lie between pixels, and what has the focus has a ring.
    for left, top, right, bottom in said["covered"]:
        free[max(int(top) - 4, 0) : max(int(bottom) + 5, 0), max(int(left) - 4, 0) : max(int(right) + 5, 0)] = False
    assert free.any(), "nothing of the ground is seen"
    return [(int(x), int(y)) for y, x in np.argwhere(free & ~right_color)[:20]]


def frames(page: Any) -> bytes:
    """The upper and left edges of all panels as they are on the screen, pixel by pixel: whether it has the colour of lines."""
    said, line = _screen(page, "line")
    found = []
    for left, top, right, bottom in ([round(edge) for edge in panel] for panel in said["panels"]):
        found += [line[top : top + 1, left:right].tobytes(), line[top:bottom, left : left + 1].tobytes()]
    return b"|".join(found)
