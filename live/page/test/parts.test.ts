// The parts that need no browser: the stream's parser, the model, formats, the layout.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { EventParser } from '../src/feed.ts';
import { bytes, count, duration, rate, time } from '../src/format.ts';
import { draw, smooth } from '../src/layout.ts';
import { Model, plotted } from '../src/model.ts';
import type { PlanNode, Short, State, Tick, Trigger } from '../src/wire.ts';
import { detailOf, isPlumbing, keysOf, readable, titleOf } from '../src/words.ts';

const SECOND = 1_000_000;

function node(name: string, kind: PlanNode['kind']): PlanNode {
    return { name, kind, label: name, columns: [] };
}

function short(events: number): Short {
    return {
        name: 'p', file: 'p.evs', state: 'running', starts: 1, events, triggers: 0, late: 0, dead: 0, checkpoints: 0,
        lag_messages: 0, lag_us: -1, delay_us: 0, checkpoint_us: -1, state_keys: 0, state_bytes: 0,
    };
}

function state(): State {
    return {
        time_us: 0,
        pipeline: 'p',
        pipelines: [{ ...short(0), name: 'other' }, short(100)],
        plan: { pipeline: 'p', nodes: [node('s', 'source'), node('f', 'operator'), node('o', 'sink')], edges: [{ from: 's', to: 'f', output: 0 }, { from: 'f', to: 'o', output: 0 }] },
        nodes: { 0: { rows_out: 100 }, 1: { rows_out: 50 }, 2: { rows_in: 50 } },
        edges: { 0: 100, 1: 50 },
        checkpoints: [],
        reasons: [],
        groups: [],
        history: { fine: { time_us: [0], events: [100] }, coarse: { time_us: [0], events: [100] } },
        workers: 2,
    };
}

function tick(time_us: number, more: Partial<Tick>): Tick {
    return { time_us, pipelines: {}, nodes: {}, edges: {}, checkpoints: [], ...more };
}

test('events come whole, however the bytes are cut', () => {
    const text = 'event: a\ndata: {"x":1}\n\nevent: b\ndata: {}\n\n';
    for (let cut = 0; cut <= text.length; cut++) {
        const parser = new EventParser();
        const events = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
        assert.deepEqual(events, [{ name: 'a', data: '{"x":1}' }, { name: 'b', data: '{}' }]);
    }
});

test('ticks change what they name and leave the rest', () => {
    const model = new Model();
    model.setState(state());
    model.tick(tick(SECOND, { pipelines: { 1: { events: 300 } }, nodes: { 0: { rows_out: 300 } }, edges: { 0: 300 } }));
    assert.equal(model.short?.events, 300);
    assert.equal(model.pipelines[0].events, 0);
    assert.equal(model.nodes[1].rows_out, 50);
    assert.equal(model.edgeRate(0), 200);
    assert.equal(model.edgeRate(1), 0);
    assert.equal(model.shortRate('events'), 200);
    model.tick(tick(2 * SECOND, {}));
    assert.equal(model.edgeRate(0), 100);
    assert.deepEqual(model.fine, { time_us: [0, SECOND, 2 * SECOND], events: [100, 300, 300] });
    assert.deepEqual(plotted(model.fine, 'events'), [[1, 2], [200, 0]]);
});

test('a counter that begins anew is no negative rate; an unknown gauge is a gap', () => {
    assert.deepEqual(plotted({ time_us: [0, SECOND, 2 * SECOND], events: [500, 10, 30] }, 'events')[1], [0, 20]);
    assert.deepEqual(plotted({ time_us: [0, SECOND], lag_us: [-1, 7] }, 'lag_us'), [[0, 1], [null, 7]]);
});

test('busy time is a share of all workers', () => {
    const model = new Model();
    model.setState(state());
    model.tick(tick(SECOND, { nodes: { 1: { busy_us: SECOND } } }));
    assert.equal(model.nodeShare(1, 'busy_us'), 0.5);
});

test('a group keeps its name between two of its runs', () => {
    const model = new Model();
    model.setState({ ...state(), groups: [{ name: '1-0', state: 'running', holder: '' }, { name: '1-1', state: 'standby', holder: 'web (process 7)' }] });
    model.tick(tick(SECOND, { groups: [{ name: null, state: 'ended', holder: '' }, { name: '1-1', state: 'running', holder: '' }] }));
    assert.deepEqual(model.groups.map((one) => `${one.name} ${one.state}`), ['1-0 ended', '1-1 running']);
    model.tick(tick(2 * SECOND, {}));
    assert.equal(model.groups.length, 2);
});

