// 1-minute count and sum by user, of three kinds of events: node yardstick.mjs FOLDER OUTPUT
import { eachLine, Output, Windows } from './lines.mjs';

const MINUTE = 60_000;
const wanted = new Set(['product_view', 'add_to_cart', 'purchase']);
const [folder, path] = process.argv.slice(2);
const out = new Output(path);
const windows = new Windows(MINUTE, MINUTE, 5000, () => new Map(), (start, users) => {
  const minute = new Date(start).toISOString();
  for (const [user, total] of users) {
    out.put(`{"user_id":${JSON.stringify(user)},"window_start":"${minute}","events":${total.events},"value":${total.value}}`);
  }
});

eachLine(`${folder}/clicks.ndjson`, (event) => {
  const time = Date.parse(event.timestamp);
  if (wanted.has(event.event)) {
    const users = windows.at(time - (time % MINUTE));
    if (users !== undefined) {
      const total = users.get(event.user_id);
      if (total === undefined) {
        users.set(event.user_id, { events: 1, value: event.properties.price });
      } else {
        total.events++;
        total.value += event.properties.price;
      }
    }
  }
  windows.advance(time);
});
windows.finish();
out.close();
