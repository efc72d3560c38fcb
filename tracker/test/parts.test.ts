// The parts that are plain functions, and the storage.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { campaignOf } from '../src/context.ts';
import { SESSION_MS, newId, sessionAt } from '../src/identity.ts';
import { adoptQueues, forgetQueues, keepQueue, read, write } from '../src/store.ts';
import { backoff, chunk } from '../src/transport.ts';
import { propertiesOf } from '../src/watch.ts';
import { newWorld } from './browser.ts';

test('a campaign is named as Segment names it, click ids by their own name', () => {
    assert.deepEqual(campaignOf('?utm_source=mail&utm_medium=e%20mail&utm_campaign=may&gclid=X1&fbclid=&q=utm_term'), {
        source: 'mail',
        medium: 'e mail',
        name: 'may',
        gclid: 'X1',
    });
    assert.equal(campaignOf('?q=lamp&xutm_source=no&wbraids=no'), undefined);
    assert.equal(campaignOf(''), undefined);
    for (const id of ['gclid', 'gbraid', 'wbraid', 'fbclid', 'msclkid', 'ttclid']) {
        assert.deepEqual(campaignOf(`?${id}=1`), { [id]: '1' });
    }
});

test('a session goes on until there was nothing for thirty minutes', () => {
    const [first, isNew] = sessionAt(1000);
    assert.equal(isNew, true);
    assert.equal(first.number, 1);
    const [same, again] = sessionAt(1000 + SESSION_MS - 1, JSON.stringify({ ...first, campaign: { name: 'may' } }));
    assert.equal(again, false);
    assert.deepEqual(same, { ...first, last: 1000 + SESSION_MS - 1, campaign: { name: 'may' } });
    const [second, anew] = sessionAt(same.last + SESSION_MS, JSON.stringify(same));
    assert.equal(anew, true);
    assert.equal(second.number, 2);
    assert.notEqual(second.id, first.id);
    assert.equal(second.campaign, undefined, 'a campaign belongs to its session');
});

test('a session record that is no JSON begins a new session', () => {
    for (const broken of ['', '{', 'null', '17', '"x"', '{"last":"never"}']) {
        const [session, isNew] = sessionAt(5, broken);
        assert.equal(isNew, true, broken);
        assert.equal(session.number, 1, broken);
    }
});

test('ids are 128 random bits', () => {
    const ids = new Set(Array.from({ length: 1000 }, newId));
    assert.equal(ids.size, 1000);
    ids.forEach((id) => assert.match(id, /^[0-9a-f]{32}$/));
});

test('attributes become properties, JSON gives them types, attributes win', () => {
    const attributes = [
        { name: 'class', value: 'button' },
        { name: 'data-evs-event', value: 'Product Added' },
        { name: 'data-evs-product-id', value: '007' },
        { name: 'data-evs-props', value: '{"price": 59.9, "product_id": 1}' },
        { name: 'data-other', value: 'x' },
    ];
    assert.deepEqual(propertiesOf(attributes), { product_id: '007', price: 59.9 });
    assert.deepEqual(propertiesOf([{ name: 'data-evs-props', value: '{broken' }]), {});
});

test('the wait doubles up to a minute, give or take half, unless the server says how long', () => {
    assert.equal(backoff(0, 0.5), 1000);
    assert.equal(backoff(3, 0.5), 8000);
    assert.equal(backoff(3, 0), 4000);
    assert.equal(backoff(3, 1), 12000);
    assert.equal(backoff(40, 0.5), 60000);
    assert.equal(backoff(3, 0.5, '2'), 2000);
    assert.equal(backoff(0, 0.5, 'Wed, 21 Oct 2026 07:28:00 GMT'), 1000, 'a date is not understood, and waited for as usual');
});

test('a request holds what fits into 30,000 characters, and one event at least', () => {
    const text = (length: number) => 'x'.repeat(length);
    assert.deepEqual(chunk([]), []);
    assert.equal(chunk([text(50000), text(1)]).length, 1);
    assert.equal(chunk([text(10000), text(20000), text(1)]).length, 2);
    assert.equal(chunk([text(10000), text(20001)]).length, 1);
    assert.equal(chunk(Array(100).fill(text(10))).length, 100);
});

test('a value is kept as a cookie and a copy; an empty one is wiped from both', () => {
    const world = newWorld();
    write('evs_aid', 'a;b=c', 'example.com');
    assert.match(world.cookies.written[0], /^evs_aid=a%3Bb%3Dc;path=\/;max-age=31536000;samesite=lax;domain=example\.com$/);
    assert.equal(read('evs_aid'), 'a;b=c');
    world.cookies.jar.clear();
    assert.equal(read('evs_aid'), 'a;b=c', 'from the copy');
    write('evs_aid', '');
    assert.equal(read('evs_aid'), undefined);
    assert.deepEqual(Object.keys(world.storage), []);
});

test('a cookie is secure where the page is', () => {
    const world = newWorld();
    (globalThis as { location?: unknown }).location = { protocol: 'https:' };
    write('evs_aid', 'x');
    assert.match(world.cookies.written[0], /;secure$/);
});

test('a cookie whose name ends alike is another one', () => {
    const world = newWorld();
    world.cookies.jar.set('my_evs_aid', 'other');
    assert.equal(read('evs_aid'), undefined);
});

test('a browser that throws at any look is one that keeps nothing', () => {
    newWorld();
    const refuse = () => {
        throw new Error('SecurityError');
    };
    Object.defineProperty(globalThis, 'localStorage', { get: refuse, configurable: true });
    Object.defineProperty(globalThis, 'document', { get: refuse, configurable: true });
    write('evs_aid', 'x');
    keepQueue('p', ['{}']);
    adoptQueues('p', () => assert.fail('there is nothing to adopt'));
    assert.equal(read('evs_aid'), undefined);
});

test('unsent events of other pages are adopted, once, a broken store of theirs is dropped', () => {
    const world = newWorld();
    keepQueue('one', ['{"a":1}']);
    keepQueue('two', ['{"b":1}', '{"b":2}']);
    keepQueue('mine', ['{"c":1}']);
    world.storage.setItem('evs_q.three', '[broken');
    world.storage.setItem('theirs', 'x');
    const found: string[] = [];
    adoptQueues('mine', (left) => found.push(...left));
    assert.deepEqual(found.sort(), ['{"a":1}', '{"b":1}', '{"b":2}']);
    assert.deepEqual(Object.keys(world.storage).sort(), ['evs_q.mine', 'theirs']);
    keepQueue('mine', []);
    assert.deepEqual(Object.keys(world.storage), ['theirs'], 'an empty queue takes no place');
    keepQueue('mine', ['{}']);
    forgetQueues();
    assert.deepEqual(Object.keys(world.storage), ['theirs']);
});
