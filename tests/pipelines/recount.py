"""What each pipeline of pipelines/ should say about a shop's weeks, counted plainly: loops over events in order, with everything kept in memory.

Nothing here knows the engine: the functions follow the sentences at the head of each pipeline, with the parameters that the test gives. An event is
a dict with `at` (microseconds), `type`, `user`, `visitor`, `id` and the properties by their names; events come sorted by time, each once.
Rows are dicts; times in them are microseconds.
"""

import collections
import itertools
import math
import statistics
from decimal import ROUND_HALF_UP, Decimal

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
FOREVER = 1 << 62
FUNNEL = ("product_view", "add_to_cart", "checkout", "purchase")


def by(events, key):
    groups = collections.defaultdict(list)
    for event in events:
        if key(event) is not None:
            groups[key(event)].append(event)
    return groups


def users(events):
    return by(events, lambda event: event["user"]).items()


def half_away(number, digits):
    """As GoogleSQL rounds: halves away from zero."""
    return Decimal(repr(number)).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def spaced(rows, key, pause):
    """Rows in order of `_at`, at most one of a key within `pause`."""
    last, kept = {}, []
    for row in sorted(rows, key=lambda row: row["_at"]):
        if row["_at"] - last.get(key(row), -FOREVER) >= pause:
            last[key(row)] = row["_at"]
            kept.append(row)
    return kept


def left_alone(events, is_step, is_stop, patience, longest=DAY):
    """Groups of steps that nothing stopped: each step within `patience` of the one before, none of the stops within `patience` of the last."""
    open_group = []
    for event in [*events, {"at": FOREVER, "type": "end"}]:
        if open_group and (event["at"] > open_group[-1]["at"] + patience):
            yield open_group
            open_group = []
        if event["type"] == "end":
            return
        if is_stop(event):
            open_group = []
        elif is_step(event):
            if open_group and event["at"] > open_group[0]["at"] + longest:
                continue  # belongs to no group; begins none while the other one waits
            open_group.append(event)


def cart_abandonment(events, p):
    rows = []
    for user, own in users(events):
        own = [e for e in own if e["type"] in ("add_to_cart", "remove_from_cart", "checkout", "purchase")]
        for group in left_alone(own, lambda e: "cart" in e["type"], lambda e: e["type"] in ("checkout", "purchase"), p["patience"]):
            change = [(e, e["quantity"] if e["type"] == "add_to_cart" else -e["quantity"]) for e in group]
            items, value = sum(n for _, n in change), sum(e["price"] * n for e, n in change)
            if items > 0 and value >= p["min_value"]:
                last = [e["sku"] for e, n in change if n > 0][-1]
                rows.append({"_at": group[-1]["at"] + p["patience"], "user_id": user, "items": items, "value": value, "last_sku": last})
    return spaced(rows, lambda row: row["user_id"], p["pause"])


def checkout_abandonment(events, p):
    rows = []
    for user, own in users(events):
        own = [e for e in own if e["type"] in ("checkout", "purchase")]
        for group in left_alone(own, lambda e: e["type"] == "checkout", lambda e: e["type"] == "purchase", p["patience"]):
            last = group[-1]
            rows.append({"_at": last["at"] + p["patience"], "user_id": user, "value": last["value"], "items": last["items"], "attempts": len(group),
                         "left_at": last["at"]})
    return spaced(rows, lambda row: row["user_id"], p["pause"])


def sessions(events, gap, longest=FOREVER):
    current = []
    for event in events:
        if current and (event["at"] - current[-1]["at"] >= gap or event["at"] >= current[0]["at"] + longest):
            yield current
            current = []
        current.append(event)
    if current:
        yield current


def browse_abandonment(events, p):
    rows = []
    for user, own in users(events):
        bought = [e["at"] for e in own if e["type"] == "purchase"]
        for visit in sessions(own, p["gap"]):
            views = collections.Counter(e["sku"] for e in visit if e["type"] == "product_view")
            if not views or any(e["type"] in ("add_to_cart", "checkout", "purchase") for e in visit):
                continue
            sku, count = max(views.items(), key=lambda item: item[1])
            end = visit[-1]["at"] + p["gap"] - 1
            if count >= p["views"] and not any(end - p["exclude_days"] * DAY < at <= end for at in bought):
                ties = {name for name, n in views.items() if n == count}
                rows.append({"_at": end, "user_id": user, "sku": ties, "views": count, "visit_started": visit[0]["at"]})
    return spaced(rows, lambda row: row["user_id"], p["pause"])