test('a trigger that came before comes once, the newest stands first', () => {
    const model = new Model();
    model.setState(state());
    for (const number of [1, 2, 1, 3]) {
        model.trigger({ number, sink: 'o' } as Trigger);
    }
    assert.deepEqual(model.triggers.map((trigger) => trigger.number), [3, 2, 1]);
});

test('numbers and times for people', () => {
    assert.deepEqual([0.4, 12.4, 9999, 34_500, 1_250_000].map(rate), ['0.4/s', '12/s', '9,999/s', '34.5 k/s', '1.3 M/s']);
    assert.deepEqual([-1, null, 1234567].map(count), ['–', '–', '1,234,567']);
    assert.deepEqual([999, 1500, 2_000_000].map(bytes), ['999 B', '1.5 kB', '2.0 MB']);
    assert.deepEqual([-1, 0, 900, 1500, 2_500_000, 600 * SECOND, 86_400 * 3 * SECOND].map(duration), ['–', '0 s', '900 µs', '2 ms', '2.5 s', '10 min', '3 d']);
    assert.equal(time(Date.UTC(2026, 0, 5, 10, 20, 0) * 1000), '2026-01-05 10:20:00 UTC');
    assert.equal(time(Date.UTC(2026, 0, 5, 10, 20, 0, 500) * 1000), '2026-01-05 10:20:00.5 UTC');
});

test('the plan goes from left to right, or down on a phone', () => {
    const { plan } = state();
    const across = draw(plan, false).nodes;
    const down = draw(plan, true).nodes;
    assert.ok(across[0].x < across[1].x && across[1].x < across[2].x && across[0].y === across[2].y);
    assert.ok(down[0].y < down[1].y && down[1].y < down[2].y && down[0].x === down[2].x);
    assert.equal(smooth([{ x: 0, y: 0 }, { x: 10, y: 0 }, { x: 20, y: 10 }]), 'M0,0 Q10,0 15,5 L20,10');
});

test('nodes are called as their author wrote them', () => {
    const operator = (name: string, kind: string, label: string, more: Partial<PlanNode> = {}): PlanNode => ({ ...node(name, 'operator'), operator: kind, label, ...more });
    const words = (one: PlanNode) => [titleOf(one), detailOf(one), isPlumbing(one)];
    assert.deepEqual(words(operator('filter_1', 'where', "where type = 'add'")), ['where', "type = 'add'", false]);
    assert.deepEqual(words(operator('aggregate_user_id_e6f6fcea', 'aggregate', 'aggregate count(*) by user_id')), ['aggregate', 'count(*) by user_id', false]);
    assert.equal(keysOf(operator('aggregate_user_id_e6f6fcea', 'aggregate', '')), 'by user_id');
    assert.equal(keysOf(operator('aggregate_06e90031', 'aggregate', '')) + keysOf(operator('mine', 'aggregate', '')), '');
    assert.deepEqual(words(operator('version_join_sku_3f1ff334', 'version_join', 'left join bought')), ['version join', 'left join bought', false]);
    assert.deepEqual(words(operator('full', 'aggregate', 'aggregate count(*)')), ['full', 'aggregate count(*)', false]);
    assert.deepEqual(words(operator('project_1', 'select', 'keep columns')), ['columns', 'keep columns', true]);
    assert.deepEqual(words(operator('named', 'select', 'keep columns')), ['named', 'keep columns', false]);
    assert.deepEqual(words({ ...node('exchange_1', 'exchange'), label: 'exchange by user_id', keys: ['user_id'] }), ['by user_id', 'exchange by user_id', true]);
    assert.deepEqual(titleOf({ ...node('exchange_2', 'exchange'), keys: [], gather: true }), 'to one worker');
    assert.deepEqual(words({ ...node('carts', 'sink'), label: 'sink carts to nats (stream = 1)' }), ['carts', 'to nats (stream = 1)', false]);
});

test('an event is shown as pairs, and what is none as it is', () => {
    assert.deepEqual(readable('{"type":"add","user_id":"ann","gone":null,"properties":{"sku":"lamp","price":5,"deep":{"x":1}},"context":{"a":1}}'), {
        title: 'add',
        pairs: [['sku', 'lamp'], ['price', 5], ['user_id', 'ann']],
    });
    assert.deepEqual(readable('{"v":1}'), { title: '', pairs: [['v', 1]] });
    for (const text of ['{', '[1]', 'null', '7']) {
        assert.equal(readable(text), null);
    }
});
