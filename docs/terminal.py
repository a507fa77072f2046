"""A picture of a terminal: a command and what it printed, as SVG with the fonts that the reader has.

    w2vspark demo FOLDER | python docs/terminal.py 'make demo' > docs/pictures/demo.svg

Reads the text from standard input, writes the picture to standard output. The picture has its own dark background:
it looks the same on a light and on a dark page.
"""

import sys
from xml.sax.saxutils import escape

SIZE, LINE, CHARACTER = 14, 20, 8.4  # in pixels: of the font, from line to line, and from character to character
MARGIN, BAR, MOST = 18, 34, 128
BACK, BORDER, TEXT, PROMPT, TITLE = "#161b22", "#30363d", "#e6edf3", "#7ee787", "#8b949e"
DOTS = ("#ff5f57", "#febc2e", "#28c840")
FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace"


def picture(command: str, printed: str) -> str:
    """The SVG. Lines that are wider than a terminal are cut, with an ellipsis."""
    lines = [line.expandtabs() for line in printed.rstrip().splitlines()]
    lines = [line if len(line) <= MOST else f"{line[: MOST - 1]}…" for line in lines]
    columns = max(map(len, [f"$ {command}", *lines]))
    width, height = round(columns * CHARACTER + 2 * MARGIN), BAR + (len(lines) + 1) * LINE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="{FONTS}" font-size="{SIZE}">',
        f"<title>{escape(command)}</title>",
        f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="{BACK}" stroke="{BORDER}"/>',
        *[
            f'<circle cx="{MARGIN + 4 + 20 * at}" cy="{BAR / 2 + 2}" r="6" fill="{dot}"/>'
            for at, dot in enumerate(DOTS)
        ],
        _line(0, "$", PROMPT) + _line(0, command, TEXT, 2),
        *[_line(number, line, TEXT) for number, line in enumerate(lines, 1) if line.strip()],
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _line(number: int, text: str, colour: str, column: int = 0) -> str:
    """A line; its width is given, so that any font of the reader's keeps the columns."""
    column += len(text) - len(text.lstrip())
    shown = text.strip()
    x, y = MARGIN + column * CHARACTER, BAR + MARGIN + (number + 0.7) * LINE
    # Spaces inside a text would be collapsed: no-break spaces are not.
    kept = escape(shown).replace("  ", "\u00a0\u00a0")
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" textLength="{len(shown) * CHARACTER:.1f}">{kept}</text>'


if __name__ == "__main__":
    sys.stdout.write(picture(sys.argv[1], sys.stdin.read()))
