// Line charts over days; uPlot is loaded when the first chart is drawn.
import { html, useEffect, useRef } from "./shared/preact.js";
import { t } from "./words.js";

const HEIGHT = 150;
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000, 1000000];
const sum = (values) => values.reduce((all, value) => all + value, 0);
const whole = (value) => String(Math.round(value * 10) / 10);

const known = (values) => values.filter((value) => value != null);

/** Points are hidden where days are close together, but the only one of a series would leave the chart empty. */
const points = (values) => ({ size: 5, ...(known(values).length === 1 && { show: true }) });

/** The legend shows the totals, and while the mouse is over the chart the day it points at. */
function options(width, days, series, { show, total, step }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const lines = series.map(([name, values, variable]) => ({
    label: name, stroke: colour(variable), width: 2, spanGaps: true, points: points(values), value: (_, value) => show(value ?? total(known(values))),
  }));
  return {
    width, height: HEIGHT, padding: [8, 12, 0, 0], cursor: { points: { size: 7 } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
    axes: [{ ...axis, size: 26, values: "{M}/{D}" }, { ...axis, size: 44, incrs: STEPS.map((each) => each * step), values: (_, marks) => marks.map(show) }],
    series: [{ label: t("日期"), value: (_, at) => (at == null ? t("{n} 天", { n: days.length }) : new Date(at * 1000).toLocaleDateString()) }, ...lines],
  };
}

/** `days`: ISO days; `series`: [label, values, css colour variable]; `show`: a value as text; `total`: several as one;
 * `step`: the least that two marks of the axis differ by. */
export function Chart({ label, days, series, show = whole, total = sum, step = 1 }) {
  const place = useRef(null);
  const filled = series.some(([, values]) => values.some((value) => value));
  useEffect(() => {
    if (!filled) return undefined;
    let chart = null;
    let gone = false;
    const watch = new ResizeObserver(([entry]) => chart?.setSize({ width: entry.contentRect.width, height: HEIGHT }));
    import("./vendor/uplot.js").then(({ uPlot }) => {
      if (gone || !place.current) return;
      const data = [days.map((day) => new Date(`${day}T00:00`).getTime() / 1000), ...series.map(([, values]) => values)];
      chart = new uPlot(options(place.current.clientWidth, days, series, { show, total, step }), data, place.current);
      watch.observe(place.current);
    });
    return () => { gone = true; watch.disconnect(); chart?.destroy(); };
  }, [filled, days.join(), JSON.stringify(series)]);
  if (!filled) return html`<div class="chart none quiet">${t("还没有数据")}</div>`;
  const sums = series.map(([name, values]) => `${name} ${show(total(known(values)))}`).join(t("，"));
  return html`<div class="chart" ref=${place} role="img" aria-label=${`${label}${t("：")}${sums}`}></div>`;
}
