// Of a pipeline that several engines share: which of its groups run here, and who runs the others.

import type { Model } from './model.ts';
import type { Group } from './wire.ts';

const WAITS = 'standby';
const WORKS = ['running', 'restoring', 'draining'];

function Holder({ group }: { group: Group }) {
    if (group.state !== WAITS) {
        return <>{WORKS.includes(group.state) ? 'this engine' : '–'}</>;
    }
    return group.holder ? <>{group.holder}</> : <span class="muted">nobody: it is being taken over</span>;
}

export function Groups({ model }: { model: Model }) {
    if (model.groups.length < 2) {
        return null;
    }
    const here = model.groups.filter((one) => WORKS.includes(one.state)).length;
    return (
        <section aria-labelledby="groups-title">
            <h2 id="groups-title">Groups</h2>
            <p class="muted" id="groups-here">
                {here} of {model.groups.length} run here. Figures, rows and checkpoints on this page are theirs.
            </p>
            <div class="scroll" tabIndex={0} role="region" aria-label="Groups of the pipeline">
                <table>
                    <thead>
                        <tr>
                            <th scope="col">group</th>
                            <th scope="col">here</th>
                            <th scope="col">run by</th>
                        </tr>
                    </thead>
                    <tbody>
                        {model.groups.map((one, i) => (
                            <tr key={i} data-group={one.name ?? i} data-state={one.state}>
                                <th scope="row">{one.name ?? i}</th>
                                <td>{one.state === WAITS ? 'stands by' : one.state}</td>
                                <td>
                                    <Holder group={one} />
                                </td>
                            </tr>
                        ))}
                    </tbody>
                </table>
            </div>
        </section>
    );
}