def price_drop(events, p):
    rows, views, bought = [], collections.defaultdict(list), {}
    for e in events:
        if e["type"] == "product_view" and e["user"]:
            views[e["sku"]].append(e)
        elif e["type"] == "purchase" and e["user"]:
            bought.update({(e["user"], line["sku"]): e["at"] for line in e["products"]})
        elif e["type"] == "price_change" and e["price"] < e["was"]:
            last = {}
            for view in views[e["sku"]]:
                if view["at"] >= e["at"] - p["interest_days"] * DAY:
                    last[view["user"]] = view
            for user, view in last.items():
                enough = e["price"] <= view["price"] * (100 - p["percent"]) / 100
                if enough and bought.get((user, e["sku"]), -1) < view["at"]:
                    rows.append({"_at": e["at"], "user_id": user, "sku": e["sku"], "was": view["price"], "price": e["price"], "viewed_at": view["at"]})
    return spaced(rows, lambda row: (row["user_id"], row["sku"]), p["pause"])


def back_in_stock(events, p):
    rows, stock, wishes, told = [], {}, collections.defaultdict(list), {}
    patience = p["patience_days"] * DAY
    for e in events:
        if e["type"] == "stock_change":
            stock[e["sku"]] = e["stock"]
            if e["stock"] < p["enough"]:
                continue
            waiting = {}
            for wish in wishes[e["sku"]]:
                if wish["at"] >= e["at"] - patience:
                    waiting.setdefault(wish["user"], wish["at"])
            waiting = {user: at for user, at in waiting.items() if e["at"] - told.get((user, e["sku"]), -FOREVER) >= patience}
            for place, (at, user) in enumerate(sorted((at, user) for user, at in waiting.items())):
                told[user, e["sku"]] = e["at"]
                if place < e["stock"] * p["per_unit"]:
                    rows.append({"user_id": user, "sku": e["sku"], "stock": e["stock"], "waited_since": at})
        elif e["type"] == "product_view" and e["user"] and stock.get(e["sku"]) == 0:
            wishes[e["sku"]].append(e)
    return rows


def welcome_series(events, p):
    rows = []
    for user, own in users(events):
        begun = [e["at"] for e in own if e["type"] == "signed_up" and e["consent"]][:1]
        bought = [e["at"] for e in own if e["type"] == "purchase"]
        for at in begun:
            steps = ((1, 0), (2, p["second"]), (3, p["third"]))
            rows += [{"user_id": user, "step": step, "signed_up_at": at} for step, wait in steps
                     if step == 1 or not any(at <= order <= at + wait for order in bought)]
    return rows


def post_purchase(events, p):
    rows = []
    returned = {e["order_id"]: e["at"] for e in events if e["type"] == "refund"}
    for e in events:
        if e["type"] == "purchase" and e["user"]:
            steps = ((1, 0), (2, p["tip"]), (3, p["review"]))
            rows += [{"user_id": e["user"], "order_id": e["order_id"], "step": step, "value": e["value"], "ordered_at": e["at"]} for step, wait in steps
                     if step == 1 or returned.get(e["order_id"], FOREVER) > e["at"] + wait]
    return rows


def win_back(events, p):
    rows = []
    for user, own in users(events):
        for visit in sessions(own, p["quiet"]):
            orders = [e["value"] for e in visit if e["type"] == "purchase"]
            if len(orders) >= p["orders"]:
                rows.append({"user_id": user, "orders": len(orders), "spent": sum(orders), "last_seen": visit[-1]["at"]})
    return rows


