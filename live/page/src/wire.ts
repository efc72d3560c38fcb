// What the server tells (live/stream.h). Times are µs since 1970.

export type Figures = Record<string, number | null>;

export interface Column {
    name: string;
    type: string;
    nullable: boolean;
}

export interface PlanNode {
    name: string;
    kind: 'source' | 'operator' | 'exchange' | 'sink';
    operator?: string;
    label: string;
    file?: string;
    line?: number;
    columns: Column[];
    gather?: boolean;
    keys?: string[];
    bounded?: boolean;
    bounded_by?: string;
    dead_letter?: string | boolean;
    delivery?: string;
    because?: string;
}

export interface PlanEdge {
    from: string;
    to: string;
    output: number;
}

export interface Plan {
    pipeline: string;
    nodes: PlanNode[];
    edges: PlanEdge[];
}

/** A pipeline in short: its state, counters and gauges. -1: unknown. */
export interface Short {
    name: string;
    file: string;
    state: string;
    restored?: number; // percent, while it restores; else -1
    starts: number;
    events: number;
    triggers: number;
    late: number;
    dead: number;
    checkpoints: number;
    lag_messages: number;
    lag_us: number;
    delay_us: number;
    checkpoint_us: number;
    state_keys: number;
    state_bytes: number;
}

export interface Checkpoint {
    number: number;
    group?: string; // of a pipeline that is divided
    time_us: number;
    duration_us: number;
    align_us: number;
    bytes: number;
}

/** What one group does here; of a pipeline that is not divided there is one, without a name. */
export interface Group {
    name: string | null; // null also while it is between two runs
    state: string;
    holder: string; // while it stands by: the engine that runs it, as "host (process 4711)"; '': nobody that is known
}

export interface Reason {
    source: string;
    reason: string;
    count: number;
}

export type Series = Record<string, number[]>;

export interface Hello {
    version: string;
    rows: boolean;
    changes: boolean;
    has_token: boolean;
    letters: boolean; // dead letters can be looked into
}

export interface State {
    time_us: number;
    pipeline: string;
    pipelines: Short[];
    plan: Plan;
    nodes: Record<string, Figures>;
    edges: Record<string, number>;
    checkpoints: Checkpoint[];
    reasons: Reason[];
    groups: Group[];
    history: { fine: Series; coarse: Series };
    uptime_us?: number;
    outbox_bytes?: number;
    workers?: number;
    durability?: string | null;
}

export interface Tick {
    time_us: number;
    pipelines: Record<string, Partial<Short>>;
    nodes: Record<string, Figures>;
    edges: Record<string, number>;
    checkpoints: Checkpoint[];
    reasons?: Reason[];
    groups?: Group[];
    uptime_us?: number;
    outbox_bytes?: number;
}

export type Row = Record<string, unknown>;

export interface Cause {
    partition?: number;
    sequence?: number;
    index?: number;
    stored?: boolean;
    window_start_us?: number | null;
    window_end_us?: number | null;
    firing?: number;
}

export interface Trigger {
    number: number;
    sink: string;
    node: number;
    time_us: number;
    event_time_us: number | null;
    source: string;
    cause: Cause;
    id?: string;
    address?: string;
    row?: Row;
}
