// Who sells something within the ten seconds in which they came: node q8.mjs FOLDER OUTPUT
//
// Two files are two streams; they are read one behind the other, so windows are kept until both are read. (Read in turns by their times they could be closed
// earlier, at the cost of more work.)
import { eachLine, Output } from './lines.mjs';

const SIZE = 10_000;
const [folder, path] = process.argv.slice(2);
const out = new Output(path);
const windows = new Map();

function startOf(text) {
  const time = Date.parse(text);
  return time - (time % SIZE);
}

eachLine(`${folder}/person.ndjson`, ({ id, name, date_time }) => {
  const start = startOf(date_time);
  let persons = windows.get(start);
  if (persons === undefined) windows.set(start, (persons = new Map()));
  persons.set(id, name);
});
eachLine(`${folder}/auction.ndjson`, ({ seller, date_time }) => {
  const start = startOf(date_time);
  const persons = windows.get(start);
  const name = persons?.get(seller);
  if (name !== undefined) {
    out.put(JSON.stringify({ id: seller, name, window_start: new Date(start).toISOString() }));
    persons.delete(seller);
  }
});
out.close();