def replenishment(events, p):
    rows, times = [], collections.defaultdict(list)
    for e in events:
        if e["type"] != "purchase" or not e["user"]:
            continue
        for sku in {line["sku"] for line in e["products"]}:
            times[e["user"], sku].append(e["at"])
    for (user, sku), own in times.items():
        # (moment, pause before it); what is bought again on the same day is no purchase of its own
        bought = [(at, at - before if before else None) for before, at in zip([None, *own], own) if before is None or at - before >= DAY]
        for i, (at, _) in enumerate(bought):
            if i + 1 < p["least"]:
                continue
            rhythm = statistics.median_low([pause // SECOND for _, pause in bought[1 : i + 1]][-5:])
            due_at = at + rhythm * SECOND
            if not any(at < again <= max(at, due_at - p["lead"]) for again in own):
                rows.append({"user_id": user, "sku": sku, "every_days": (rhythm + 43200) // 86400, "last_bought": at, "due_at": due_at})
    return rows


def high_intent_score(events, p):
    """Events of one moment count together; a visitor who was away for four days begins anew."""
    rows = []
    for visitor, own in by(events, lambda e: e["visitor"]).items():
        earned, seen, bought_at, last_at = [], {}, -FOREVER, -FOREVER
        for at, moment in itertools.groupby((e for e in own if e["type"] in FUNNEL), lambda e: e["at"]):
            moment = list(moment)
            earned, last_at = earned if at - last_at < 4 * DAY else [], at
            for e in moment:
                if e["type"] == "product_view":
                    earned.append((3 if at - seen.get(e["sku"], -FOREVER) < 4 * DAY else 1, at))
                    seen[e["sku"]] = at
                elif e["type"] == "purchase":
                    bought_at = at
                else:
                    earned.append(({"add_to_cart": 8, "checkout": 15}[e["type"]], at))
            earned = [(points, t) for points, t in earned if t > bought_at]
            score = sum(points * 0.5 ** ((at - t) / p["half_life"]) for points, t in earned)
            if score >= p["threshold"]:
                rows += [{"_at": at, "anonymous_id": visitor, "user_id": e["user"], "score": half_away(score, 1), "last_sku": e.get("sku")} for e in moment]
    return spaced(rows, lambda row: row["anonymous_id"], p["pause"])


def rage_clicks(events, p):
    rows = []
    for visitor, own in by((e for e in events if e["type"] == "click"), lambda e: e["visitor"]).items():
        bursts = []
        for e in own:
            before = bursts[-1][-1] if bursts else None
            if before and e["at"] - before["at"] <= p["quick"] and math.dist((e["x"], e["y"]), (before["x"], before["y"])) <= p["near"]:
                bursts[-1].append(e)
            else:
                bursts.append([e])
        rows += [{"anonymous_id": visitor, "page": b[-1].get("path"), "target": b[-1]["target"], "clicks": len(b), "began_at": b[0]["at"]}
                 for b in bursts if len(b) >= p["least"]]
    return rows


def funnel_step(types, patience):
    """The longest beginning of the funnel that (time, type) pairs go through, within `patience` of its first step."""
    best, starts = 0, [None] * len(FUNNEL)  # the latest first step of which each step was reached
    for at, kind in types:
        step = FUNNEL.index(kind)
        start = at if step == 0 else starts[step - 1]
        if start is not None and at - start <= patience:
            starts[step] = start
            best = max(best, step + 1)
    return best


def funnel_by_hour(events, p):
    hours = collections.defaultdict(lambda: collections.defaultdict(list))
    for e in events:
        if e["type"] in FUNNEL and e["visitor"]:
            hours[e["at"] // HOUR * HOUR][e["visitor"]].append((e["at"], e["type"]))
    rows = []
    for start, visitors in hours.items():
        steps = [funnel_step(types, p["patience"]) for types in visitors.values()]
        reached = [sum(step > i for step in steps) for i in range(4)]
        rows.append({"window_start": start, "window_end": start + HOUR, **dict(zip(("viewed", "added", "paid", "bought"), reached)),
                     "conversion": round(Decimal(reached[3]) / reached[0], 3) if reached[0] else None})
    return rows


def trending_products(events, p):
    windows = collections.defaultdict(lambda: collections.defaultdict(set))
    for e in events:
        if e["type"] == "product_view":
            first = (e["at"] - p["span"]) // p["every"] * p["every"] + p["every"]
            for start in range(first, e["at"] + 1, p["every"]):
                windows[start][e["sku"]].add(e["visitor"])
    rows = []
    for start, products in windows.items():
        def before(sku):
            return len(windows[start - p["span"]][sku]) if start - p["span"] in windows and sku in windows[start - p["span"]] else 0
        grown = [(len(who) - before(sku), len(who), sku) for sku, who in products.items() if len(who) >= p["min_visitors"] and len(who) > before(sku)]
        ranked = sorted(grown, key=lambda one: (-one[0], -one[1], one[2]))
        rows += [{"window_start": start, "window_end": start + p["span"], "place": i + 1, "sku": sku, "visitors": n, "before": n - growth, "growth": growth}
                 for i, (growth, n, sku) in enumerate(ranked[: p["best"]])]
    return rows


def session_summaries(events, p):
    rows = []
    for visitor, own in by(events, lambda e: e["visitor"]).items():
        for visit in sessions(own, p["gap"], DAY):
            kinds = collections.Counter(e["type"] for e in visit)
            known = [e["user"] for e in visit if e["user"]]
            campaigns = [e["campaign"] for e in visit if e["campaign"]]
            rows.append({
                "anonymous_id": visitor, "user_id": known[-1] if known else None, "started_at": visit[0]["at"], "ended_at": visit[-1]["at"],
                "seconds": (visit[-1]["at"] - visit[0]["at"]) // SECOND, "medium": "direct", "campaign": campaigns[0] if campaigns else None,
                "landing": visit[0]["url"], "pages": kinds["page"], "views": kinds["product_view"],
                "products": len({e["sku"] for e in visit if e["type"] == "product_view"}), "carts": kinds["add_to_cart"], "orders": kinds["purchase"],
                "revenue": sum(e["value"] for e in visit if e["type"] == "purchase"), "is_bounce": len(visit) == 1})
    return rows


def bot_filter(events, p):
    """Robots; the people are all others."""
    minutes = collections.Counter((e["visitor"], e["at"] // MINUTE * MINUTE) for e in events if e["visitor"])
    found = collections.defaultdict(list)
    for (visitor, start), count in minutes.items():
        if count > p["most"]:
            found[visitor].append(start + MINUTE - 1)
    rows = []
    for e in events:
        is_quick = any(at <= e["at"] < at + p["remember"] for at in found.get(e["visitor"], ()))
        reason = "user_agent" if "bot" in (e["agent"] or "") else "quick" if is_quick else None
        if reason:
            rows.append({"reason": reason, "event_id": e["id"], "type": e["type"], "occurred_at": e["at"], "anonymous_id": e["visitor"], "agent": e["agent"]})
    return rows


# --- the four of the demo ------------------------------------------------------------------------------------------------------


def windows_of(events, size, key):
    groups = collections.defaultdict(list)
    for event in events:
        start = event["at"] // size * size
        groups[key(event), start].append(event)
    return sorted(groups.items(), key=lambda item: item[0][1])


def cart_value(events, p):
    carts = [e for e in events if e["type"] == "add_to_cart" and e["user"]]
    rows = [{"user_id": user, "window_start": start, "window_end": start + p["window"], "items": len(own),
             "value": sum(e["price"] * e["quantity"] for e in own), "dearest": max(e["price"] for e in own)}
            for (user, start), own in windows_of(carts, p["window"], lambda e: e["user"])]
    return [row for row in rows if row["value"] >= p["min_value"]]


def hot_products(events, p):
    views = [e for e in events if e["type"] == "product_view"]
    rows = [{"sku": sku, "window_start": start, "window_end": start + p["window"], "views": len(own), "visitors": len({e["visitor"] for e in own})}
            for (sku, start), own in windows_of(views, p["window"], lambda e: e["sku"])]
    return [row for row in rows if row["visitors"] >= p["min_visitors"]]


def sales_by_campaign(events, p):
    orders = [e for e in events if e["type"] == "purchase"]
    return [{"campaign": campaign, "window_start": start, "window_end": start + p["window"], "orders": len(own), "revenue": sum(e["value"] for e in own),
             "average": sum(e["value"] for e in own) / len(own), "largest": max(e["value"] for e in own)}
            for (campaign, start), own in windows_of(orders, p["window"], lambda e: e["campaign"] or "direct")]


def gold_customers(events, p):
    """Orders are added as they come; a customer is forgotten when the watermark before an order has passed the one before by `remember`."""
    rows, known, watermark = [], {}, -FOREVER
    for e in events:
        if e["type"] == "purchase" and e["user"]:
            orders, spent, last = known.get(e["user"], (0, Decimal(0), FOREVER))
            if watermark >= last + p["remember"]:
                orders, spent = 0, Decimal(0)
            known[e["user"]] = orders + 1, spent + e["value"], e["at"]
            if spent + e["value"] >= p["gold"]:
                rows.append({"user_id": e["user"], "orders": orders + 1, "spent": spent + e["value"], "revision": orders})
        watermark = e["at"] - p["delay"]
    return rows


# --- what messages bring -------------------------------------------------------------------------------------------------------


def attribution(events, exposures, p):
    rows = []
    for user, own in users(events):
        touches = [(x["at"], 0, x["campaign"]) for x in exposures if x["user_id"] == user and x["test_group"] == "treated"]
        touches += [(e["at"], 1, e["campaign"]) for e in own if e["via"] == "evstream" and e["type"] != "purchase"]
        for e in own:
            if e["type"] != "purchase":
                continue
            counts = [t for t in touches if t[0] <= e["at"] and t[0] >= e["at"] - (p["click_days"] if t[1] else p["sent_days"]) * DAY]
            if counts:
                at, is_click, campaign = max(counts)
                rows.append({"order_id": e["order_id"], "user_id": user, "value": e["value"], "campaign": campaign,
                             "touch": "click" if is_click else "sent", "touched_at": at, "ordered_at": e["at"]})
    return rows


def wilson(buyers, people, z=1.96):
    share, middle = buyers / people, 1 + z * z / people
    half = z * math.sqrt(share * (1 - share) / people + z * z / 4 / people / people)
    return (share + z * z / 2 / people - half) / middle, (share + z * z / 2 / people + half) / middle


def lift_of(treated, held_out):
    """What people spent in both groups (0: not bought) → the figures of a row."""
    n1, n2 = len(treated), len(held_out)
    x1, x2 = sum(v is not None for v in treated), sum(v is not None for v in held_out)
    p1, p2, (l1, u1), (l2, u2) = x1 / n1, x2 / n2, wilson(x1, n1), wilson(x2, n2)
    low, high = p1 - p2 - math.hypot(p1 - l1, u2 - p2), p1 - p2 + math.hypot(u1 - p1, p2 - l2)
    a, b = [float(v or 0) for v in treated], [float(v or 0) for v in held_out]
    d = statistics.fmean(a) - statistics.fmean(b)
    half = 1.96 * math.sqrt(statistics.variance(a) / n1 + statistics.variance(b) / n2) if min(n1, n2) > 1 else None
    return {"treated": n1, "treated_buyers": x1, "held_out": n2, "held_out_buyers": x2, "lift": half_away(p1 - p2, 4), "lift_low": half_away(low, 4),
            "lift_high": half_away(high, 4),
            "is_sure": low > 0 or high < 0, "spent_lift": half_away(d, 2),
            "spent_low": None if half is None else half_away(d - half, 2), "spent_high": None if half is None else half_away(d + half, 2)}


def holdout_lift(events, exposures, p):
    horizon, test = p["days"] * DAY, p["test_days"] * DAY
    bought, last, people = collections.defaultdict(list), {}, []
    for e in events:
        if e["type"] == "purchase" and e["user"]:
            bought[e["user"]].append(e)
    for x in exposures:
        key = x["campaign"], x["user_id"]
        if x["at"] - last.get(key, -FOREVER) >= horizon:
            last[key] = x["at"]
            orders = [e["value"] for e in bought[x["user_id"]] if x["at"] < e["at"] <= x["at"] + horizon]
            people.append((x["at"] + horizon, x["campaign"], x["test_group"], sum(orders) if orders else None))
    groups = collections.defaultdict(lambda: {"treated": [], "held_out": []})
    for at, campaign, group, spent in people:
        for end in range(at // DAY * DAY + DAY, at + test + 1, DAY):
            if end - test <= at < end:
                groups[campaign, end][group].append(spent)
    return [{"campaign": campaign, "window_start": end - test, "window_end": end, **lift_of(of["treated"], of["held_out"])}
            for (campaign, end), of in groups.items() if of["treated"] and of["held_out"]]
