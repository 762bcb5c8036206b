// Lines over days; uPlot is fetched when the first chart is drawn.
import { html, useEffect, useRef } from "./vendor/preact.js";
import { t } from "./words.js";

const HEIGHT = 150;
const whole = (value) => String(Math.round(value * 10) / 10);

function options(width, series, show) {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(name).trim();
  const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const lines = series.map(([name, , variable]) => ({
    label: name, stroke: colour(variable), width: 2, spanGaps: true, points: { size: 5 }, value: (_, value) => (value == null ? "—" : show(value)),
  }));
  return {
    width, height: HEIGHT, cursor: { points: { size: 7 } },
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 1) * 1.1] } },
    axes: [{ ...axis, values: "{M}/{D}" }, { ...axis, size: 44, incrs: [0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 100000], values: (_, marks) => marks.map(show) }],
    series: [{ label: t("日期"), value: "{M}/{D}" }, ...lines],
  };
}

/** `days`: ISO days; `series`: [label, values, css colour variable]; `show`: a value as text; `total`: several as one. */
export function Chart({ label, days, series, show = whole, total = (values) => values.reduce((sum, value) => sum + value, 0) }) {
  const place = useRef(null);
  const known = series.some(([, values]) => values.some((value) => value));
  useEffect(() => {
    if (!known) return undefined;
    let chart = null;
    let gone = false;
    const watch = new ResizeObserver(([entry]) => chart?.setSize({ width: entry.contentRect.width, height: HEIGHT }));
    import("./vendor/uplot.js").then(({ uPlot }) => {
      if (gone) return;
      const data = [days.map((day) => new Date(`${day}T00:00`).getTime() / 1000), ...series.map(([, values]) => values)];
      chart = new uPlot(options(place.current.clientWidth, series, show), data, place.current);
      watch.observe(place.current);
    });
    return () => { gone = true; watch.disconnect(); chart?.destroy(); };
  }, [known, days.join(), JSON.stringify(series)]);
  if (!known) return html`<div class="chart none quiet">${t("还没有数据")}</div>`;
  const sums = series.map(([name, values]) => `${name} ${show(total(values.filter((value) => value != null)))}`).join(t("，"));
  return html`<div class="chart" ref=${place} role="img" aria-label=${`${label}${t("：")}${sums}`}></div>`;
}
