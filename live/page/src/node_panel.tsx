// One node of the plan, opened: its columns, state, bounds, figures, and rows that flow by.

import { useEffect, useRef, useState } from 'preact/hooks';

import type { Context } from './app.tsx';
import { Feed } from './feed.ts';
import { bytes, clock, count, percent, rate, time } from './format.ts';
import { kindOf, watermarkText } from './graph.tsx';
import type { Model } from './model.ts';
import { causeText } from './triggers.tsx';
import type { Cause, PlanNode, Row } from './wire.ts';
import { titleOf } from './words.ts';

const SAMPLES = 8;

interface Sample {
    time_us: number;
    event_time_us: number | null;
    cause: Cause;
    row?: Row;
}

function useSamples(node: PlanNode, context: Context): { rows: Sample[]; failure: string } {
    const [rows, setRows] = useState<Sample[]>([]);
    const [failure, setFailure] = useState('');
    useEffect(() => {
        if (!context.hello.rows) {
            return;
        }
        const path = `/api/v1/tail?pipeline=${encodeURIComponent(context.pipeline)}&at=${encodeURIComponent(node.name)}`;
        const feed = new Feed(
            path,
            context.token,
            ({ name, data }) => {
                if (name === 'row') {
                    const sample = JSON.parse(data) as Sample;
                    setRows((before) => [sample, ...before].slice(0, SAMPLES));
                }
            },
            (connected, why) => setFailure(connected ? '' : why),
        );
        return () => feed.stop();
    }, [node.name, context.pipeline, context.token]);
    return { rows, failure };
}

function Samples({ node, context }: { node: PlanNode; context: Context }) {
    const { rows, failure } = useSamples(node, context);
    const names = [...new Set(rows.flatMap((sample) => Object.keys(sample.row ?? {})))];
    if (!context.hello.rows) {
        return <p class="muted">Rows are shown with the token only.</p>;
    }
    if (failure) {
        return <p class="warning">{failure}</p>;
    }
    if (rows.length === 0) {
        return <p class="muted">None has flown by since this was opened.</p>;
    }
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label="Rows that flow by">
            <table class="rows">
                <thead>
                    <tr>
                        <th scope="col">seen</th>
                        {names.map((name) => (
                            <th scope="col" key={name}>
                                {name}
                            </th>
                        ))}
                        <th scope="col">from</th>
                    </tr>
                </thead>
                <tbody>
                    {rows.map((sample, i) => (
                        <tr key={i}>
                            <td title={`event time ${time(sample.event_time_us)}`}>{clock(sample.time_us)}</td>
                            {names.map((name) => {
                                const value = sample.row?.[name];
                                return <td key={name}>{value === null || value === undefined ? '–' : typeof value === 'object' ? JSON.stringify(value) : String(value)}</td>;
                            })}
                            <td class="muted">{causeText(sample.cause)}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}

function facts(model: Model, number: number): [string, string][] {
    const node = model.state!.plan.nodes[number];
    const figures = model.nodes[number] ?? {};
    const list: [string, string][] = [
        ['rows in', `${count(figures.rows_in)} · ${rate(model.nodeRate(number, 'rows_in'))}`],
        ['rows out', `${count(figures.rows_out)} · ${rate(model.nodeRate(number, 'rows_out'))}`],
        ['busy', percent(model.nodeShare(number, 'busy_us'))],
        ['held up', percent(model.nodeShare(number, 'blocked_us'))],
        ['watermark', watermarkText(figures.watermark_us, model.state!.time_us)],
    ];
    const more: [string, string, string][] = [
        ['late', 'late rows', count(figures.late)],
        ['dead', 'dead letters', count(figures.dead)],
        ['null_key', 'without a key', count(figures.null_key)],
        ['limited', 'over a limit', count(figures.limited)],
        ['queued', 'batches waiting', count(figures.queued)],
        ['open_windows', 'open windows', count(figures.open_windows)],
        ['state_keys', 'keys in state', count(figures.state_keys)],
        ['state_bytes', 'memory of state', bytes(figures.state_bytes)],
        ['lag_messages', 'messages waiting', count(figures.lag_messages)],
        ['gap_messages', 'messages that were removed unread', count(figures.gap_messages)],
        ['lost_messages', 'messages that the broker lost', count(figures.lost_messages)],
        ['reconnects', 'reconnects', count(figures.reconnects)],
        ['waiting', 'not acknowledged', count(figures.waiting)],
        ['retries', 'sent again', count(figures.retries)],
        ['duplicates', 'known already', count(figures.duplicates)],
    ];
    for (const [figure, name, text] of more) {
        if (figures[figure]) {
            list.push([name, text]);
        }
    }
    if (node.keys && node.keys.length > 0) {
        list.push(['by', node.keys.join(', ')]);
    }
    if (node.bounded_by) {
        list.push(['state is bounded by', node.bounded_by]);
    }
    if (node.delivery) {
        list.push(['delivery', `${node.delivery}: ${node.because ?? ''}`]);
    }
    if (node.file) {
        list.push(['written in', `${node.file}:${node.line}`]);
    }
    return list;
}

interface Props {
    model: Model;
    node: number;
    context: Context;
    onClose: () => void;
}

export function NodePanel({ model, node: number, context, onClose }: Props) {
    const node = model.state!.plan.nodes[number];
    const title = useRef<HTMLHeadingElement>(null);
    useEffect(() => title.current?.focus(), []);
    return (
        <div class="panel" role="region" aria-label={node.name} onKeyDown={(event) => event.key === 'Escape' && onClose()}>
            <div class="bar">
                <h3 ref={title} tabIndex={-1}>
                    {titleOf(node)} <span class="muted">{titleOf(node) === node.name ? kindOf(node) : node.name}</span>
                </h3>
                <button type="button" onClick={onClose}>
                    Close
                </button>
            </div>
            <p>
                <code>{node.label}</code>
            </p>
            <dl class="details">
                {facts(model, number).map(([name, text]) => (
                    <div key={name}>
                        <dt>{name}</dt>
                        <dd>{text}</dd>
                    </div>
                ))}
            </dl>
            <h4>Columns</h4>
            <p class="columns">
                {node.columns.map((column) => (
                    <span key={column.name}>
                        <b>{column.name}</b> {column.type}
                        {column.nullable ? '' : ' not null'}
                    </span>
                ))}
            </p>
            <h4>Rows that flow by</h4>
            <Samples node={node} context={context} />
        </div>
    );
}
