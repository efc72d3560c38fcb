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


def about(results):
    """What stands below a picture."""
    runs = max((row.get("runs", 1) for row in results.rows), default=1)
    words = [results.about["machine"], f"commit {results.about['commit']}", results.about["date"][:10]]
    words.append(f"median of {runs} runs, thin lines from the least to the most" if runs > 1 else "one run of each")
    return " · ".join(words)


def points(rows, along):
    return [(row[along], row["median"], row["least"], row["most"]) for row in rows]


def rate_bars(results, file, title):
    rows = [(row["case"], row["median"], row["least"], row["most"]) for row in results.of("rate")]
    return [(file, title, plot.bars(title, rows, "events a second", about(results)))]


def rates(results, file, title, more_head=(), more=lambda row: ()):
    rows = [(row["case"], row.get("title", ""), spread(row), spread(results.find(row["case"], "cpu"), three), three(results.find(row["case"], "peak")["median"]),
             *more(row)) for row in results.of("rate")]
    head = ("", "", "events a second", "CPU seconds a million", "MB at most", *more_head)
    return table(head, rows), rate_bars(results, file, title)


def nexmark(results):
    return rates(results, "nexmark.svg", "Nexmark, one worker, from files")


def clickstream(results):
    return rates(results, "clickstream.svg", "Ten campaigns, one worker, from a file", ("triggers",), lambda row: (f"{row['triggers']:,}",))


def scale(results):
    """Cost by keys beside what one random access costs, then partitions and workers."""
    rows, costs, accesses = [], [], []
    for row in results.of("row"):
        access = results.find(row["case"], "access")
        costs += points([row], "keys")
        accesses += points([access], "keys")
        grown, dearer = row["median"] - costs[0][1], access["median"] - accesses[0][1]
        share = f"{grown / dearer:.2f}" if dearer > 0 else ""
        rows.append((f"{row['keys']:,}", spread(row, three), f"{grown:+.0f}", spread(results.find(row["case"], "new"), three), f"{access['mb']:,.0f}",
                     spread(access, three), share))
    head = ("keys", "ns a row", "more than the first", "ns a new key", "MB of state", "ns one random access", "growth in accesses")
    title = "A row of one of so many keys, and one random access into as much memory"
    drawings = [("scale-keys.svg", title, plot.lines(title, {"a row": costs, "a random access": accesses}, "ns", "keys", about(results), logarithmic=True))]
    lines = table(head, rows)
    rates_of = results.of("rate")
    if rates_of:
        more, drawing = partitions(results, rates_of)
        lines, drawings = [*lines, "", *more], drawings + [drawing]
    return lines, drawings


def partitions(results, rates_of):
    rows, series = [], {}
    for row in rates_of:
        cpu = results.find(row["case"], "cpu")
        workers = f"{row['workers']} worker{'s' if row['workers'] > 1 else ''}"
        rows.append((row["partitions"], row["workers"], spread(row), spread(cpu, three)))
        series.setdefault(workers, []).extend(points([cpu], "partitions"))
    title = "A row from JetStream, by partitions"
    return (table(("partitions", "workers", "events a second", "ns of processor time a row"), rows),
            ("scale-partitions.svg", title, plot.lines(title, series, "ns of processor time", "partitions", about(results), logarithmic=True)))


def ysb(results):
    lines, _ = rates(results, "ysb.svg", "")
    return lines, []


def memory(results):
    names = ("allocated", "active", "resident", "told")
    rows = [(row["title"], *(f"{results.find(row['case'], name)['median']:,.0f}" for name in names)) for row in results.of("allocated")]
    title = f"Bytes a key that jemalloc has allocated, {results.about['keys']:,} keys"
    bars = [(row["case"], row["median"], row["least"], row["most"]) for row in results.of("allocated")]
    return table(("", "allocated", "in pages in use", "resident", "told by the operator"), rows), [("memory.svg", title, plot.bars(title, bars, "bytes", about(results)))]


def soak(results):
    run = results.about
    rows = [(row["case"], spread(row, three), f"{row['growth'] * 100:+.2f} %", f"{row['hourly_mb']:+.2f}") for row in results.of("memory")]
    title = f"Memory over {run['minutes']} minutes of {run['rate']:,} events a second"
    series = {row["case"]: list(zip(row["minutes"], row["mb"])) for row in results.of("series")}
    told = (f"{run['events']:,} events, {run['keys']:,} keys of state; judged from minute {run['judged_from_minute']:g}: "
            "at most " + ", ".join(f"{share * 100:g} % growth of what is {name}" for name, share in run["growth_max"].items()) + ".")
    return [told, "", *table(("", "MB", "growth in the judged time", "MB an hour"), rows)], [("soak.svg", title, plot.lines(title, series, "MB", "minutes", about(results)))]


def pairs(results):
    """Two programs that were run in turn: each, then the ratios; of other suites what they printed."""
    def whole(value):
        return f"{value:.0f} %"

    rows = [(row["case"], spread(row), spread(results.find(row["case"], "cpu"), three), three(results.find(row["case"], "peak")["median"])) for row in results.of("rate")]
    ratios = [(f"**{row['case']}**", spread(row, whole), spread(results.find(row["case"], "cpu_ratio"), whole), "") for row in results.of("ratio")]
    if rows:
        return table(("", "a second", "CPU seconds a million", "MB at most"), rows + ratios), []
    return ["```text", *(line for row in results.of("text") for line in row["lines"]), "```"], []


def latency(results):
    """Both programs at each rate, then the ratios; a picture of the median wait at each rate."""
    names = ("p50", "p99", "p999")
    rows, series = [], {}
    for row in results.of("p50"):
        program = "evstream" if row["program"] == "evstream" else "the bare republisher"
        rows.append((f"{row['rate']:,}", row["batch"], program, *(spread(results.find(row["case"], name), three) for name in names)))
        series.setdefault(program, []).extend(points([row], "rate"))
    for row in results.of("p50_ratio"):
        ratios = (spread(results.find(row["case"], f"{name}_ratio"), lambda value: f"{value:.2f}") for name in names)
        rows.append((f"{row['rate']:,}", row["batch"], "**ratio, pair by pair**", *ratios))
    rows.sort(key=lambda row: int(row[0].replace(",", "")))
    title = "From a click's publication to its trigger's, through JetStream, median"
    head = ("events a second", "events a message", "", "p50, µs", "p99, µs", "p99.9, µs")
    return table(head, rows), [("latency.svg", title, plot.lines(title, series, "µs", "events a second", about(results), logarithmic=True))]


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


SHOWN = {"nexmark": nexmark, "clickstream": clickstream, "scale": scale, "ysb": ysb, "memory": memory, "soak": soak, "latency": latency, "peers": peers}
