"""Plots as SVG text: bars with their spread, lines over a logarithmic axis, and lines over time. The same figures give the same bytes on every machine, so that a
test can hold the pictures to the results; that is why no plotting library draws them. They follow the reader's light or dark theme."""

import html
import math

WIDTH, LEFT, RIGHT, TOP = 760, 190, 96, 34
BAR, GAP = 16, 8
HEIGHT_OF_LINES = 300
FOOT = 18
COLOURS = ("#1f6feb", "#d1742f", "#2f9e63", "#8957e5", "#b8860b", "#c2185b")
STYLE = """<style>
  text { font: 12px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 13px } .faint { fill: #656d76 } .small { font-size: 10px } .right { text-anchor: end } .middle { text-anchor: middle }
  .grid { stroke: #d0d7de; stroke-width: 1 } .spread { stroke: #24292f; stroke-width: 1.5 } .line { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .faint { fill: #9198a1 } .grid { stroke: #30363d } .spread { stroke: #e6edf3 } }
</style>"""


def number(value):
    """Few digits, with a k, M or G where they help."""
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return digits(value / (1e3 if letter == "k" else limit)) + " " + letter
    return digits(value)


def digits(value):
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def step_of(most, wanted=5):
    """A round step of which about `wanted` fit."""
    rough = most / wanted
    power = 10 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def at(value):
    return f"{value:.1f}"


class Picture:
    def __init__(self, title, width, height):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">', f"<title>{html.escape(title)}</title>", STYLE]
        self.text(0, 16, title, "title")

    def text(self, x, y, words, kind=""):
        self.parts.append(f'<text x="{at(x)}" y="{at(y)}" class="{kind}">{html.escape(str(words))}</text>')

    def line(self, x1, y1, x2, y2, kind):
        self.parts.append(f'<line x1="{at(x1)}" y1="{at(y1)}" x2="{at(x2)}" y2="{at(y2)}" class="{kind}"/>')

    def box(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{at(x)}" y="{at(y)}" width="{at(width)}" height="{at(height)}" rx="2" fill="{colour}"/>')

    def path(self, points, colour):
        way = " ".join(f"{'L' if index else 'M'}{at(x)} {at(y)}" for index, (x, y) in enumerate(points))
        self.parts.append(f'<path d="{way}" class="line" stroke="{colour}"/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{at(x)}" cy="{at(y)}" r="3" fill="{colour}"/>')

    def end(self):
        return "\n".join([*self.parts, "</svg>", ""])


def below(picture, about, y):
    """A picture is shown without its page, too: on which machine, when, and what the thin lines are."""
    picture.text(0, y, about, "faint small")


def bars(title, rows, unit, about):
    """rows: (name, median, least, most). A bar each, with a line from the least to the most; about: what stands below, in small."""
    height = TOP + len(rows) * (BAR + GAP) + 24
    picture = Picture(f"{title}, {unit}", WIDTH, height + FOOT)
    below(picture, about, height + FOOT - 4)
    most = max(row[3] for row in rows)
    span, step = WIDTH - LEFT - RIGHT, step_of(most)
    for index in range(int(most / step) + 1):
        x = LEFT + index * step / most * span
        picture.line(x, TOP - 6, x, height - 22, "grid")
        picture.text(x, height - 6, number(index * step), "faint middle")
    for index, (name, median, least, top) in enumerate(rows):
        y = TOP + index * (BAR + GAP)
        picture.text(LEFT - 8, y + 12, name, "right")
        picture.box(LEFT, y, median / most * span, BAR, COLOURS[0])
        picture.line(LEFT + least / most * span, y + BAR / 2, LEFT + top / most * span, y + BAR / 2, "spread")
        picture.text(LEFT + top / most * span + 8, y + 12, number(median))
    return picture.end()


def legend(picture, names, y):
    x = 64
    for index, name in enumerate(names):
        picture.box(x, y - 9, 12, 10, COLOURS[index])
        picture.text(x + 17, y, name)
        x += 36 + 6.6 * len(name)


def frame(picture, most, right, bottom):
    """The vertical axis: lines at round values."""
    step = step_of(most)
    for index in range(int(most / step) + 1):
        y = bottom - index * step / most * (bottom - TOP - 22)
        picture.line(64, y, right, y, "grid")
        picture.text(58, y + 4, number(index * step), "faint right")


def lines(title, series, unit, along, about, logarithmic=False):
    """series: {name: [(x, y) or (x, y, least, most)]}. Lines from zero, with a thin line from the least to the most where these are given; along: what the
    horizontal axis says; about: what stands below, in small."""
    picture = Picture(f"{title}, {unit}", WIDTH, HEIGHT_OF_LINES + FOOT)
    below(picture, about, HEIGHT_OF_LINES + FOOT - 4)
    bottom, right = HEIGHT_OF_LINES - 40, WIDTH - 24
    points = [point for values in series.values() for point in values]
    scale = math.log10 if logarithmic else float
    first, last, most = scale(min(point[0] for point in points)), scale(max(point[0] for point in points)), max(max(point[1:]) for point in points) or 1
    legend(picture, series, 36)
    frame(picture, most, right, bottom)

    def place(x, y):
        return 72 + (scale(x) - first) / ((last - first) or 1) * (right - 80), bottom - y / most * (bottom - TOP - 22)

    for x in marks(points, logarithmic, last):
        picture.text(place(x, 0)[0], bottom + 16, number(x), "faint middle")
    picture.text(right, HEIGHT_OF_LINES - 6, along, "faint right")
    for colour, values in zip(COLOURS, series.values()):
        picture.path([place(*point[:2]) for point in values], colour)
        for x, y, *spread in values if len(values) < 20 else ():
            picture.dot(*place(x, y), colour)
            if spread:
                picture.line(*place(x, spread[0]), *place(x, spread[1]), "spread")
    return picture.end()


def marks(points, logarithmic, last):
    if logarithmic:
        return sorted({point[0] for point in points})
    step = step_of(last, 6)
    return [index * step for index in range(int(last / step) + 1)]
