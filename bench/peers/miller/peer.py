"""Miller, Debian's package: verbs where they say it, its own language where they do not."""

import os

from peer import Peer, need_program, version_of

KEEP_THREE = '$event == "product_view" || $event == "add_to_cart" || $event == "purchase"'
# The minute of an ISO time in UTC is its first 16 letters: no time is parsed or formatted.
MINUTE = '$window_start = $timestamp[1:16] . ":00Z"; $price = $properties["price"]'

STATS = ["stats1", "-a", "count,sum", "-f", "price", "-g", "user_id,window_start"]

VERBS = {
    "yardstick": ["filter", KEEP_THREE, "then", "put", MINUTE, "then", *STATS, "then", "rename", "price_count,events,price_sum,value"],
    "q1": ["cut", "-o", "-f", "auction,bidder,price,date_time,extra", "then", "put", "$price = 0.908 * $price"],
    "q2": ["filter", "$auction % 123 == 0", "then", "cut", "-o", "-f", "auction,price"],
}
FILES = {"yardstick": ("clicks",), "q8": ("person", "auction")}


class Miller(Peer):
    name = "miller"
    title = "Miller"
    share = 0.1
    settings = ("its threads",)

    def prepare(self, home, may_download):
        self.program = need_program("mlr", "miller")
        return version_of([self.program, "--version"])

    def command(self, question, setting, data, output):
        verbs = VERBS.get(question) or ["put", "-q", "-f", os.path.join(self.folder, question + ".mlr")]
        files = [os.path.join(data, name + ".ndjson") for name in FILES.get(question, ("bid",))]
        return ["sh", "-c", 'out=$1; shift; exec "$@" >"$out"', "sh", output, self.program, "--ijsonl", "--ojsonl", *verbs, *files]


PEER = Miller(os.path.dirname(os.path.abspath(__file__)))
