// The plan as a graph: nodes are buttons, edges carry rates. What moves says how much, not how pretty.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';

import { count, duration, percent, rate } from './format.ts';
import { draw, sizeOf } from './layout.ts';
import type { Model } from './model.ts';
import type { PlanNode } from './wire.ts';
import { detailOf, isPlumbing, titleOf } from './words.ts';

const NARROW = '(max-width: 720px)';
const BLOCKED = 0.1; // from this share on a node is said to be held up

function useMedia(query: string): boolean {
    const [matches, setMatches] = useState(() => matchMedia(query).matches);
    useEffect(() => {
        const list = matchMedia(query);
        const listen = () => setMatches(list.matches);
        list.addEventListener('change', listen);
        return () => list.removeEventListener('change', listen);
    }, [query]);
    return matches;
}

const SCALE_LEAST = 0.72; // smaller cannot be read: then the plan scrolls

/** How wide the element is, in pixels; 0 before it is there. */
function useWidth() {
    const element = useRef<HTMLDivElement>(null);
    const [width, setWidth] = useState(0);
    useEffect(() => {
        const sizes = new ResizeObserver(() => setWidth(element.current?.clientWidth ?? 0));
        if (element.current) {
            sizes.observe(element.current);
        }
        return () => sizes.disconnect();
    }, []);
    return { element, width };
}

export function kindOf(node: PlanNode): string {
    return node.operator ?? node.kind;
}

/** The one number that says most about a node, beside its rate. */
function second(node: PlanNode, figures: Record<string, number | null>): string {
    if (node.kind === 'source') {
        return figures.lag_messages ? `${count(figures.lag_messages)} waiting` : 'caught up';
    }
    if (node.kind === 'sink') {
        return figures.waiting ? `${count(figures.waiting)} under way` : `${count(figures.rows_out)} delivered`;
    }
    return node.bounded_by ? `${count(figures.state_keys)} in state` : `${count(figures.rows_out)} out`;
}

/** Rows a second to a class of speed: 0 stands, 5 runs. */
export function speed(rows: number): number {
    return rows <= 0 ? 0 : Math.min(5, 1 + Math.floor(Math.log10(Math.max(1, rows))));
}

function Node({ model, number, selected, onSelect }: { model: Model; number: number; selected: boolean; onSelect: (n: number | null) => void }) {
    const node = model.state!.plan.nodes[number];
    const figures = model.nodes[number] ?? {};
    const blocked = model.nodeShare(number, 'blocked_us');
    const dead = node.dead_letter === true;
    const rows = model.nodeRate(number, node.kind === 'sink' ? 'rows_in' : 'rows_out');
    const small = isPlumbing(node);
    return (
        <button
            type="button"
            class={`node ${node.kind}${small ? ' small' : ''}${dead ? ' dead' : ''}${blocked > BLOCKED ? ' blocked' : ''}`}
            title={`${node.name}: ${node.label}`}
            aria-expanded={selected}
            onClick={() => onSelect(selected ? null : number)}
            data-node={node.name}
        >
            <span class="name">{titleOf(node)}</span>
            {!small && (
                <>
                    <span class="detail">{detailOf(node)}</span>
                    {blocked > BLOCKED ? <span class="held">held up {percent(blocked)}</span> : <span class="more">{second(node, figures)}</span>}
                    <b class="figure">{rate(rows)}</b>
                </>
            )}
        </button>
    );
}

export function Graph({ model, selected, onSelect }: { model: Model; selected: number | null; onSelect: (n: number | null) => void }) {
    const plan = model.state!.plan;
    const vertical = useMedia(NARROW);
    const drawing = useMemo(() => draw(plan, vertical), [plan, vertical]);
    const numbers = useMemo(() => new Map(plan.nodes.map((node, i) => [node.name, i])), [plan]);
    const { element, width } = useWidth();
    const scale = width > 0 ? Math.max(SCALE_LEAST, Math.min(1, width / drawing.width)) : 1;
    const size = { width: `${drawing.width}px`, height: `${drawing.height}px`, transform: `scale(${scale})` };
    const scaled = { width: `${drawing.width * scale}px`, height: `${drawing.height * scale}px` };
    const isBlocked = (edge: number) => model.nodeShare(numbers.get(plan.edges[edge].from) ?? 0, 'blocked_us') > BLOCKED;
    return (
        <div class="graph" ref={element} tabIndex={0} role="group" aria-label={`Plan of ${plan.pipeline}, from sources to sinks`}>
            <div class="scaled" style={scaled}>
            <div class="canvas" style={size}>
                <svg width={drawing.width} height={drawing.height} aria-hidden="true">
                    {drawing.edges.map((edge, i) => {
                        const kind = plan.edges[i].output > 0 ? ' aside' : isBlocked(i) ? ' blocked' : '';
                        return <path key={i} d={edge.path} class={`edge speed${speed(model.edgeRate(i))}${kind}`} />;
                    })}
                </svg>
                {plan.edges.map((edge, i) => (
                    <span
                        key={i}
                        class="rate"
                        data-edge={`${edge.from}>${edge.to}`}
                        data-rows={model.edges[i]}
                        style={{ left: `${drawing.edges[i].label.x}px`, top: `${drawing.edges[i].label.y}px` }}
                    >
                        {rate(model.edgeRate(i))}
                    </span>
                ))}
                {plan.nodes.map((node, i) => (
                    <div
                        key={i}
                        class="place"
                        style={{
                            left: `${drawing.nodes[i].x}px`,
                            top: `${drawing.nodes[i].y}px`,
                            width: `${sizeOf(node).width}px`,
                            height: `${sizeOf(node).height}px`,
                        }}
                    >
                        <Node model={model} number={i} selected={selected === i} onSelect={onSelect} />
                    </div>
                ))}
            </div>
            </div>
        </div>
    );
}

export function watermarkText(us: number | null | undefined, now_us: number): string {
    return us === null || us === undefined ? 'none yet' : `${duration(Math.max(0, now_us - us))} behind the clock`;
}
