// Which pipeline, how it is, and the token.

import { useEffect, useRef, useState } from 'preact/hooks';

import { count, duration, rate } from './format.ts';
import type { Model } from './model.ts';

interface Props {
    model: Model;
    link: { connected: boolean; why: string };
    token: string | null;
    onChoose: (pipeline: string) => void;
    onToken: (token: string | null) => void;
}

function Fact({ name, id, value, alarm }: { name: string; id?: string; value: string; alarm?: boolean }) {
    return (
        <div class={alarm ? 'fact alarm' : 'fact'}>
            <dt>{name}</dt>
            <dd id={id}>{value}</dd>
        </div>
    );
}

function TokenDialog({ onToken, onClose }: { onToken: (token: string) => void; onClose: () => void }) {
    const dialog = useRef<HTMLDialogElement>(null);
    const [text, setText] = useState('');
    useEffect(() => dialog.current?.showModal(), []);
    return (
        <dialog ref={dialog} onClose={onClose} aria-labelledby="token-title">
            <form
                method="dialog"
                onSubmit={() => {
                    onToken(text.trim());
                }}
            >
                <h2 id="token-title">Token</h2>
                <p>
                    It was given to evstream with <code>--token-file</code> or <code>EVSTREAM_TOKEN</code>. This tab keeps it until it is
                    closed.
                </p>
                <label>
                    Token
                    <input type="password" autocomplete="off" value={text} onInput={(event) => setText(event.currentTarget.value)} />
                </label>
                <p class="buttons">
                    <button type="button" onClick={() => dialog.current?.close()}>
                        Cancel
                    </button>
                    <button type="submit" class="primary" disabled={text.trim() === ''}>
                        Use it
                    </button>
                </p>
            </form>
        </dialog>
    );
}

function Access({ model, token, onToken }: Pick<Props, 'model' | 'token' | 'onToken'>) {
    const [asks, setAsks] = useState(false);
    const hello = model.hello;
    if (!hello?.has_token) {
        return <span class="muted">read-only</span>;
    }
    return (
        <>
            {token && !hello.changes && <span class="warning">The token is not the right one.</span>}
            {hello.changes ? (
                <button type="button" onClick={() => onToken(null)}>
                    Lock
                </button>
            ) : (
                <button type="button" onClick={() => setAsks(true)}>
                    Unlock changes
                </button>
            )}
            {asks && <TokenDialog onToken={onToken} onClose={() => setAsks(false)} />}
        </>
    );
}

export function Head({ model, link, token, onChoose, onToken }: Props) {
    const short = model.short;
    const state = model.state;
    if (!short || !state) {
        return null;
    }
    return (
        <header>
            <div class="title">
                <h1>evstream</h1>
                {model.pipelines.length > 1 ? (
                    <label>
                        <span class="hidden">Pipeline</span>
                        <select value={state.pipeline} onChange={(event) => onChoose(event.currentTarget.value)}>
                            {model.pipelines.map((one) => (
                                <option key={one.name} value={one.name}>
                                    {one.name}
                                    {one.state === 'running' ? '' : ` (${one.state})`}
                                </option>
                            ))}
                        </select>
                    </label>
                ) : (
                    <strong>{state.pipeline}</strong>
                )}
                <span class={`badge ${short.state}`} id="state">
                    {short.state === 'restoring' && short.restored !== undefined && short.restored >= 0 ? `restoring ${short.restored} %` : short.state}
                </span>
                {short.state === 'standby' && model.groups.length === 1 && model.groups[0].holder && (
                    <span id="holder">run by {model.groups[0].holder}</span>
                )}
                <span role="status" class={link.connected ? 'muted' : 'warning'}>
                    {link.connected ? 'live' : link.why || 'connecting …'}
                </span>
                <span class="access">
                    <Access model={model} token={token} onToken={onToken} />
                </span>
            </div>
            <dl class="facts">
                <Fact name="events" id="events" value={count(short.events)} />
                <Fact name="events/s" id="events-rate" value={rate(model.shortRate('events'))} />
                <Fact name="triggers" id="triggers" value={count(short.triggers)} />
                <Fact name="dead letters" id="dead" value={count(short.dead)} alarm={model.shortRate('dead') > 0} />
                <Fact name="late rows" id="late" value={count(short.late)} />
                <Fact name="waiting" id="lag" value={count(short.lag_messages)} />
                <Fact name="behind" value={duration(short.lag_us)} alarm={short.lag_us > 60e6} />
                <Fact name="running for" value={duration(state.uptime_us)} />
            </dl>
        </header>
    );
}
