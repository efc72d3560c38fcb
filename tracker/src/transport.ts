// How events reach the collector: batched, sent again until they are accepted, kept when the page goes.
//
//   add ──► queue ──(1 s, or 20 events)──► POST /v1/batch ──► 200: out of the queue
//             │                              │ 429, 5xx, no answer: stays, again after 1 s · 2^n ± 50 %, 60 s at most
//             │                              └ any other: the batch is wrong and is thrown away
//             └──(page goes)──► sendBeacon; while sending fails or the browser is offline: local storage
//
// The body is text/plain with the key inside and there is no header of ours, so no browser asks for permission (a CORS
// preflight) first. Events wait as texts: what a page does to its objects later changes nothing, and sizes are known.
//
// Three lessons from failing: sendBeacon says true while the server answers 503, so a sender that is in trouble does not
// trust it; the 64 KB of unfinished keepalive requests are given back only when the answer's body was read; and a request
// under way when the page goes is rejected though it arrived, so its events are sent again by the next page, with the same
// messageId.

import { adoptQueues, keepQueue } from './store.ts';
import { newId } from './identity.ts';

const BATCH_EVENTS = 20;
const CHUNK_CHARS = 30000;
const QUEUE_MAX = 1000;
const FLUSH_MS = 1000;
const RETRY_MS = 1000;
const RETRY_MAX_MS = 60000;

/** How long to wait after the n-th failure in a row (from 0); `random` is from 0 to 1, `asked` the server's Retry-After. */
export const backoff = (failures: number, random: number, asked?: string | null) =>
    +asked! * 1000 || Math.min(RETRY_MAX_MS, RETRY_MS * 2 ** failures) * (0.5 + random);

/** What goes into one request: events from the front, at least one. */
export const chunk = (queue: string[]) => {
    let count = 0;
    for (let chars = 0; count < queue.length; count++) {
        chars += queue[count].length;
        if (count && chars > CHUNK_CHARS) {
            break;
        }
    }
    return queue.slice(0, count);
};

export interface Transport {
    /** An event as JSON. */
    add(message: string): void;
    flush(): void;
    /** The page goes, or may never be seen again. */
    leave(): void;
    /** Throws away what waits. */
    clear(): void;
    /** Takes over what earlier pages could not send. */
    adopt(): void;
}

/** `mayKeep` tells whether events may be written into the browser's storage. */
export const newTransport = (host: string, key: string, mayKeep: () => boolean): Transport => {
    const url = host + '/v1/batch';
    const page = newId();
    let queue: string[] = [];
    let underWay: string[] = []; // of the queue, those in a request
    let failures = 0;
    let isKept = false;
    let timer: ReturnType<typeof setTimeout> | undefined;

    const keep = () => {
        isKept = mayKeep();
        isKept && keepQueue(page, queue);
    };

    const without = (sent: string[]) => queue.filter((message) => !sent.includes(message));

    const body = (batch: string[]) =>
        `{"batch":[${batch}],"writeKey":${JSON.stringify(key)},"sentAt":"${new Date().toISOString()}"}`;

    const later = (delay: number) => {
        timer = timer || setTimeout(flush, delay);
    };

    const stop = () => {
        clearTimeout(timer);
        timer = undefined;
    };

    const done = () => {
        queue = without(underWay);
        underWay = [];
        failures = 0;
        isKept && keep();
        queue.length && later(0);
    };

    const failed = (asked?: string | null) => {
        underWay = [];
        keep();
        stop();
        later(backoff(failures++, Math.random(), asked));
    };

    const flush = () => {
        stop();
        if (underWay.length || !queue.length) {
            return;
        }
        underWay = chunk(queue);
        fetch(url, { method: 'POST', body: body(underWay), keepalive: true })
            .then((answer) =>
                answer
                    .text()
                    .then(() =>
                        answer.status == 429 || answer.status > 499
                            ? failed(answer.headers.get('retry-after'))
                            : done(),
                    ),
            )
            .catch(() => failed());
    };

    return {
        flush,
        add(message) {
            queue.push(message);
            queue = queue.slice(-QUEUE_MAX);
            queue.length < BATCH_EVENTS || failures ? later(FLUSH_MS) : flush();
        },
        leave() {
            let rest;
            while (!failures && navigator.onLine && (rest = chunk(without(underWay))).length) {
                if (!navigator.sendBeacon(url, body(rest))) {
                    break;
                }
                queue = without(rest);
            }
            keep();
        },
        clear() {
            queue = [];
        },
        adopt() {
            adoptQueues(page, (left) => {
                queue.push(...left);
                keep();
            });
            flush();
        },
    };
};
