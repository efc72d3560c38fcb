// The auctions with the most bids of ten seconds, each two seconds: node q5.mjs FOLDER OUTPUT
//
// Bids are counted in panes of two seconds; when a pane is over, the five panes of the window that ends with it are added up. That touches a bid once.
import { eachLine, Output, Windows } from './lines.mjs';

const EVERY = 2000;
const PANES = 5;
const [folder, path] = process.argv.slice(2);
const out = new Output(path);
const panes = new Map();
let lastStart;

function endWindow(start) {
  const sums = new Map();
  for (let i = 0; i < PANES; i++) {
    for (const [auction, count] of panes.get(start + i * EVERY) ?? []) sums.set(auction, (sums.get(auction) ?? 0) + count);
  }
  const most = Math.max(...sums.values());
  const text = new Date(start).toISOString();
  for (const [auction, num] of sums) {
    if (num === most) out.put(`{"auction":${auction},"num":${num},"window_start":"${text}"}`);
  }
  panes.delete(start);
}

// The windows whose last pane is `start`, and, when panes without bids lie before it, those that end in the gap.
const windows = new Windows(EVERY, EVERY, 0, () => new Map(), (start, counts) => {
  endUntil(start - EVERY);
  panes.set(start, counts);
  endWindow(start - (PANES - 1) * EVERY);
  lastStart = start;
});
function endUntil(until) {
  for (let last = lastStart + EVERY; last <= until && panes.size > 0; last += EVERY) endWindow(last - (PANES - 1) * EVERY);
}

eachLine(`${folder}/bid.ndjson`, ({ auction, date_time }) => {
  const time = Date.parse(date_time);
  const counts = windows.at(time - (time % EVERY));
  counts?.set(auction, (counts.get(auction) ?? 0) + 1);
  windows.advance(time);
});
windows.finish();
endUntil(Infinity);
out.close();
