// What is open now: windows, sessions and keys of each operator with state.

import { bytes, count, duration } from './format.ts';
import type { Model } from './model.ts';
import { keysOf, titleOf } from './words.ts';

function behind(watermark_us: number | null | undefined, now_us: number): string {
    return watermark_us === null || watermark_us === undefined ? '–' : duration(Math.max(0, now_us - watermark_us));
}

export function StateTable({ model, onSelect }: { model: Model; onSelect: (node: number) => void }) {
    const state = model.state!;
    const holding = state.plan.nodes.map((node, i) => ({ node, i })).filter(({ node }) => node.bounded_by);
    return (
        <section aria-labelledby="state-title">
            <h2 id="state-title">Open now</h2>
            {holding.length === 0 ? (
                <p class="muted">No operator of this pipeline holds state.</p>
            ) : (
                <div class="scroll" tabIndex={0} role="region" aria-label="Operators with state">
                    <table>
                        <thead>
                            <tr>
                                <th scope="col">operator</th>
                                <th scope="col" class="right">windows</th>
                                <th scope="col" class="right">keys</th>
                                <th scope="col" class="right">memory</th>
                                <th scope="col" class="right">
                                    behind
                                </th>
                            </tr>
                        </thead>
                        <tbody>
                            {holding.map(({ node, i }) => (
                                <tr key={node.name}>
                                    <th scope="row">
                                        <button type="button" class="plain" title={node.label} onClick={() => onSelect(i)}>
                                            {titleOf(node)}
                                        </button>{' '}
                                        <span class="muted">{keysOf(node)}</span>
                                    </th>
                                    <td class="right" data-windows={node.name}>
                                        {model.nodes[i]?.open_windows ? count(model.nodes[i].open_windows) : '–'}
                                    </td>
                                    <td class="right">{count(model.nodes[i]?.state_keys)}</td>
                                    <td class="right">{bytes(model.nodes[i]?.state_bytes)}</td>
                                    <td class="right">{behind(model.nodes[i]?.watermark_us, state.time_us)}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </section>
    );
}
