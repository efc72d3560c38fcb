// The transport against a real HTTP server: what arrives, how often, and what is kept.

import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';

import { adoptQueues } from '../src/store.ts';
import { newTransport, type Transport } from '../src/transport.ts';
import { newWorld, type World } from './browser.ts';

interface Request {
    url?: string;
    type?: string;
    body: { batch: { n: number }[]; writeKey: string; sentAt: string };
}

let world: World;
let server: Server;
let host: string;
let requests: Request[];
let answers: { status: number; headers?: Record<string, string> }[]; // for the next requests; then 200
let changed: () => void;
let transports: Transport[]; // of the test: none of them goes on behind it

beforeEach(async () => {
    world = newWorld();
    requests = [];
    answers = [];
    transports = [];
    changed = () => {};
    server = createServer((request, response) => {
        let text = '';
        request.on('data', (part) => (text += part));
        request.on('end', () => {
            requests.push({ url: request.url, type: request.headers['content-type'], body: JSON.parse(text) });
            const { status, headers } = answers.shift() ?? { status: 200 };
            response.writeHead(status, headers).end('{}');
            changed();
        });
    });
    await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
    host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
    transports.forEach((transport) => transport.clear());
    server.closeAllConnections();
    server.close();
});

// Until `condition` holds; the test runner's own limit ends a wait that is in vain.
async function until(condition: () => boolean) {
    while (!condition()) {
        await new Promise<void>((again) => {
            changed = again;
            setTimeout(again, 20);
        });
    }
}

const event = (n: number, padding = '') => JSON.stringify({ n, padding });
const kept = () => {
    const found: string[] = [];
    adoptQueues('another page', (left) => found.push(...left));
    return found.map((text) => JSON.parse(text).n);
};
const sent = () => requests.map((request) => request.body.batch.map(({ n }) => n));
const add = (transport: Transport, from: number, to: number) => {
    for (let n = from; n <= to; n++) {
        transport.add(event(n));
    }
};
const fresh = (mayKeep = true, to = host) => {
    const transport = newTransport(to, 'a"key', () => mayKeep);
    transports.push(transport);
    return transport;
};
const DEAD = 'http://127.0.0.1:1';

test('events of one second are one request, as text with the key inside', async () => {
    const transport = fresh();
    add(transport, 1, 3);
    await until(() => requests.length == 1);
    const [{ url, type, body }] = requests;
    assert.equal(url, '/v1/batch');
    assert.equal(type, 'text/plain;charset=UTF-8');
    assert.deepEqual(sent(), [[1, 2, 3]]);
    assert.equal(body.writeKey, 'a"key');
    assert.ok(Math.abs(Date.parse(body.sentAt) - Date.now()) < 60000);
});

test('twenty events do not wait', async () => {
    const transport = fresh();
    add(transport, 1, 20);
    await until(() => requests.length == 1);
    assert.equal(sent()[0].length, 20);
});

test('one request at a time, in order, none twice, however much comes', async () => {
    const transport = fresh();
    for (let n = 1; n <= 200; n++) {
        transport.add(event(n, 'x'.repeat(1000)));
    }
    await until(() => sent().flat().length == 200);
    assert.deepEqual(sent().flat(), Array.from({ length: 200 }, (_, i) => i + 1));
    requests.forEach(({ body }) => assert.ok(JSON.stringify(body.batch).length < 32000));
});

for (const status of [429, 500, 503]) {
    test(`${status}: the same events again, after the time that the server asks for`, async () => {
        answers = [{ status, headers: { 'retry-after': '0.05' } }];
        const transport = fresh();
        add(transport, 1, 2);
        transport.flush();
        await until(() => requests.length == 2);
        assert.deepEqual(sent(), [[1, 2], [1, 2]]);
    });
}

for (const status of [400, 401, 404, 413]) {
    test(`${status}: the batch is thrown away, the next one goes`, async () => {
        answers = [{ status }];
        const transport = fresh();
        add(transport, 1, 2);
        transport.flush();
        await until(() => requests.length == 1);
        add(transport, 3, 3);
        await until(() => requests.length == 2);
        assert.deepEqual(sent(), [[1, 2], [3]]);
    });
}

test('what a dead server did not take is kept, and adopted by the next page', async () => {
    const dead = fresh(true, DEAD);
    add(dead, 1, 2);
    dead.flush();
    await until(() => Object.keys(world.storage).length == 1);
    dead.clear(); // as if its page had gone
    const next = fresh();
    next.adopt();
    await until(() => requests.length == 1);
    assert.deepEqual(sent(), [[1, 2]]);
    await until(() => !Object.keys(world.storage).length);
});

test('nothing is kept where nothing may be', async () => {
    answers = [{ status: 503, headers: { 'retry-after': '0.05' } }];
    const transport = fresh(false);
    add(transport, 1, 1);
    transport.flush();
    await until(() => requests.length == 2);
    transport.leave();
    assert.deepEqual(Object.keys(world.storage), []);
});

test('a page that goes sends a beacon, with what is not in a request', async () => {
    const transport = fresh();
    add(transport, 1, 2);
    transport.flush();
    add(transport, 3, 4);
    transport.leave();
    assert.deepEqual(world.beacons.map(({ body }) => JSON.parse(body).batch.map((e: { n: number }) => e.n)), [[3, 4]]);
    assert.equal(world.beacons[0].url, host + '/v1/batch');
    assert.deepEqual(kept(), [1, 2], 'the request under way may still fail: the next page knows its events');
});

test('a page that was only hidden forgets what it kept as soon as it has arrived', async () => {
    const transport = fresh();
    add(transport, 1, 2);
    transport.flush();
    transport.leave();
    assert.equal(Object.keys(world.storage).length, 1);
    await until(() => requests.length == 1 && !Object.keys(world.storage).length);
});

test('no beacon while sending fails: it would be accepted and lost', async () => {
    answers = Array(9).fill({ status: 503 });
    const transport = fresh();
    add(transport, 1, 2);
    transport.flush();
    await until(() => Object.keys(world.storage).length == 1);
    transport.leave();
    assert.deepEqual(world.beacons, []);
    assert.deepEqual(kept(), [1, 2]);
});

test('no beacon while the browser is offline, nor one that it refuses', () => {
    const transport = fresh();
    world.isOnline = false;
    add(transport, 1, 1);
    transport.leave();
    assert.deepEqual(kept(), [1]);
    world.isOnline = true;
    world.beaconTakes = false;
    transport.leave();
    assert.deepEqual(kept(), [1]);
    world.beaconTakes = true;
    transport.leave();
    assert.equal(world.beacons.length, 1);
    assert.deepEqual(kept(), []);
});

test('what was cleared while in a request is not sent again', async () => {
    answers = [{ status: 503, headers: { 'retry-after': '0.02' } }];
    const transport = fresh();
    add(transport, 1, 1);
    transport.flush();
    transport.clear();
    await until(() => requests.length == 1);
    add(transport, 2, 2);
    await until(() => requests.length == 2);
    assert.deepEqual(sent(), [[1], [2]]);
});

test('of more than a thousand the newest stay', () => {
    world.isOnline = false;
    const transport = fresh(true, DEAD);
    add(transport, 1, 1200);
    transport.leave();
    const left = kept();
    assert.equal(left.length, 1000);
    assert.equal(left[999], 1200);
});
