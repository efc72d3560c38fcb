// Plots over time: the last five minutes by the second, or the last hour.

import { useEffect, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';

import { bytes, count, duration, rate } from './format.ts';
import { type Model, plotted } from './model.ts';

interface Plot {
    title: string;
    lines: { name: string; label: string }[];
    show: (value: number) => string;
}

const PLOTS: Plot[] = [
    { title: 'Events', lines: [{ name: 'events', label: 'events' }], show: rate },
    { title: 'Triggers', lines: [{ name: 'triggers', label: 'triggers' }], show: rate },
    { title: 'Behind', lines: [{ name: 'lag_us', label: 'reading' }, { name: 'delay_us', label: 'watermark' }], show: duration },
    { title: 'Messages waiting', lines: [{ name: 'lag_messages', label: 'messages' }], show: count },
    { title: 'Checkpoint', lines: [{ name: 'checkpoint_us', label: 'took' }], show: duration },
    { title: 'State', lines: [{ name: 'state_bytes', label: 'bytes' }], show: bytes },
    { title: 'Dead letters', lines: [{ name: 'dead', label: 'dead letters' }], show: rate },
    { title: 'Late rows', lines: [{ name: 'late', label: 'late rows' }], show: rate },
];
const HEIGHT = 120;

function colour(name: string): string {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function options(plot: Plot, width: number): uPlot.Options {
    const axis = { stroke: colour('--muted'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false } };
    return {
        width,
        height: HEIGHT,
        legend: { show: false },
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [
            { ...axis, size: 28, space: 90, values: (_, splits) => splits.map((s) => new Date(s * 1000).toLocaleTimeString(undefined, { hour12: false })) },
            { ...axis, size: 58, space: 34, values: (_, splits) => splits.map((value) => (plot.show === count && !Number.isInteger(value) ? '' : plot.show(value))) },
        ],
        series: [
            {},
            ...plot.lines.map((line, i) => ({ label: line.label, stroke: colour(i === 0 ? '--first' : '--second'), fill: i === 0 ? colour('--fill') : undefined, width: 2, points: { show: false } })),
        ],
    };
}

function last(values: (number | null)[]): number | null {
    return values.length > 0 ? values[values.length - 1] : null;
}

function Chart({ model, plot, coarse }: { model: Model; plot: Plot; coarse: boolean }) {
    const box = useRef<HTMLDivElement>(null);
    const chart = useRef<uPlot | null>(null);
    const lines = plot.lines.map((line) => plotted(coarse ? model.coarse : model.fine, line.name));
    const data = [lines[0][0], ...lines.map((line) => line[1])] as uPlot.AlignedData;

    useEffect(() => {
        const element = box.current;
        if (!element) {
            return;
        }
        const make = () => {
            chart.current?.destroy();
            chart.current = new uPlot(options(plot, element.clientWidth), data, element);
        };
        make();
        const sizes = new ResizeObserver(() => chart.current?.setSize({ width: element.clientWidth, height: HEIGHT }));
        const theme = matchMedia('(prefers-color-scheme: dark)');
        sizes.observe(element);
        theme.addEventListener('change', make);
        return () => {
            sizes.disconnect();
            theme.removeEventListener('change', make);
            chart.current?.destroy();
            chart.current = null;
        };
    }, [plot]);
    useEffect(() => chart.current?.setData(data));

    return (
        <figure class="plot">
            <figcaption>
                <span>{plot.title}</span>{' '}
                {plot.lines.map((line, i) => {
                    const value = last(lines[i][1]);
                    return (
                        <span key={line.name} class={`legend line${i}`}>
                            {plot.lines.length > 1 ? `${line.label} ` : ''}
                            <b>{value === null ? '–' : plot.show(value)}</b>
                        </span>
                    );
                })}
            </figcaption>
            <div ref={box} aria-hidden="true" />
        </figure>
    );
}

export function Plots({ model }: { model: Model }) {
    const [coarse, setCoarse] = useState(false);
    const choices: [boolean, string][] = [
        [false, '5 minutes'],
        [true, '1 hour'],
    ];
    return (
        <section aria-labelledby="plots-title" class="wide">
            <div class="bar">
                <h2 id="plots-title">Over time</h2>
                <div role="group" aria-label="How far back" class="choices">
                    {choices.map(([value, text]) => (
                        <button key={text} type="button" aria-pressed={coarse === value} onClick={() => setCoarse(value)}>
                            {text}
                        </button>
                    ))}
                </div>
            </div>
            <div class="plots">
                {PLOTS.map((plot) => (
                    <Chart key={plot.title} model={model} plot={plot} coarse={coarse} />
                ))}
            </div>
        </section>
    );
}
