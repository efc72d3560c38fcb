// The highest bids of each ten seconds: node q7.mjs FOLDER OUTPUT
import { eachLine, Output, Windows } from './lines.mjs';

const SIZE = 10_000;
const [folder, path] = process.argv.slice(2);
const out = new Output(path);
const windows = new Windows(SIZE, SIZE, 0, () => ({ price: -Infinity, bids: [] }), (start, best) => {
  for (const { auction, price, bidder, date_time, extra } of best.bids) {
    out.put(JSON.stringify({ auction, price, bidder, date_time, extra }));
  }
});

eachLine(`${folder}/bid.ndjson`, (bid) => {
  const time = Date.parse(bid.date_time);
  const best = windows.at(time - (time % SIZE));
  if (best !== undefined && bid.price >= best.price) {
    if (bid.price > best.price) best.bids.length = 0;
    best.price = bid.price;
    best.bids.push(bid);
  }
  windows.advance(time);
});
windows.finish();
out.close();
