// Charts over time (uPlot, on a canvas) and over two logarithmic axes (SVG).

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { h, svg } from "./dom";
import { digits } from "./format";

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

export interface Line {
  name: string;
  colour: string;
  /** Fills below the line. */
  filled?: boolean;
}

export interface TimeChart {
  element: HTMLElement;
  update: (times: number[], values: number[][]) => void;
  /** The colours have changed. */
  restyle: () => void;
  destroy: () => void;
}

/** A chart of the last minutes. `format` is for the axis and the legend. */
export function timeChart(title: string, lines: Line[], format: (value: number) => string): TimeChart {
  const element = h("div", { class: "chart", role: "img", "aria-label": title });
  let plot: uPlot | undefined;
  let data: uPlot.AlignedData = [[], ...lines.map(() => [])];
  const height = 190;
  const make = (): void => {
    plot?.destroy();
    const axis = { stroke: colour("muted"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid") } };
    plot = new uPlot(
      {
        width: Math.max(200, element.clientWidth),
        height,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_self, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
        series: [
          { value: (_self, at) => (at === null ? "" : new Date(at * 1000).toLocaleTimeString()) },
          ...lines.map((line) => ({
            label: line.name,
            stroke: colour(line.colour),
            width: 2,
            points: { show: false },
            ...(line.filled ? { fill: `${colour(line.colour)}22` } : {}),
            value: (_self: uPlot, value: number | null) => (value === null ? "-" : format(value)),
          })),
        ],
        axes: [axis, { ...axis, size: 96, values: (_self, ticks) => ticks.map(format) }],
      },
      data,
      element,
    );
  };
  const watcher = new ResizeObserver(() => {
    if (element.clientWidth === 0) return;
    if (plot) plot.setSize({ width: Math.max(200, element.clientWidth), height });
    else make();
  });
  watcher.observe(element);
  return {
    element,
    update: (times, values) => {
      data = [times, ...values];
      plot?.setData(data);
    },
    restyle: () => {
      if (plot) make();
    },
    destroy: () => {
      watcher.disconnect();
      plot?.destroy();
    },
  };
}

export interface Curve {
  name: string;
  colour: string;
  dashed?: boolean;
  points: [number, number][];
}

export interface Mark {
  name: string;
  colour: string;
  at: [number, number];
}

export interface LogChart {
  title: string;
  x: { name: string; format: (value: number) => string };
  y: { name: string; format: (value: number) => string };
  curves: Curve[];
  marks: Mark[];
  /** Vertical lines, with what they mean. */
  walls?: { at: number; name: string }[];
  height?: number;
}

const decades = (low: number, high: number): number[] => {
  const found: number[] = [];
  const step = Math.max(1, Math.ceil((Math.log10(high) - Math.log10(low)) / 6));
  for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power += step) found.push(10 ** power);
  return found;
};

/** Curves and marks over logarithmic axes. */
export function logChart(chart: LogChart): HTMLElement {
  const [width, height, left, right, top, bottom] = [600, chart.height ?? 300, 106, 14, 12, 44];
  const all = [...chart.curves.flatMap((curve) => curve.points), ...chart.marks.map((mark) => mark.at)];
  const usable = all.filter(([x, y]) => x > 0 && y > 0);
  if (usable.length === 0) return h("p", { class: "empty" }, "Nothing to show yet.");
  const range = (values: number[]): [number, number] => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return [low / 1.3, high * 1.3];
  };
  const [x0, x1] = range(usable.map(([x]) => x));
  const [y0, y1] = range(usable.map(([, y]) => y));
  const along = (value: number, low: number, high: number): number => Math.log(value / low) / Math.log(high / low);
  const px = (x: number): number => left + along(x, x0, x1) * (width - left - right);
  const py = (y: number): number => height - bottom - along(y, y0, y1) * (height - top - bottom);
  const image = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": chart.title, class: "log" });
  for (const x of decades(x0, x1)) {
    image.append(svg("line", { x1: px(x), x2: px(x), y1: top, y2: height - bottom, class: "grid" }));
    image.append(svg("text", { x: px(x), y: height - bottom + 16, class: "tick", "text-anchor": "middle" }, chart.x.format(x)));
  }
  for (const y of decades(y0, y1)) {
    image.append(svg("line", { x1: left, x2: width - right, y1: py(y), y2: py(y), class: "grid" }));
    image.append(svg("text", { x: left - 6, y: py(y) + 4, class: "tick", "text-anchor": "end" }, chart.y.format(y)));
  }
  image.append(svg("text", { x: (left + width - right) / 2, y: height - 6, class: "name", "text-anchor": "middle" }, chart.x.name));
  for (const wall of chart.walls ?? []) {
    if (wall.at < x0 || wall.at > x1) continue;
    image.append(svg("line", { x1: px(wall.at), x2: px(wall.at), y1: top, y2: height - bottom, class: "wall" }));
    image.append(svg("text", { x: px(wall.at) + 4, y: top + 12, class: "tick" }, wall.name));
  }
  for (const curve of chart.curves) {
    const path = curve.points
      .filter(([x, y]) => x > 0 && y > 0)
      .map(([x, y], index) => `${index === 0 ? "M" : "L"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`)
      .join("");
    if (path) image.append(svg("path", { d: path, class: `curve ${curve.colour}${curve.dashed ? " dashed" : ""}` }));
  }
  for (const mark of chart.marks) {
    const [x, y] = mark.at;
    if (!(x > 0 && y > 0)) continue;
    const dot = svg("circle", { cx: px(x), cy: py(y), r: 4.5, class: `mark ${mark.colour}`, tabindex: 0 });
    dot.append(svg("title", {}, `${mark.name}: ${chart.y.format(y)} at ${chart.x.format(x)}`));
    image.append(dot);
  }
  const keys = chart.curves.map((curve) =>
    h("li", {}, h("span", { class: `key ${curve.colour}${curve.dashed ? " dashed" : ""}` }), curve.name),
  );
  return h("figure", {}, h("figcaption", {}, `${chart.y.name}`), image, h("ul", { class: "keys" }, ...keys));
}

/** Bars of counts, with a name below each. */
export function bars(title: string, counts: number[], names: string[], kind: string): HTMLElement {
  const most = Math.max(1, ...counts);
  const columns = counts.map((value, index) => {
    const column = h("span", { class: `column ${kind}` });
    column.style.height = `${((100 * value) / most).toFixed(1)}%`;
    return h(
      "div",
      { class: "column-of", title: `${names[index] ?? ""}: ${digits(value)}` },
      h("div", { class: "column-space" }, column),
      h("small", {}, names[index] ?? ""),
    );
  });
  return h("div", { class: "columns", role: "img", "aria-label": `${title}: ${counts.join(", ")}` }, ...columns);
}
