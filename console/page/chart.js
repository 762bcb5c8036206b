// Line charts over days; uPlot is loaded when the first chart is drawn.
import { html, useEffect, useRef } from "./vendor/preact.js";
import { t } from "./words.js";

/** `days`: ISO days; `series`: [label, values, css colour variable]. */
export function Chart({ label, days, series }) {
  const place = useRef(null);
  useEffect(() => {
    let chart = null;
    let gone = false;
    const watch = new ResizeObserver(([entry]) => chart?.setSize({ width: entry.contentRect.width, height: 150 }));
    import("./vendor/uplot.js").then(({ uPlot }) => {
      if (gone) return;
      const style = getComputedStyle(document.documentElement);
      const colour = (name) => style.getPropertyValue(name).trim();
      const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
      const data = [days.map((day) => new Date(`${day}T00:00`).getTime() / 1000), ...series.map(([, values]) => values)];
      chart = new uPlot({
        width: place.current.clientWidth, height: 150, cursor: { points: { size: 6 } }, legend: { live: true },
        scales: { y: { range: (_, low, high) => [0, Math.max(high, 4)] } },
        axes: [{ ...axis, values: "{M}/{D}" }, { ...axis, size: 40 }],
        series: [{ label: t("日期"), value: "{YYYY}-{MM}-{DD}" }, ...series.map(([name, , variable]) => ({ label: name, stroke: colour(variable), width: 2 }))],
      }, data, place.current);
      watch.observe(place.current);
    });
    return () => { gone = true; watch.disconnect(); chart?.destroy(); };
  }, [days.join(), JSON.stringify(series)]);
  const sums = series.map(([name, values]) => `${name} ${values.reduce((sum, value) => sum + value, 0)}`).join("，");
  return html`<div class="chart" ref=${place} role="img" aria-label=${`${label}：${sums}`}></div>`;
}
