// Dead letters: how many for which reason, the last ones with their original, and the way back to their source.

import { useEffect, useState } from 'preact/hooks';

import type { Context } from './app.tsx';
import { ask } from './feed.ts';
import { cell, count, time } from './format.ts';
import type { Model } from './model.ts';
import type { Row } from './wire.ts';
import { reasonText } from './words.ts';

export interface Letter {
    id: string;
    reason: string;
    code: string | null;
    detail: string | null;
    source: string;
    subject: string | null;
    sequence: number | null;
    time_us: number | null;
    row: Row | null;
    raw: string | null;
    raw_base64: string | null; // when it is no text
    resent: number;
    kept: string | null; // why it may not be sent back
}

interface Answer {
    letters: Letter[];
    complete: boolean;
}

const LIMIT = 50;

function pathOf(context: Context, rest: string, more: string): string {
    return `/api/v1/dlq${rest}?pipeline=${encodeURIComponent(context.pipeline)}&${more}`;
}

/** As it was, or mended: what is sent takes the way of every event, and may die again. */
function Resend({ letter, context, onSent }: { letter: Letter; context: Context; onSent: () => void }) {
    const original = letter.raw ?? '';
    const [text, setText] = useState(original);
    const [said, setSaid] = useState('');
    const [busy, setBusy] = useState(false);
    const send = async (event: Event) => {
        event.preventDefault();
        setBusy(true);
        setSaid('Sending …');
        try {
            const mended = letter.raw !== null && text !== original ? text : undefined;
            await ask(pathOf(context, '/resend', `id=${encodeURIComponent(letter.id)}`), context.token, 'POST', mended);
            setSaid('Sent back to its source.');
            onSent();
        } catch (error) {
            setSaid((error as Error).message);
            setBusy(false);
        }
    };
    return (
        <form class="resend" onSubmit={send}>
            {letter.raw !== null && (
                <label>
                    What is sent back to {letter.source}; mend it here if it must be
                    <textarea rows={4} spellcheck={false} value={text} onInput={(event) => setText(event.currentTarget.value)} />
                </label>
            )}
            <p class="buttons">
                <span role="status" class="muted">
                    {said}
                </span>
                <button type="submit" class="primary" disabled={busy}>
                    Send back
                </button>
            </p>
        </form>
    );
}

function Item({ letter, context, onSent }: { letter: Letter; context: Context; onSent: () => void }) {
    const [open, setOpen] = useState(false);
    const original = letter.raw ?? letter.raw_base64 ?? (letter.row ? JSON.stringify(letter.row) : '');
    return (
        <li class="letter" data-letter={letter.id}>
            <div class="line">
                <b>{letter.reason}</b> <span class="muted">{letter.code ?? ''}</span> {letter.detail ?? ''}
                <span class="muted">
                    {letter.source}
                    {letter.sequence === null ? '' : `, message ${count(letter.sequence)}`} · {time(letter.time_us)}
                    {letter.resent > 0 ? ` · sent again ${count(letter.resent)}×` : ''}
                </span>
                {context.hello.changes && !letter.kept && (
                    <button
                        type="button"
                        aria-expanded={open}
                        aria-label={`Send again: letter ${letter.id}`}
                        disabled={letter.resent > 0}
                        onClick={() => setOpen(!open)}
                    >
                        Send again
                    </button>
                )}
            </div>
            <code>{cell(original)}</code>
            {letter.kept && <p class="muted">{letter.kept}</p>}
            {open && <Resend letter={letter} context={context} onSent={onSent} />}
        </li>
    );
}

export function Letters({ model, context }: { model: Model; context: Context }) {
    const [answer, setAnswer] = useState<Answer | null>(null);
    const [failure, setFailure] = useState('');
    const [looks, setLooks] = useState(0);
    const dead = model.short?.dead ?? 0;

    // The list is read when it is opened and when something has died since, not once a second.
    const open = looks > 0;
    useEffect(() => {
        if (!open) {
            return;
        }
        let isOver = false;
        ask<Answer>(pathOf(context, '', `limit=${LIMIT}`), context.token).then(
            (found) => !isOver && (setAnswer(found), setFailure('')),
            (error) => !isOver && setFailure((error as Error).message),
        );
        return () => {
            isOver = true;
        };
    }, [looks, dead, context.pipeline, context.token]);

    return (
        <section aria-labelledby="letters-title">
            <div class="bar">
                <h2 id="letters-title">Dead letters</h2>
                {context.hello.letters && context.hello.rows && dead > 0 && (
                    <button type="button" aria-expanded={open} onClick={() => setLooks(open ? 0 : 1)}>
                        {open ? 'Close' : 'Look into them'}
                    </button>
                )}
            </div>
            {model.reasons.length === 0 ? (
                <p class="muted">None in this run.</p>
            ) : (
                <table>
                    <thead>
                        <tr>
                            <th scope="col">reason</th>
                            <th scope="col">source</th>
                            <th scope="col" class="right">rows</th>
                        </tr>
                    </thead>
                    <tbody>
                        {model.reasons.map((one) => (
                            <tr key={`${one.source} ${one.reason}`}>
                                <th scope="row">
                                    {one.reason} <span class="muted">{reasonText(one.reason)}</span>
                                </th>
                                <td>{one.source}</td>
                                <td class="right">{count(one.count)}</td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            )}
            {open && failure && (
                <p class="warning" role="alert">
                    {failure}
                </p>
            )}
            {open && answer && (
                <>
                    {!context.hello.changes && <p class="muted">With the token they can be sent again.</p>}
                    <ul class="letters">
                        {answer.letters.map((letter) => (
                            <Item key={letter.id} letter={letter} context={context} onSent={() => setLooks((n) => n + 1)} />
                        ))}
                    </ul>
                </>
            )}
        </section>
    );
}
