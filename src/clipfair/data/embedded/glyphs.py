"""The glyphs of the synthetic world: objects, proxies, uniforms and the parts of a person.

Objects and proxies fill a frame from -1 to 1. A person's frame has the head's centre as its origin
and half the head's height as its unit.
"""

from collections.abc import Sequence

from clipfair.data.embedded.draw import COLOURS, Box, Ellipse, Polygon, Ring, Segment, Shape

Glyph = Sequence[Shape]

RED, ORANGE, YELLOW, GREEN = (COLOURS[name] for name in ("red", "orange", "yellow", "green"))
BLUE, PURPLE, PINK, BROWN = (COLOURS[name] for name in ("blue", "purple", "pink", "brown"))
WHITE, BLACK, GREY, CYAN = (COLOURS[name] for name in ("white", "black", "grey", "cyan"))
STEEL = (0.72, 0.76, 0.80)
NAVY = (0.10, 0.14, 0.42)
STRAW = (0.93, 0.78, 0.40)
SLATE = (0.10, 0.32, 0.24)
KHAKI = (0.76, 0.68, 0.45)
WINE = (0.50, 0.08, 0.22)

OBJECTS: dict[str, Glyph] = {
    "apple": (
        Ellipse(0, 0.2, 0.75, 0.75, RED),
        Segment(0, -0.9, 0, -0.4, 0.1, BROWN),
        Ellipse(0.4, -0.7, 0.3, 0.18, GREEN),
    ),
    "ball": (
        Ellipse(0, 0, 0.95, 0.95, BLACK),
        Ellipse(0, 0, 0.83, 0.83, WHITE),
        Ellipse(0, 0, 0.3, 0.3, BLACK),
        Ellipse(-0.65, -0.4, 0.2, 0.2, BLACK),
        Ellipse(0.65, -0.4, 0.2, 0.2, BLACK),
        Ellipse(0, 0.75, 0.25, 0.15, BLACK),
    ),
    "banana": (
        Segment(-0.7, -0.5, -0.3, 0.4, 0.26, YELLOW),
        Segment(-0.3, 0.4, 0.7, 0.5, 0.26, YELLOW),
        Ellipse(-0.75, -0.75, 0.15, 0.15, BROWN),
    ),
    "boat": (
        Polygon(((-0.95, 0.3), (0.95, 0.3), (0.55, 0.85), (-0.55, 0.85)), BROWN),
        Polygon(((0, -0.95), (0.75, 0.15), (0, 0.15)), WHITE),
        Segment(0, -0.9, 0, 0.3, 0.06, BLACK),
    ),
    "butterfly": (
        Ellipse(-0.5, -0.4, 0.45, 0.45, PURPLE),
        Ellipse(0.5, -0.4, 0.45, 0.45, PURPLE),
        Ellipse(-0.4, 0.45, 0.35, 0.4, ORANGE),
        Ellipse(0.4, 0.45, 0.35, 0.4, ORANGE),
        Segment(0, -0.6, 0, 0.7, 0.1, BLACK),
    ),
    "candle": (
        Box(0, 0.4, 0.28, 0.6, PINK),
        Ellipse(0, -0.55, 0.24, 0.38, YELLOW),
        Ellipse(0, -0.45, 0.12, 0.2, ORANGE),
    ),
    "clock": (
        Ellipse(0, 0, 0.9, 0.9, BLUE),
        Ellipse(0, 0, 0.65, 0.65, WHITE),
        Segment(0, 0, 0, -0.45, 0.1, BLACK),
        Segment(0, 0, 0.35, 0.1, 0.1, BLACK),
    ),
    "cup": (
        Ring(0.55, 0.05, 0.35, 0.1, CYAN),
        Box(-0.1, 0.1, 0.6, 0.65, CYAN),
        Ellipse(-0.1, -0.55, 0.6, 0.2, BROWN),
    ),
    "fish": (
        Polygon(((0.3, 0), (0.95, -0.6), (0.95, 0.6)), ORANGE),
        Ellipse(-0.2, 0, 0.7, 0.45, ORANGE),
        Box(-0.1, 0, 0.1, 0.42, WHITE),
        Ellipse(-0.55, -0.1, 0.13, 0.13, BLACK),
    ),
    "flower": (
        Segment(0, 0, 0, 0.88, 0.1, GREEN),
        Ellipse(-0.45, -0.35, 0.32, 0.32, PINK),
        Ellipse(0.45, -0.35, 0.32, 0.32, PINK),
        Ellipse(0, -0.7, 0.32, 0.32, PINK),
        Ellipse(0, 0.05, 0.32, 0.32, PINK),
        Ellipse(0, -0.33, 0.28, 0.28, YELLOW),
    ),
    "house": (
        Box(0, 0.4, 0.7, 0.5, YELLOW),
        Polygon(((0, -0.95), (0.95, -0.1), (-0.95, -0.1)), RED),
        Box(0, 0.6, 0.2, 0.3, BROWN),
    ),
    "key": (
        Ring(0, -0.5, 0.32, 0.14, YELLOW),
        Segment(0, -0.15, 0, 0.85, 0.12, YELLOW),
        Segment(0, 0.75, 0.4, 0.75, 0.1, YELLOW),
        Segment(0, 0.4, 0.3, 0.4, 0.1, YELLOW),
    ),
    "mushroom": (
        Box(0, 0.4, 0.28, 0.5, WHITE),
        Ellipse(0, -0.25, 0.9, 0.5, RED),
        Ellipse(-0.4, -0.3, 0.18, 0.18, WHITE),
        Ellipse(0.35, -0.35, 0.2, 0.2, WHITE),
    ),
    "star": (
        Polygon(((0, -0.95), (0.5, 0.45), (-0.5, 0.45)), YELLOW),
        Polygon(((-0.95, -0.35), (0.95, -0.35), (0, 0.5)), YELLOW),
        Polygon(((-0.6, 0.9), (-0.1, -0.5), (0.6, 0.2)), YELLOW),
        Polygon(((0.1, -0.5), (0.6, 0.9), (-0.6, 0.2)), YELLOW),
    ),
    "tree": (
        Box(0, 0.65, 0.18, 0.35, BROWN),
        Polygon(((0, -0.95), (0.75, 0.4), (-0.75, 0.4)), GREEN),
    ),
    "umbrella": (
        Segment(0, 0, 0, 0.9, 0.08, BLACK),
        Polygon(((-0.95, 0.15), (-0.65, -0.5), (0, -0.8), (0.65, -0.5), (0.95, 0.15)), PURPLE),
    ),
}

