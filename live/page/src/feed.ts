// The stream of server-sent events, read by fetch and not by EventSource, because a token goes into a header and nowhere else.

export interface Event {
    name: string;
    data: string;
}

/** Splits what has come into whole events; the rest waits for more. */
export class EventParser {
    private rest = '';

    push(text: string): Event[] {
        this.rest += text;
        const events: Event[] = [];
        for (let end = this.rest.indexOf('\n\n'); end >= 0; end = this.rest.indexOf('\n\n')) {
            const event = parse(this.rest.slice(0, end));
            if (event) {
                events.push(event);
            }
            this.rest = this.rest.slice(end + 2);
        }
        return events;
    }
}

function parse(block: string): Event | null {
    let name = 'message';
    const data: string[] = [];
    for (const line of block.split('\n')) {
        if (line.startsWith('event: ')) {
            name = line.slice(7);
        } else if (line.startsWith('data: ')) {
            data.push(line.slice(6));
        }
    }
    return data.length > 0 ? { name, data: data.join('\n') } : null;
}

/** What an answer that is no success says to a person. */
export async function told(answer: Response): Promise<string> {
    const text = await answer.text();
    try {
        return (JSON.parse(text) as { error: string }).error;
    } catch {
        return text.trim() || `${answer.status} ${answer.statusText}`;
    }
}

function headers(token: string | null): HeadersInit {
    return token ? { Authorization: `Bearer ${token}` } : {};
}

export async function ask<T>(path: string, token: string | null, method = 'GET', body?: string): Promise<T> {
    const answer = await fetch(path, { method, headers: headers(token), cache: 'no-store', body });
    if (!answer.ok) {
        throw new Error(await told(answer));
    }
    return (await answer.json()) as T;
}

const WAIT_FIRST_MS = 500;
const WAIT_MOST_MS = 10_000;

function shown(signal: AbortSignal): Promise<void> {
    return new Promise((go) => {
        if (!document.hidden) {
            go();
            return;
        }
        const look = () => {
            if (!document.hidden || signal.aborted) {
                document.removeEventListener('visibilitychange', look);
                go();
            }
        };
        document.addEventListener('visibilitychange', look);
        signal.addEventListener('abort', look);
    });
}

/** Reads `path` until it is stopped, and comes back when the connection breaks. A page that nobody sees leaves it: browsers give an address six
 *  connections in all tabs together, and the seventh page would wait for ever. */
export class Feed {
    private readonly aborter = new AbortController();
    private waitMs = WAIT_FIRST_MS;

    private readonly path: string;
    private readonly token: string | null;
    private readonly onEvent: (event: Event) => void;
    private readonly onState: (connected: boolean, why: string) => void;

    constructor(
        path: string,
        token: string | null,
        onEvent: (event: Event) => void,
        onState: (connected: boolean, why: string) => void,
    ) {
        this.path = path;
        this.token = token;
        this.onEvent = onEvent;
        this.onState = onState;
        void this.run();
    }

    stop() {
        this.aborter.abort();
    }

    private async run() {
        const { signal } = this.aborter;
        while (!signal.aborted) {
            await shown(signal);
            let why = 'The connection to evstream is lost.';
            const link = new AbortController();
            const leave = () => (signal.aborted || document.hidden) && link.abort();
            signal.addEventListener('abort', leave);
            document.addEventListener('visibilitychange', leave);
            try {
                await this.read(link.signal);
            } catch (error) {
                why = error instanceof TypeError ? 'evstream does not answer.' : String((error as Error).message);
            }
            signal.removeEventListener('abort', leave);
            document.removeEventListener('visibilitychange', leave);
            if (!signal.aborted && !link.signal.aborted) {
                this.onState(false, why);
                await new Promise((go) => setTimeout(go, this.waitMs));
                this.waitMs = Math.min(2 * this.waitMs, WAIT_MOST_MS);
            }
        }
    }

    private async read(signal: AbortSignal) {
        const answer = await fetch(this.path, { signal, headers: headers(this.token), cache: 'no-store' });
        if (!answer.ok || !answer.body) {
            throw new Error(await told(answer));
        }
        const parser = new EventParser();
        const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
        for (let part = await reader.read(); !part.done; part = await reader.read()) {
            for (const event of parser.push(part.value)) {
                if (signal.aborted) {
                    return;
                }
                this.waitMs = WAIT_FIRST_MS;
                this.onState(true, '');
                this.onEvent(event);
            }
        }
    }
}
