// The page: one stream, one model, and the sections that show it.

import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

import { Checkpoints } from './checkpoints.tsx';
import { Feed } from './feed.ts';
import { Graph } from './graph.tsx';
import { Groups } from './groups.tsx';
import { Head } from './head.tsx';
import { Letters } from './letters.tsx';
import { Model } from './model.ts';
import { NodePanel } from './node_panel.tsx';
import { Plots } from './plots.tsx';
import { StateTable } from './state_table.tsx';
import { Triggers } from './triggers.tsx';
import type { Hello, State, Tick, Trigger } from './wire.ts';

const TOKEN = 'evstream-token';

/** The token may come behind a `#` once, which no server sees; it is then kept for this tab and taken out of the address. */
function firstToken(): string | null {
    const given = new URLSearchParams(location.hash.slice(1)).get('token');
    if (given) {
        sessionStorage.setItem(TOKEN, given);
        history.replaceState(null, '', location.pathname + location.search);
    }
    return sessionStorage.getItem(TOKEN);
}

function wantedPipeline(): string | null {
    return new URLSearchParams(location.search).get('pipeline');
}

export interface Context {
    pipeline: string;
    token: string | null;
    hello: Hello;
}

export function App() {
    const [token, setToken] = useState(firstToken);
    const [pipeline, setPipeline] = useState(wantedPipeline);
    const [selected, setSelected] = useState<number | null>(null);
    const [link, setLink] = useState({ connected: false, why: '' });
    const [, redraw] = useState(0);
    const model = useRef(new Model()).current;

    useEffect(() => {
        const path = `/api/v1/live${pipeline ? `?pipeline=${encodeURIComponent(pipeline)}` : ''}`;
        const feed = new Feed(
            path,
            token,
            ({ name, data }) => {
                const content: unknown = JSON.parse(data);
                if (name === 'hello') {
                    model.hello = content as Hello;
                } else if (name === 'state') {
                    model.setState(content as State);
                } else if (name === 'tick') {
                    model.tick(content as Tick);
                } else if (name === 'trigger') {
                    model.trigger(content as Trigger);
                }
                redraw((n) => n + 1);
            },
            (connected, why) =>
                setLink((before) => (before.connected === connected && before.why === why ? before : { connected, why })),
        );
        return () => feed.stop();
    }, [pipeline, token]);

    const choose = useCallback((name: string) => {
        history.replaceState(null, '', `?pipeline=${encodeURIComponent(name)}`);
        setSelected(null);
        setPipeline(name);
    }, []);

    const takeToken = useCallback((given: string | null) => {
        if (given) {
            sessionStorage.setItem(TOKEN, given);
        } else {
            sessionStorage.removeItem(TOKEN);
        }
        setToken(given);
    }, []);

    const { state, hello } = model;
    if (!state || !hello) {
        return (
            <main class="empty" aria-busy="true">
                <h1>evstream</h1>
                <p role="status">{link.why || 'Asking evstream what runs …'}</p>
            </main>
        );
    }
    document.title = `${state.pipeline} · evstream`;
    const context: Context = { pipeline: state.pipeline, token, hello };
    return (
        <>
            <Head model={model} link={link} token={token} onChoose={choose} onToken={takeToken} />
            <main>
                <section aria-labelledby="plan-title" class="wide">
                    <h2 id="plan-title">Plan</h2>
                    <Graph key={state.pipeline} model={model} selected={selected} onSelect={setSelected} />
                    {selected !== null && (
                        <NodePanel key={selected} model={model} node={selected} context={context} onClose={() => setSelected(null)} />
                    )}
                </section>
                <Plots model={model} />
                <Triggers model={model} context={context} />
                <Letters model={model} context={context} />
                <StateTable model={model} onSelect={setSelected} />
                <Groups model={model} />
                <Checkpoints model={model} />
            </main>
            <footer>
                evstream {hello.version} · <a href="/metrics">metrics</a> · <a href="/api/v1/pipelines">JSON</a> ·{' '}
                <a href="/licences.txt">licences</a>
            </footer>
        </>
    );
}
