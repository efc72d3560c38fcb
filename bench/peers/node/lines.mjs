// What the programs of this folder share: a file as parsed lines, and rows to a file. No dependency.
//
// Chunks are read by hand, without node:readline and without a stream's events. A chunk becomes one string, because a string's slices share its bytes; a line is
// parsed alone, so that an event can be collected as soon as it is done with.
import fs from 'node:fs';

const CHUNK_BYTES = 1 << 18;
const NEWLINE = 10;

/** Calls `take` with each line's value, in order. */
export function eachLine(path, take) {
  const file = fs.openSync(path, 'r');
  let buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  let held = 0; // bytes of an unfinished line, at the buffer's start
  for (;;) {
    if (held === buffer.length) {
      buffer = Buffer.concat([buffer], buffer.length * 2); // a line longer than the buffer
    }
    const count = fs.readSync(file, buffer, held, buffer.length - held);
    if (count === 0) break;
    const filled = held + count;
    const whole = buffer.lastIndexOf(NEWLINE, filled - 1) + 1;
    takeLines(buffer.toString('utf8', 0, whole), take);
    buffer.copyWithin(0, whole, filled);
    held = filled - whole;
  }
  takeLines(buffer.toString('utf8', 0, held) + '\n', take);
  fs.closeSync(file);
}

function takeLines(text, take) {
  for (let start = 0, end; (end = text.indexOf('\n', start)) >= 0; start = end + 1) {
    if (end > start) take(JSON.parse(text.slice(start, end)));
  }
}

/** Rows as lines of JSON, written in pieces. */
export class Output {
  constructor(path) {
    this.file = fs.openSync(path, 'w');
    this.text = '';
  }

  /** The row as JSON text, without its newline. */
  put(row) {
    this.text += row + '\n';
    if (this.text.length > CHUNK_BYTES) this.flush();
  }

  flush() {
    fs.writeSync(this.file, this.text);
    this.text = '';
  }

  close() {
    this.flush();
    fs.closeSync(this.file);
  }
}

/** Windows of `size` ms that start each `every` ms, and close when the watermark (the greatest time, less `delay`) reaches their end. */
export class Windows {
  constructor(size, every, delay, make, close) {
    Object.assign(this, { size, every, delay, make, close, open: new Map(), watermark: -Infinity, nextEnd: Infinity });
  }

  /** The window that starts at `start`, or undefined when it is closed. */
  at(start) {
    let window = this.open.get(start);
    if (window === undefined) {
      if (start + this.size <= this.watermark) return undefined;
      this.open.set(start, (window = this.make()));
      this.nextEnd = Math.min(this.nextEnd, start + this.size);
    }
    return window;
  }

  advance(time) {
    this.watermark = Math.max(this.watermark, time - this.delay);
    if (this.watermark >= this.nextEnd) this.closeUntil(this.watermark);
  }

  closeUntil(watermark) {
    for (const start of [...this.open.keys()].sort((a, b) => a - b)) {
      if (start + this.size > watermark) break;
      this.close(start, this.open.get(start));
      this.open.delete(start);
    }
    this.nextEnd = this.open.size === 0 ? Infinity : Math.min(...this.open.keys()) + this.size;
  }

  finish() {
    this.closeUntil(Infinity);
  }
}
