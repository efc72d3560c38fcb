"""How the results of each suite are shown: a table of Markdown, and pictures (file, title, SVG)."""

import plot


def of(suite):
    return SHOWN.get(suite, pairs)


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *("| " + " | ".join(map(str, row)) + " |" for row in rows)]


def spread(row, form=plot.number):
    """A median and, where there were several runs, from where to where."""
    if row is None:
        return "–"
    return form(row["median"]) + (f" ({form(row['least'])} to {form(row['most'])})" if row["runs"] > 1 else "")


def three(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def rate_bars(results, file, title):
    rows = [(row["case"], row["median"], row["least"], row["most"]) for row in results.of("rate")]
    return [(file, title, plot.bars(title, rows, "events a second"))]


def rates(results, file, title, more_head=(), more=lambda row: ()):
    rows = [(row["case"], row.get("title", ""), spread(row), spread(results.find(row["case"], "cpu"), three), three(results.find(row["case"], "peak")["median"]),
             *more(row)) for row in results.of("rate")]
    head = ("", "", "events a second", "CPU seconds a million", "MB at most", *more_head)
    return table(head, rows), rate_bars(results, file, title)


def nexmark(results):
    return rates(results, "nexmark.svg", "Nexmark, one worker, from files")


def clickstream(results):
    return rates(results, "clickstream.svg", "Ten campaigns, one worker, from a file", ("triggers",), lambda row: (f"{row['triggers']:,}",))


def pairs(results):
    """Two programs that were run in turn: each, then the ratios."""
    rows = [(row["case"], spread(row), spread(results.find(row["case"], "cpu"), three), three(results.find(row["case"], "peak")["median"])) for row in results.of("rate")]
    ratios = [(f"**{row['case']}**", spread(row, lambda value: f"{value:.0f} %"), spread(results.find(row["case"], "cpu_ratio"), lambda value: f"{value:.0f} %"), "")
              for row in results.of("ratio")]
    return table(("", "a second", "CPU seconds a million", "MB at most"), rows + ratios), []


def peers(results):
    """What another engine takes for each CPU second of ours."""
    rows = []
    for row in results.of("cpu_ratio"):
        figures = {name: results.find(row["case"], name) for name in ("wall_ratio", "event_ratio", "theirs_cpu_s", "theirs_start", "theirs_peak_mb", "ours_cpu_s", "ours_peak_mb")}
        rows.append((row["question"], f"{row['title']} {row['version']}, {row['setting']}", f"**{spread(row, three)}**", spread(figures["wall_ratio"], three),
                     spread(figures["event_ratio"], three), *(three(figures[name]["median"]) for name in ("theirs_cpu_s", "theirs_start", "ours_cpu_s")),
                     f"{three(figures['theirs_peak_mb']['median'])} / {three(figures['ours_peak_mb']['median'])}", f"{row['events']:,}"))
    head = ("", "", "CPU seconds by ours", "seconds by ours", "CPU an event by ours", "CPU-s", "of them to start", "ours", "MB / ours", "events")
    return table(head, rows), []


SHOWN = {"nexmark": nexmark, "clickstream": clickstream, "peers": peers}
