// Line charts over days; uPlot is loaded when the first chart is drawn.
import { html, useEffect, useRef } from "./shared/preact.js";
import { t } from "./words.js";

const HEIGHT = 150; // pixels
const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000, 100000, 1000000];

const sum = (values) => values.reduce((total, value) => total + value, 0);
const formatNumber = (value) => String(Math.round(value * 10) / 10);
const present = (values) => values.filter((value) => value != null);

/** Points are hidden if the days are close together, but the only point of a series is shown: it has no line. */
const pointOptions = (values) => ({ size: 5, ...(present(values).length === 1 && { show: true }) });

/** The options of uPlot. The legend shows the totals, and while the mouse is over the chart, the values of that day. */
function chartOptions(width, days, series, { format, total, step }) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--muted"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const dates = {
    label: t("日期"),
    value: (_, seconds) => (seconds == null ? t("{n} 天", { n: days.length }) : new Date(seconds * 1000).toLocaleDateString()),
  };
  const lines = series.map(([label, values, variable]) => ({
    label,
    stroke: colour(variable),
    width: 2,
    spanGaps: true,
    points: pointOptions(values),
    value: (_, value) => format(value ?? total(present(values))),
  }));
  return {
    width,
    height: HEIGHT,
    padding: [8, 12, 0, 0],
    cursor: { points: { size: 7 } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
    axes: [
      { ...axis, size: 26, values: "{M}/{D}" },
      { ...axis, size: 44, incrs: STEPS.map((increment) => increment * step), values: (_, ticks) => ticks.map(format) },
    ],
    series: [dates, ...lines],
  };
}

/**
 * `days`: ISO days; `series`: [label, values, CSS colour variable]; `format`: a value as text; `total`: several values as one;
 * `step`: the smallest difference of two ticks of the axis.
 */
export function Chart({ label, days, series, format = formatNumber, total = sum, step = 1 }) {
  const container = useRef(null);
  const hasValues = series.some(([, values]) => values.some((value) => value));
  useEffect(() => {
    if (!hasValues) return undefined;
    let chart = null;
    let isRemoved = false;
    const observer = new ResizeObserver(([entry]) => chart?.setSize({ width: entry.contentRect.width, height: HEIGHT }));
    import("./vendor/uplot.js").then(({ uPlot }) => {
      if (isRemoved || !container.current) return;
      const data = [days.map((day) => new Date(`${day}T00:00`).getTime() / 1000), ...series.map(([, values]) => values)];
      chart = new uPlot(chartOptions(container.current.clientWidth, days, series, { format, total, step }), data, container.current);
      observer.observe(container.current);
    });
    return () => { isRemoved = true; observer.disconnect(); chart?.destroy(); };
  }, [hasValues, days.join(), JSON.stringify(series)]);
  if (!hasValues) return html`<div class="chart none muted">${t("还没有数据")}</div>`;
  const totals = series.map(([name, values]) => `${name} ${format(total(present(values)))}`).join(t("，"));
  return html`<div class="chart" ref=${container} role="img" aria-label=${`${label}${t("：")}${totals}`}></div>`;
}
