// Triggers as they come, and why each came.

import { useState } from 'preact/hooks';

import type { Context } from './app.tsx';
import { ask } from './feed.ts';
import { cell, clock, count, time } from './format.ts';
import type { Model } from './model.ts';
import type { Cause, Row, Trigger } from './wire.ts';
import { readable } from './words.ts';

interface Behind {
    partition: number;
    sequence: number;
    index: number;
    stored_us: number;
    event_time_us: number | null;
    is_cause: boolean;
    text: string;
}

export interface Why {
    sentence: string;
    keys: Row;
    events: Behind[];
    found: number;
    looked_at: number;
    is_complete: boolean;
}

const SHOWN = 50;

export function causeText(cause: Cause): string {
    if (cause.window_start_us !== undefined) {
        return `window from ${time(cause.window_start_us)} to ${time(cause.window_end_us)}`;
    }
    return cause.stored ? `message ${count(cause.sequence)} of partition ${cause.partition}, record ${cause.index}` : `line ${count((cause.index ?? 0) + 1)}`;
}

export function Pairs({ row }: { row: Row }) {
    return (
        <span class="pairs">
            {Object.entries(row).map(([name, value]) => (
                <span key={name}>
                    <i>{name}</i> {cell(value)}
                </span>
            ))}
        </span>
    );
}

/** The event for people; as it was sent, when somebody wants to see that. */
function Event({ text }: { text: string }) {
    const found = readable(text);
    if (!found) {
        return <code>{text}</code>;
    }
    return (
        <>
            <p>
                <b>{found.title}</b> <Pairs row={Object.fromEntries(found.pairs)} />
            </p>
            <details>
                <summary>as it was sent</summary>
                <code>{text}</code>
            </details>
        </>
    );
}

function Events({ why }: { why: Why }) {
    return (
        <>
            <p>{why.sentence}</p>
            {why.events.length > 0 && (
                <ol class="events">
                    {why.events.map((event) => (
                        <li key={`${event.partition}/${event.sequence}/${event.index}`} class={event.is_cause ? 'cause' : ''}>
                            <span class="muted">
                                {time(event.event_time_us)} · message {count(event.sequence)}
                                {event.is_cause ? ' · this one completed it' : ''}
                            </span>
                            <Event text={event.text} />
                        </li>
                    ))}
                </ol>
            )}
            <p class="muted">
                {count(why.found)} {why.found === 1 ? 'event' : 'events'} found in {count(why.looked_at)} that were read again
                {why.is_complete ? '.' : '; there is more than was looked through.'}
            </p>
        </>
    );
}

function Item({ trigger, context }: { trigger: Trigger; context: Context }) {
    const [open, setOpen] = useState(false);
    const [why, setWhy] = useState<Why | null>(null);
    const [failure, setFailure] = useState('');
    const toggle = async () => {
        setOpen(!open);
        if (open || why) {
            return;
        }
        setFailure('');
        try {
            const query = `pipeline=${encodeURIComponent(context.pipeline)}&trigger=${trigger.number}`;
            setWhy(await ask<Why>(`/api/v1/why?${query}`, context.token));
        } catch (error) {
            setFailure((error as Error).message);
        }
    };
    return (
        <li class="trigger" data-trigger={trigger.number}>
            <div class="line">
                <time>{clock(trigger.time_us)}</time> <b>{trigger.address ?? trigger.sink}</b>{' '}
                {trigger.row ? <Pairs row={trigger.row} /> : <span class="muted">too large to show</span>}
                <button type="button" aria-expanded={open} aria-label={`Why? Trigger ${trigger.number}, ${trigger.sink}`} onClick={toggle}>
                    Why?
                </button>
            </div>
            {open && (
                <div class="why">
                    <p class="muted">
                        From {trigger.source}, {causeText(trigger.cause)}
                        {trigger.id ? ` · id ${trigger.id}` : ''}
                    </p>
                    {failure && (
                        <p class="warning" role="alert">
                            {failure}
                        </p>
                    )}
                    {why ? <Events why={why} /> : !failure && <p role="status">Reading the events again …</p>}
                </div>
            )}
        </li>
    );
}

export function Triggers({ model, context }: { model: Model; context: Context }) {
    const [held, setHeld] = useState<Trigger[] | null>(null);
    const shown = (held ?? model.triggers).slice(0, SHOWN);
    return (
        <section aria-labelledby="triggers-title" class="wide">
            <div class="bar">
                <h2 id="triggers-title">Triggers</h2>
                <button type="button" aria-pressed={held !== null} onClick={() => setHeld(held ? null : model.triggers)}>
                    Hold still
                </button>
            </div>
            {!context.hello.rows ? (
                <p class="muted">
                    Rows are people's data: from another machine they are shown with the token only.
                    {context.hello.has_token ? '' : ' This evstream was started without one.'}
                </p>
            ) : shown.length === 0 ? (
                <p class="muted">None has come since evstream was started.</p>
            ) : (
                <ul class="triggers">
                    {shown.map((trigger) => (
                        <Item key={trigger.number} trigger={trigger} context={context} />
                    ))}
                </ul>
            )}
        </section>
    );
}