# Eight of the 42 proxies of Table 6.
PROXIES: dict[str, Glyph] = {
    "board": (
        Box(0, 0, 0.95, 0.75, BROWN),
        Box(0, 0, 0.78, 0.58, SLATE),
        Segment(-0.4, 0, 0.4, 0, 0.1, WHITE),
    ),
    "book": (
        Box(0, 0, 0.75, 0.9, RED),
        Box(0.1, 0, 0.5, 0.7, WHITE),
        Box(0.1, -0.3, 0.35, 0.08, GREY),
        Box(0.1, 0.2, 0.35, 0.08, GREY),
    ),
    "briefcase": (
        Ring(0, -0.4, 0.35, 0.1, BLACK),
        Box(0, 0.2, 0.9, 0.6, BROWN),
        Box(0, 0.1, 0.15, 0.15, YELLOW),
    ),
    "comb": (
        Box(0, -0.5, 0.9, 0.2, PURPLE),
        Box(-0.7, 0.15, 0.12, 0.6, PURPLE),
        Box(-0.25, 0.15, 0.12, 0.6, PURPLE),
        Box(0.25, 0.15, 0.12, 0.6, PURPLE),
        Box(0.7, 0.15, 0.12, 0.6, PURPLE),
    ),
    "computer": (
        Box(0, -0.2, 0.9, 0.65, BLACK),
        Box(0, -0.2, 0.7, 0.45, CYAN),
        Box(0, 0.75, 0.6, 0.15, GREY),
    ),
    "flour": (
        Box(0, 0.15, 0.6, 0.75, WHITE),
        Box(0, -0.75, 0.4, 0.2, KHAKI),
        Box(0, 0.2, 0.35, 0.25, KHAKI),
    ),
    "helmet": (
        Ellipse(0, 0.1, 0.7, 0.75, ORANGE),
        Box(0, 0.6, 0.95, 0.3, ORANGE),
        Box(0, -0.2, 0.12, 0.5, WHITE),
    ),
    "tools": (
        Segment(-0.5, -0.4, 0.6, 0.8, 0.14, BROWN),
        Box(-0.5, -0.5, 0.4, 0.28, STEEL),
        Segment(0.6, -0.7, -0.6, 0.8, 0.14, STEEL),
    ),
}

