"""Quiet hours across both clock changes of a year, in three time zones: when does campaign_control.evs let a message go?

A trigger every half hour from two days before a change to a day after it; the moments come from Python's zoneinfo. Two kinds of quiet hours: an
ordinary night, and one that ends in the very hour that is skipped or comes twice.
"""

import json
import os
import re
from datetime import datetime, time, timedelta, timezone
from zoneinfo import ZoneInfo

from evs import ROOT, Skip, same

ZONES = {
    "Europe/Berlin": ("2026-03-29", "2026-10-25"),
    "America/New_York": ("2026-03-08", "2026-11-01"),
    "Australia/Lord_Howe": ("2026-10-04", "2026-04-05"),  # by half an hour
}
NIGHTS = {"from nine to eight": (time(21), time(8)), "into the change": (time(22, 30), time(2, 15))}
MINUTE = timedelta(minutes=1)
STEP = timedelta(minutes=30)
# Not at full minutes, so that a step never lies at the end of a window.
FIRST_OFFSET = timedelta(minutes=7, seconds=30)


def text_of(moment):
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def is_quiet(moment, zone, night):
    local = moment.astimezone(zone).time()
    return local >= night[0] or local < night[1]


def sent_at(came, zone, night):
    """When the message of a trigger leaves: at the end of its minute; if that is in the quiet hours, of the first minute behind them. Minute by minute, as one who looks at
    the clock on the wall."""
    if is_quiet(came + MINUTE, zone, night):
        came = (came + MINUTE).replace(second=0)
        while is_quiet(came, zone, night):
            came += MINUTE
    return came.replace(second=0) + MINUTE


def steps_of(zone, change, night):
    """Lines of a test: the clock moves by half an hour, what is due is expected, the next trigger comes."""
    first = datetime.fromisoformat(change).replace(tzinfo=timezone.utc) - timedelta(days=2) + FIRST_OFFSET
    waiting, lines = [], []
    for number in range(4 * 48):
        now = first + number * STEP
        lines.append(f"    advance to '{text_of(now)}'")
        due = [row for moment, row in waiting if moment < now]
        waiting = [(moment, row) for moment, row in waiting if moment >= now]
        lines.append("    expect messages" if due else "    expect messages nothing")
        lines += [f"        {row}" for row in due]
        if number < 3 * 48:
            moment = sent_at(now, zone, night)
            row = json.dumps({"trigger_id": f"t{number}", "user_id": f"u{number}", "sent_at": text_of(moment)})
            waiting.append((moment, row))
            lines += ["    given triggers", '        {"trigger_id":"t%d","campaign":"cart_abandonment","user_id":"u%d"}' % (number, number)]
    assert not waiting
    return lines


def test_of(title, zone_name, change, night):
    profiles = [json.dumps({"user_id": f"u{i}", "consent": True, "time_zone": zone_name}) for i in range(3 * 48)]
    lines = [f"test '{title}' {{", "    with holdout = 0", f"    with quiet_from = '{night[0]}'", f"    with quiet_until = '{night[1]}'", "    given profiles"]
    lines += [f"        {profile}" for profile in profiles]
    return "\n".join([*lines, *steps_of(ZoneInfo(zone_name), change, night), "};\n"])


def nights_around_changes(suite):
    try:
        [ZoneInfo(name) for name in ZONES]
    except Exception as failure:
        raise Skip(f"no time zones here: {failure}") from failure
    path = os.path.relpath(os.path.join(ROOT, "pipelines/campaign_control.evs"), suite.folder)
    tests = [test_of(f"quiet hours {night}: {zone} {change}", zone, change, NIGHTS[night])
             for zone, changes in ZONES.items() for change in changes for night in NIGHTS]
    suite.write("quiet_hours.evs", f"import '{path}';\n\n" + "\n".join(tests))
    done = suite.run("test", "quiet_hours.evs", "--only", "quiet hours")
    if done.returncode != 0:
        raise AssertionError((done.stdout + done.stderr).decode()[:3000])
    same(re.findall(r"(\d+) passed", done.stdout.decode()), [str(len(tests))], "tests that passed")


def add_tests(suite):
    suite.test("quiet hours across clock changes", lambda: nights_around_changes(suite))
