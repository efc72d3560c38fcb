// What the page knows: the last state with all ticks on top, and the rates that follow from the last few.

import type { Checkpoint, Figures, Group, Hello, Reason, Series, Short, State, Tick, Trigger } from './wire.ts';

const CHECKPOINTS_KEPT = 64;
const TRIGGERS_KEPT = 200;
const FINE_KEPT = 300;
const COARSE_KEPT = 240;
const COARSE_STEP = 15;
/** Rates are those of the last so many ticks, so that they move and do not jump. */
export const RATE_TICKS = 4;

interface Sample {
    time_us: number;
    nodes: Figures[];
    edges: number[];
    short: Short;
}

const gauges = ['lag_messages', 'lag_us', 'delay_us', 'checkpoint_us', 'state_keys', 'state_bytes'];

export class Model {
    hello: Hello | null = null;
    state: State | null = null;
    nodes: Figures[] = [];
    edges: number[] = [];
    pipelines: Short[] = [];
    checkpoints: Checkpoint[] = [];
    reasons: Reason[] = [];
    groups: Group[] = [];
    triggers: Trigger[] = [];
    fine: Series = {};
    coarse: Series = {};
    private samples: Sample[] = [];
    private ticks = 0;

    private index(): number {
        return this.state ? this.state.pipelines.findIndex((one) => one.name === this.state?.pipeline) : -1;
    }

    get short(): Short | null {
        return this.pipelines[this.index()] ?? null;
    }

    setState(state: State) {
        this.state = state;
        this.pipelines = state.pipelines;
        this.nodes = state.plan.nodes.map((_, i) => ({ ...state.nodes[i] }));
        this.edges = state.plan.edges.map((_, i) => state.edges[i] ?? 0);
        this.checkpoints = state.checkpoints;
        this.reasons = state.reasons;
        this.groups = named(state.groups, []);
        this.fine = state.history.fine;
        this.coarse = state.history.coarse;
        this.triggers = [];
        this.samples = [];
        this.keepSample(state.time_us);
    }

    tick(tick: Tick) {
        if (!this.state) {
            return;
        }
        this.state.time_us = tick.time_us;
        this.state.uptime_us = tick.uptime_us;
        this.state.outbox_bytes = tick.outbox_bytes;
        for (const [i, changed] of Object.entries(tick.pipelines)) {
            this.pipelines[Number(i)] = { ...this.pipelines[Number(i)], ...changed };
        }
        for (const [i, changed] of Object.entries(tick.nodes)) {
            this.nodes[Number(i)] = { ...this.nodes[Number(i)], ...changed };
        }
        for (const [i, rows] of Object.entries(tick.edges)) {
            this.edges[Number(i)] = rows;
        }
        this.reasons = tick.reasons ?? this.reasons;
        this.groups = tick.groups ? named(tick.groups, this.groups) : this.groups;
        this.checkpoints = [...this.checkpoints, ...tick.checkpoints].slice(-CHECKPOINTS_KEPT);
        this.keepSample(tick.time_us);
        this.keepHistory(tick.time_us);
    }

    /** One that came again, after the connection was lost, is there already. */
    trigger(trigger: Trigger) {
        if (!this.triggers.some((known) => known.number === trigger.number)) {
            this.triggers = [trigger, ...this.triggers].slice(0, TRIGGERS_KEPT);
        }
    }

    private keepSample(time_us: number) {
        if (this.short) {
            this.samples.push({ time_us, nodes: [...this.nodes], edges: [...this.edges], short: this.short });
            this.samples = this.samples.slice(-RATE_TICKS - 1);
        }
    }

    private keepHistory(time_us: number) {
        const short = this.short;
        if (!short) {
            return;
        }
        append(this.fine, time_us, short, FINE_KEPT);
        if (++this.ticks % COARSE_STEP === 0) {
            append(this.coarse, time_us, short, COARSE_KEPT);
        }
    }

    private rate(value: (sample: Sample) => number): number {
        const first = this.samples[0];
        const last = this.samples[this.samples.length - 1];
        if (!first || !last || last.time_us <= first.time_us) {
            return 0;
        }
        return Math.max(0, ((value(last) - value(first)) * 1e6) / (last.time_us - first.time_us));
    }

    edgeRate(edge: number): number {
        return this.rate((sample) => sample.edges[edge] ?? 0);
    }

    nodeRate(node: number, figure: string): number {
        return this.rate((sample) => sample.nodes[node]?.[figure] ?? 0);
    }

    /** The share of its time, 0 to 1, of one worker on average. */
    nodeShare(node: number, figure: 'busy_us' | 'blocked_us'): number {
        return Math.min(1, this.nodeRate(node, figure) / 1e6 / (this.state?.workers ?? 1));
    }

    shortRate(name: 'events' | 'triggers' | 'dead' | 'late'): number {
        return this.rate((sample) => sample.short[name]);
    }
}

/** A group keeps its name while it is between two runs. */
function named(groups: Group[], before: Group[]): Group[] {
    return groups.map((one, i) => ({ ...one, name: one.name ?? before[i]?.name ?? null }));
}

function append(series: Series, time_us: number, short: Short, kept: number) {
    for (const name of Object.keys(series)) {
        const value = name === 'time_us' ? time_us : (short as unknown as Record<string, number>)[name];
        series[name] = [...series[name], value].slice(-kept);
    }
}

/** [seconds, values] for a plot: gauges as they are (unknown is a gap), counters as rates; a counter that fell began anew. */
export function plotted(series: Series, name: string): [number[], (number | null)[]] {
    const times = series.time_us ?? [];
    const values = series[name] ?? [];
    const seconds = times.map((us) => us / 1e6);
    if (gauges.includes(name)) {
        return [seconds, values.map((value) => (value < 0 ? null : value))];
    }
    const rates = values.slice(1).map((value, i) => {
        const passed = (times[i + 1] - times[i]) / 1e6;
        return passed > 0 ? Math.max(0, value - values[i]) / passed : null;
    });
    return [seconds.slice(1), rates];
}