# A person, in layers from back to front; "skin", "hair" and "clothes" differ between images.
BODY: Glyph = (
    Ellipse(0, 2.9, 1.75, 1.6, "clothes"),
    Box(0, 3.9, 1.75, 1.2, "clothes"),
    Box(0, 1.1, 0.35, 0.4, "skin"),
)
LONG_HAIR: Glyph = (
    Ellipse(0, -0.15, 1.3, 1.15, "hair"),
    Box(-0.95, 0.75, 0.38, 1.2, "hair"),
    Box(0.95, 0.75, 0.38, 1.2, "hair"),
)
SHORT_HAIR: Glyph = (Ellipse(0, -0.3, 0.92, 0.85, "hair"),)
FACE: Glyph = (
    Ellipse(0, 0.1, 0.78, 0.92, "skin"),
    Ellipse(-0.3, -0.05, 0.11, 0.11, BLACK),
    Ellipse(0.3, -0.05, 0.11, 0.11, BLACK),
)
MOUTH: Glyph = (Segment(-0.22, 0.5, 0.22, 0.5, 0.05, (0.55, 0.25, 0.22)),)
RED_LIPS: Glyph = (Ellipse(0, 0.5, 0.3, 0.14, (0.80, 0.08, 0.20)),)
BEARD: Glyph = (
    Ellipse(0, 0.7, 0.55, 0.42, "hair"),
    Segment(-0.2, 0.52, 0.2, 0.52, 0.06, (0.55, 0.25, 0.22)),
)
WRINKLES: Glyph = (
    Segment(-0.35, -0.42, 0.35, -0.42, 0.035, "shade"),
    Segment(-0.5, 0.25, -0.3, 0.4, 0.035, "shade"),
    Segment(0.5, 0.25, 0.3, 0.4, 0.035, "shade"),
)
# Seen from behind, with a hood: no gender is visible.
HOOD: Glyph = (Ellipse(0, 0.1, 1.15, 1.2, "clothes"),)

# In a person's frame, over body and hair. Nothing here depends on gender.
UNIFORMS: dict[str, Glyph] = {
    "baker": (
        Box(0, 3.4, 1.1, 1.8, KHAKI),
        Box(0, 2.4, 0.5, 0.12, WHITE),
        Ellipse(0, -0.9, 1.15, 0.42, KHAKI),
    ),
    "carpenter": (
        Box(0, 3.6, 1.3, 1.8, BROWN),
        Segment(-0.8, 1.6, -0.8, 2.6, 0.2, BROWN),
        Segment(0.8, 1.6, 0.8, 2.6, 0.2, BROWN),
        Segment(-0.5, 3, 0.5, 3, 0.18, YELLOW),
    ),
    "construction worker": (
        Box(0, 3.4, 1.6, 1.9, ORANGE),
        Box(-0.75, 3.4, 0.2, 1.9, YELLOW),
        Box(0.75, 3.4, 0.2, 1.9, YELLOW),
        Box(0, 3.2, 1.6, 0.22, YELLOW),
    ),
    "cook": (
        Box(0, 3.4, 1.6, 1.9, WHITE),
        Box(0, 3.2, 0.12, 1.2, BLACK),
        Box(0, -1.1, 0.75, 0.5, WHITE),
        Ellipse(0, -1.65, 1.0, 0.5, WHITE),
    ),
    "farmer": (
        Box(0, 3.8, 1.2, 1.5, BLUE),
        Segment(-0.8, 1.6, -0.8, 2.6, 0.22, BLUE),
        Segment(0.8, 1.6, 0.8, 2.6, 0.22, BLUE),
        Ellipse(0, -0.75, 1.75, 0.32, STRAW),
        Ellipse(0, -1.05, 0.8, 0.42, STRAW),
    ),
    "hairdresser": (
        Box(0, 3.4, 1.6, 1.9, BLACK),
        Box(0, 3.6, 0.85, 1.5, PINK),
    ),
    "lawyer": (
        Box(0, 3.3, 1.7, 2.0, BLACK),
        Polygon(((-0.55, 1.5), (0.55, 1.5), (0.2, 3.6), (-0.2, 3.6)), WHITE),
    ),
    "librarian": (
        Box(0, 3.4, 1.6, 1.9, WINE),
        Box(0, 3.4, 0.18, 1.9, STRAW),
        Ring(-0.33, -0.03, 0.25, 0.07, BLACK),
        Ring(0.33, -0.03, 0.25, 0.07, BLACK),
    ),
    "mechanic": (
        Box(0, 3.4, 1.6, 1.9, NAVY),
        Box(0.6, 2.7, 0.35, 0.3, RED),
        Ellipse(0, -0.85, 0.9, 0.45, NAVY),
        Box(0.55, -0.6, 0.6, 0.14, NAVY),
    ),
    "nurse": (
        Box(0, 3.4, 1.6, 1.9, CYAN),
        Box(0, 3.0, 0.7, 0.22, RED),
        Box(0, 3.0, 0.22, 0.7, RED),
        Box(0, -0.95, 0.6, 0.25, WHITE),
    ),
    "secretary": (
        Box(0, 3.4, 1.6, 1.9, GREY),
        Polygon(((-0.9, 1.5), (0.9, 1.5), (0, 3.0)), WHITE),
        Ellipse(0, 1.9, 0.3, 0.3, PURPLE),
    ),
    "teacher": (
        Box(0, 3.4, 1.6, 1.9, GREEN),
        Box(0, 2.9, 0.25, 1.1, YELLOW),
        Box(-0.8, 3.4, 0.4, 0.3, YELLOW),
        Box(0.8, 3.4, 0.4, 0.3, YELLOW),
    ),
}
