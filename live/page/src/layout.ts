// Where nodes and edges of the plan stand: dagre, from left to right where there is room, from top to bottom on a phone.

import { Graph, layout } from '@dagrejs/dagre';

import type { Plan, PlanNode } from './wire.ts';
import { isPlumbing } from './words.ts';

const CARD = { width: 168, height: 76 };
const PILL = { width: 98, height: 34 };

export function sizeOf(node: PlanNode): { width: number; height: number } {
    return isPlumbing(node) ? PILL : CARD;
}

export interface Place {
    x: number;
    y: number;
}

export interface Drawing {
    width: number;
    height: number;
    nodes: Place[]; // their upper left corners
    edges: { path: string; label: Place }[];
}

/** Through the points that dagre gives, round at the corners. */
export function smooth(points: Place[]): string {
    const [first, ...rest] = points;
    let path = `M${first.x},${first.y}`;
    rest.forEach((point, i) => {
        const next = rest[i + 1];
        path += next ? ` Q${point.x},${point.y} ${(point.x + next.x) / 2},${(point.y + next.y) / 2}` : ` L${point.x},${point.y}`;
    });
    return path;
}

export function draw(plan: Plan, vertical: boolean): Drawing {
    const graph = new Graph({ multigraph: true });
    graph.setGraph({ rankdir: vertical ? 'TB' : 'LR', nodesep: 22, ranksep: vertical ? 40 : 48, marginx: 8, marginy: 8 });
    graph.setDefaultEdgeLabel(() => ({}));
    const numbers = new Map(plan.nodes.map((node, i) => [node.name, i]));
    plan.nodes.forEach((_, i) => graph.setNode(String(i), { ...sizeOf(plan.nodes[i]) }));
    const edges = plan.edges.map((edge) => ({ from: numbers.get(edge.from) ?? 0, to: numbers.get(edge.to) ?? 0 }));
    edges.forEach(({ from, to }, i) => graph.setEdge(String(from), String(to), {}, String(i)));
    layout(graph);
    const size = graph.graph();
    return {
        width: size.width ?? 0,
        height: size.height ?? 0,
        nodes: plan.nodes.map((node, i) => {
            const { x, y } = graph.node(String(i));
            const { width, height } = sizeOf(node);
            return { x: (x ?? 0) - width / 2, y: (y ?? 0) - height / 2 };
        }),
        edges: edges.map(({ from, to }, i) => {
            const points = (graph.edge({ v: String(from), w: String(to), name: String(i) }) as { points: Place[] }).points;
            return { path: smooth(points), label: points[Math.floor(points.length / 2)] };
        }),
    };
}
