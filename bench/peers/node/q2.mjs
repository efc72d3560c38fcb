// The bids of some auctions: node q2.mjs FOLDER OUTPUT
import { eachLine, Output } from './lines.mjs';

const [folder, path] = process.argv.slice(2);
const out = new Output(path);
eachLine(`${folder}/bid.ndjson`, ({ auction, price }) => {
  if (auction % 123 === 0) out.put(`{"auction":${auction},"price":${price}}`);
});
out.close();
