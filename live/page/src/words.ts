// The plan in the words of its author: what a node is called and what it does.

import type { PlanNode } from './wire.ts';

/** Names that the compiler makes: kind and number, or kind, keys and a hash. */
const MADE = /_([0-9a-f]{8}|\d+)$/;

/** What moves or reshapes rows, and decides nothing: it is drawn small. */
export function isPlumbing(node: PlanNode): boolean {
    return node.kind === 'exchange' || (node.operator === 'select' && MADE.test(node.name));
}

export function titleOf(node: PlanNode): string {
    if (node.kind === 'exchange') {
        return node.gather || !node.keys || node.keys.length === 0 ? 'to one worker' : `by ${node.keys.join(', ')}`;
    }
    if (node.operator === undefined || !MADE.test(node.name)) {
        return node.name;
    }
    return node.operator === 'select' ? 'columns' : node.operator.replaceAll('_', ' ');
}

/** The keys of an operator, which are in the name that the compiler made; '' when it has none, or a name of its own. */
export function keysOf(node: PlanNode): string {
    const keys = MADE.test(node.name) && node.operator ? node.name.replace(MADE, '').slice(node.operator.length + 1) : '';
    return keys === '' ? '' : `by ${keys}`;
}

/** What stands behind the title: the operator's text without the word that the title has, a connector's without its name. */
export function detailOf(node: PlanNode): string {
    const title = titleOf(node);
    if (node.kind === 'source' || node.kind === 'sink') {
        return node.label.replace(`${node.kind} ${node.name} `, '');
    }
    return node.label.startsWith(`${title} `) ? node.label.slice(title.length + 1) : node.label;
}

const REASONS: Record<string, string> = {
    json: 'is no JSON',
    utf8: 'is no UTF-8 text',
    type: 'a value is of another type than its column',
    null: 'a value that must be there is missing',
    depth: 'is nested too deeply',
    oversize: 'is too large',
    null_event_time: 'has no time',
    future: 'its time lies too far in the future',
    null_address: 'a value of its address is missing',
    range: 'a value is too large for its column',
    partition: 'came in the wrong partition',
    overflow: 'a result is too large for its type',
    lookup: 'a table gave no answer',
    refused: 'the receiver refuses it',
    gave_up: 'the receiver has not taken it in time',
    assertion: 'an assertion does not hold',
    division_by_zero: 'a division by zero',
    cast: 'a value cannot be converted',
};

/** Why rows died, for people who have not read the manual; '' where the word says it. */
export function reasonText(reason: string): string {
    return REASONS[reason] ?? '';
}

/** Told elsewhere, or of no use to a reader. */
const UNTOLD = new Set(['event_id', 'occurred_at', 'received_at', 'traceparent', 'schema', 'source']);

/** An event of a source, as pairs for people: what it is, then its `properties`, then whose it is. null: it is no JSON object. */
export function readable(text: string): { title: string; pairs: [string, unknown][] } | null {
    let event: unknown;
    try {
        event = JSON.parse(text);
    } catch {
        return null;
    }
    if (event === null || typeof event !== 'object' || Array.isArray(event)) {
        return null;
    }
    const { type, properties, ...others } = event as Record<string, unknown>;
    const isPlain = (value: unknown) => value !== null && (typeof value !== 'object' || Array.isArray(value));
    const inner = properties !== null && typeof properties === 'object' && !Array.isArray(properties) ? properties : { properties };
    const told = Object.entries(others).filter(([name]) => !UNTOLD.has(name));
    const pairs = [...Object.entries(inner), ...told].filter(([, value]) => value !== undefined && isPlain(value));
    return { title: typeof type === 'string' ? type : '', pairs };
}
