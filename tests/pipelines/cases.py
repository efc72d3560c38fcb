"""What of each pipeline is recounted: with which parameters, from which sink. Parameters are small enough for weeks of few visitors to be full of results."""

from decimal import Decimal

import recount
from recount import DAY, HOUR, MINUTE, SECOND


class Case:
    """`options` are the pipeline's parameters, `known` the same for the recount; `delay` names the one that says how long events are waited for."""

    def __init__(self, sink, options, known, delay="delay", in_order_only=False, least=5):
        self.sink, self.options, self.known, self.delay, self.in_order_only, self.least = sink, options, known, delay, in_order_only, least


CASES = {
    "cart_abandonment": Case("abandoned_carts", {"patience": "20m", "min_value": "20", "pause": "2d"},
                             {"patience": 20 * MINUTE, "min_value": 20, "pause": 2 * DAY}),
    "checkout_abandonment": Case("abandoned_checkouts", {"patience": "15m", "pause": "1d"}, {"patience": 15 * MINUTE, "pause": DAY}),
    "browse_abandonment": Case("abandoned_products", {"exclude_days": "3", "gap": "15m"},
                               {"views": 2, "gap": 15 * MINUTE, "exclude_days": 3, "pause": 3 * DAY}),
    "price_drop": Case("price_drops", {"pause": "5d"}, {"percent": 10, "interest_days": 30, "pause": 5 * DAY}),
    "back_in_stock": Case("arrivals", {"patience_days": "4", "per_unit": "1"}, {"enough": 5, "per_unit": 1, "patience_days": 4}),
    "welcome_series": Case("welcomes", {}, {"second": 2 * DAY, "third": 5 * DAY}),
    "post_purchase": Case("messages", {}, {"tip": 7 * DAY, "review": 14 * DAY}),
    "win_back": Case("lost_customers", {"quiet": "9d"}, {"quiet": 9 * DAY, "orders": 2}),
    "replenishment": Case("reminders", {"lead": "1d", "least": "2"}, {"lead": DAY, "least": 2}),
    "high_intent_score": Case("leads", {"threshold": "30"}, {"threshold": 30, "half_life": DAY, "pause": DAY}),
    "rage_clicks": Case("outbursts", {}, {"least": 3, "quick": SECOND, "near": 30}),
    "funnel_by_hour": Case("funnels", {}, {"patience": HOUR}),
    "trending_products": Case("trends", {"span": "6h", "every": "2h", "best": "3", "min_visitors": "2"},
                              {"span": 6 * HOUR, "every": 2 * HOUR, "best": 3, "min_visitors": 2}),
    "session_summaries": Case("sessions", {}, {"gap": 30 * MINUTE}),
    "bot_filter": Case("robots", {"most": "30", "remember": "2h"}, {"most": 30, "remember": 2 * HOUR}),
    "cart_value": Case("full_carts", {"window_seconds": "3600"}, {"window": HOUR, "min_value": 50}, "delay_seconds"),
    "hot_products": Case("hot", {"window_seconds": "86400", "min_visitors": "6"}, {"window": DAY, "min_visitors": 6}, "delay_seconds"),
    "sales_by_campaign": Case("messages", {"window_seconds": "86400"}, {"window": DAY}, "delay_seconds"),
    "gold_customers": Case("gold_orders", {"gold": "300", "remember_days": "20"}, {"gold": Decimal(300), "remember": 20 * DAY}, "delay_seconds",
                           in_order_only=True),  # each order is told as it comes, with the sum so far
    "attribution": Case("conversions", {}, {"click_days": 5, "sent_days": 1}),
    "holdout_lift": Case("lift", {"days": "3"}, {"days": 3, "test_days": 28}),
}
# Of three hours of a real shop: people who look a lot and buy little.
REAL_CASES = {
    "cart_abandonment": Case("abandoned_carts", {"patience": "30m"}, {"patience": 30 * MINUTE, "min_value": 0, "pause": 7 * DAY}),
    "browse_abandonment": Case("abandoned_products", {"gap": "10m"}, {"views": 2, "gap": 10 * MINUTE, "exclude_days": 14, "pause": 3 * DAY}),
    "win_back": Case("lost_customers", {"quiet": "1h", "orders": "1"}, {"quiet": HOUR, "orders": 1}),
    "high_intent_score": Case("leads", {"threshold": "12"}, {"threshold": 12, "half_life": DAY, "pause": DAY}),
    "funnel_by_hour": Case("funnels", {}, {"patience": HOUR}, least=3),
    "trending_products": Case("trends", {"span": "30m"}, {"span": 30 * MINUTE, "every": 10 * MINUTE, "best": 10, "min_visitors": 3}),
    "session_summaries": Case("sessions", {}, {"gap": 30 * MINUTE}),
    "cart_value": Case("full_carts", {"min_value": "200"}, {"window": 5 * MINUTE, "min_value": 200}, "delay_seconds"),
    "hot_products": Case("hot", {"min_visitors": "4"}, {"window": 5 * MINUTE, "min_visitors": 4}, "delay_seconds"),
    "sales_by_campaign": Case("messages", {}, {"window": MINUTE}, "delay_seconds"),
    "gold_customers": Case("gold_orders", {}, {"gold": Decimal(500), "remember": 90 * DAY}, "delay_seconds"),
}
NEED_EXPOSURES = ("attribution", "holdout_lift")


def expected(name, events, exposures, delay_us, cases=None):
    known = {**(cases or CASES)[name].known, "delay": delay_us}
    function = getattr(recount, name)
    rows = function(events, exposures, known) if name in NEED_EXPOSURES else function(events, known)
    return [{key: value for key, value in row.items() if key != "_at"} for row in rows]
