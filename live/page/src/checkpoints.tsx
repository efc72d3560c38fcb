// The last checkpoints.

import { bytes, clock, count, duration } from './format.ts';
import type { Model } from './model.ts';

const SHOWN = 12;

export function Checkpoints({ model }: { model: Model }) {
    const last = model.checkpoints.slice(-SHOWN).reverse();
    const isDivided = last.some((one) => one.group !== undefined);
    return (
        <section aria-labelledby="checkpoints-title">
            <h2 id="checkpoints-title">Checkpoints</h2>
            {last.length === 0 ? (
                <p class="muted">
                    {model.state?.durability ? 'None yet.' : 'The state is in memory: nothing is kept beyond this run.'}
                </p>
            ) : (
                <div class="scroll" tabIndex={0} role="region" aria-label="Last checkpoints">
                    <table>
                        <caption class="muted">
                            {count(model.short?.checkpoints)} in this run{model.state?.durability ? `, ${model.state.durability}` : ''}
                        </caption>
                        <thead>
                            <tr>
                                {isDivided && <th scope="col">group</th>}
                                <th scope="col">number</th>
                                <th scope="col">at</th>
                                <th scope="col" class="right">took</th>
                                <th scope="col" class="right">until aligned</th>
                                <th scope="col" class="right">written</th>
                            </tr>
                        </thead>
                        <tbody>
                            {last.map((one) => (
                                <tr key={`${one.group ?? ''} ${one.number}`}>
                                    {isDivided && <td>{one.group}</td>}
                                    <td>{count(one.number)}</td>
                                    <td>{clock(one.time_us)}</td>
                                    <td class="right">{duration(one.duration_us)}</td>
                                    <td class="right">{duration(one.align_us)}</td>
                                    <td class="right">{bytes(one.bytes)}</td>
                                </tr>
                            ))}
                        </tbody>
                    </table>
                </div>
            )}
        </section>
    );
}
