import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { html } from "./html.js";

/** A line a queue, told apart by colour and dash, with the same figures as a table below it. */
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 5], [5, 2]];
const TABLE_ROWS = 12;
const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

export function Chart({ title, figure, columns, show, steps }) {
  const names = Object.keys(columns.queues);
  const series = names.map((name) => columns.queues[name][figure]);
  return html`
    <section class="chart" aria-label=${title}>
      <h3>${title}</h3>
      <${Plot} label=${`${title}, a line a queue; the table below has the figures`} names=${names} at=${columns.at} series=${series} show=${show} steps=${steps} />
      <ul class="legend">
        ${names.map((name, n) => html`<li key=${name}><${Swatch} n=${n} />${name}</li>`)}
      </ul>
      <details>
        <summary>Table</summary>
        <div class="scroll" tabindex="0" role="region" aria-label=${`${title}, table`}>
          <table>
            <thead><tr><th scope="col">Time</th>${names.map((name) => html`<th scope="col" class="number">${name}</th>`)}</tr></thead>
            <tbody>${rowsOf(columns.at).map(
              (row) => html`
              <tr key=${row}><th scope="row">${clock.format(columns.at[row] * 1_000)}</th>
                ${series.map((values) => html`<td class="number">${values[row] === null ? "–" : show(values[row])}</td>`)}</tr>`,
            )}</tbody>
          </table>
        </div>
      </details>
    </section>
  `;
}

/** Newest first, spread over what is shown. */
function rowsOf(at) {
  const step = Math.max(1, Math.ceil(at.length / TABLE_ROWS));
  const rows = [];
  for (let row = at.length - 1; row >= 0; row -= step) rows.push(row);
  return rows;
}

const Swatch = ({ n }) => html`
  <svg class=${`swatch line-${n}`} viewBox="0 0 28 8" aria-hidden="true"><path d="M0 4h28" stroke-dasharray=${DASHES[n % DASHES.length].join(" ")} /></svg>
`;

function Plot({ label, names, at, series, show, steps }) {
  const element = useRef();
  const plot = useRef();
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const change = () => setTheme((n) => n + 1);
    dark.addEventListener("change", change);
    return () => dark.removeEventListener("change", change);
  }, []);
  const key = names.join();
  useEffect(() => {
    const place = element.current;
    const drawn = draw(place, names, [at, ...series], { show, steps });
    plot.current = drawn;
    const observer = new ResizeObserver(() => place.isConnected && drawn.setSize(sizeOf(place)));
    observer.observe(place);
    return () => {
      observer.disconnect();
      drawn.destroy();
      plot.current = undefined;
    };
  }, [key, theme]);
  useEffect(() => {
    plot.current?.setData([at, ...series]);
  }, [at]);
  return html`<div class="plot" role="img" aria-label=${label} ref=${element}></div>`;
}

/** Steps of an axis of durations, in ms: what people count in. */
const second = 1_000;
const minute = 60 * second;
const hour = 60 * minute;
export const DURATION_STEPS = [
  ...[0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * second),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * minute),
  ...[1, 2, 6, 12, 24, 48, 120, 240, 720, 2_400].map((n) => n * hour),
];

const HEIGHT = 170;
const sizeOf = (element) => ({ width: Math.max(200, element.clientWidth), height: HEIGHT });

function draw(element, names, data, { show, steps }) {
  const style = getComputedStyle(element);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = {
    stroke: colour("--faint"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: colour("--line"), width: 1 },
    ticks: { show: false },
  };
  return new uPlot(
    {
      ...sizeOf(element),
      legend: { show: false },
      cursor: { show: false },
      scales: { y: { range: (_plot, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
      axes: [
        {
          ...axis,
          values: (_plot, ticks) => ticks.map((tick) => clock.format(tick * 1_000)),
          space: 80,
          size: 26,
        },
        {
          ...axis,
          values: (_plot, ticks) => ticks.map((tick) => show(tick)),
          size: 64,
          space: 32,
          ...(steps && { incrs: steps }),
        },
      ],
      series: [
        {},
        ...names.map((name, n) => ({
          label: name,
          stroke: colour(`--line-${n}`),
          width: 2,
          dash: DASHES[n % DASHES.length],
          spanGaps: false,
          points: { show: (plot) => plot.data[0].length < 3, size: 5 },
        })),
      ],
    },
    data,
    element,
  );
}
