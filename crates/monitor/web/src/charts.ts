// Charts over time (uPlot, on a canvas) and over two logarithmic axes (SVG).

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { fill, h, svg } from "./dom";
import { clock, digits, tick } from "./format";

export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Height of a chart over time, in the size of the page's text. */
const CHART = 12.5;

function rem(): number {
  return parseFloat(getComputedStyle(document.documentElement).fontSize);
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

/** Steps of an axis of bytes. */
const BINARY = [...Array(50).keys()].map((power) => 2 ** power);

/** A chart of the last minutes. `format` is for the axis and the legend; `binary` for bytes. */
export function timeChart(title: string, lines: Line[], format: (value: number) => string, binary = false): TimeChart {
  const element = h("div", { class: "chart", role: "img", "aria-label": title });
  let plot: uPlot | undefined;
  let data: uPlot.AlignedData = [[], ...lines.map(() => [])];
  // What is under the pointer, else the last second.
  const tell = (): void => {
    if (plot && plot.cursor.left !== undefined && plot.cursor.left < 0 && data[0].length > 0) plot.setLegend({ idx: data[0].length - 1 });
  };
  const make = (): void => {
    plot?.destroy();
    const text = rem();
    const font = `${0.75 * text}px system-ui, sans-serif`;
    const line = { stroke: colour("muted"), grid: { stroke: colour("grid"), width: 1 }, ticks: { stroke: colour("grid"), size: 5 } };
    const along = { ...line, font, size: 1.8 * text, space: 6 * text, values: (_self: uPlot, at: number[]): string[] => at.map(clock) };
    const up = {
      ...line,
      font,
      ...(binary ? { incrs: BINARY } : {}),
      values: (_self: uPlot, ticks: number[]): string[] => ticks.map((value) => tick(format(value))),
      // As wide as the widest of its texts.
      size: (_self: uPlot, texts: string[] | null): number => 14 + 0.45 * text * Math.max(3, ...(texts ?? []).map((one) => one.length)),
    };
    plot = new uPlot(
      {
        width: Math.max(200, element.clientWidth),
        height: CHART * text,
        cursor: { drag: { x: false, y: false } },
        scales: { y: { range: (_self, _low, high) => [0, high > 0 ? high * 1.1 : 1] } },
        series: [
          { value: (_self, at) => (at === null ? "" : clock(at)) },
          ...lines.map((line) => ({
            label: line.name,
            stroke: colour(line.colour),
            width: 2,
            points: { show: false },
            ...(line.filled ? { fill: `${colour(line.colour)}22` } : {}),
            value: (_self: uPlot, value: number | null) => (value === null ? "-" : format(value)),
          })),
        ],
        axes: [along, up],
      },
      data,
      element,
    );
    tell();
  };
  const watcher = new ResizeObserver(() => {
    if (element.clientWidth === 0) return;
    if (plot) plot.setSize({ width: Math.max(200, element.clientWidth), height: CHART * rem() });
    else make();
  });
  watcher.observe(element);
  return {
    element,
    update: (times, values) => {
      data = [times, ...values];
      plot?.setData(data);
      tell();
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
  /** In the size of the page's text. */
  height: number;
}

const decades = (low: number, high: number): number[] => {
  const found: number[] = [];
  const step = Math.max(1, Math.ceil((Math.log10(high) - Math.log10(low)) / 6));
  for (let power = Math.ceil(Math.log10(low) - 1e-9); power <= Math.log10(high) + 1e-9; power += step) found.push(10 ** power);
  return found;
};

/** Curves and marks over logarithmic axes, drawn anew when their width changes so that their text keeps its size. */
export function logChart(chart: LogChart): HTMLElement {
  const all = [...chart.curves.flatMap((curve) => curve.points), ...chart.marks.map((mark) => mark.at)];
  const usable = all.filter(([x, y]) => x > 0 && y > 0);
  if (usable.length === 0) return h("p", { class: "empty" }, "Nothing to show yet.");
  const space = h("div", { class: "log" });
  let drawn = 0;
  new ResizeObserver(() => {
    const width = space.clientWidth;
    if (width === 0 || width === drawn) return;
    drawn = width;
    fill(space, drawLog(chart, usable, width));
  }).observe(space);
  const keys = chart.curves.map((curve) =>
    h("li", {}, h("span", { class: `key ${curve.colour}${curve.dashed ? " dashed" : ""}` }), curve.name),
  );
  return h("figure", {}, h("figcaption", {}, chart.y.name), space, h("ul", { class: "keys" }, ...keys));
}

function drawLog(chart: LogChart, usable: [number, number][], width: number): SVGElement {
  const text = rem();
  const height = chart.height * text;
  const range = (values: number[]): [number, number] => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return [low / 1.3, high * 1.3];
  };
  const [x0, x1] = range(usable.map(([x]) => x));
  const [y0, y1] = range(usable.map(([, y]) => y));
  const ticks = decades(y0, y1).map((y): [number, string] => [y, tick(chart.y.format(y))]);
  const longest = Math.max(...ticks.map(([, name]) => name.length));
  const [left, right, top, bottom] = [text * (0.9 + 0.45 * longest), text, text, 2.8 * text];
  const along = (value: number, low: number, high: number): number => Math.log(value / low) / Math.log(high / low);
  const px = (x: number): number => left + along(x, x0, x1) * (width - left - right);
  const py = (y: number): number => height - bottom - along(y, y0, y1) * (height - top - bottom);
  const image = svg("svg", { width, height, role: "group", "aria-label": chart.title, class: "log" });
  for (const x of decades(x0, x1)) {
    image.append(svg("line", { x1: px(x), x2: px(x), y1: top, y2: height - bottom, class: "grid" }));
    image.append(svg("text", { x: px(x), y: height - bottom + text, class: "tick", "text-anchor": "middle" }, tick(chart.x.format(x))));
  }
  for (const [y, name] of ticks) {
    image.append(svg("line", { x1: left, x2: width - right, y1: py(y), y2: py(y), class: "grid" }));
    image.append(svg("text", { x: left - 0.4 * text, y: py(y) + 0.25 * text, class: "tick", "text-anchor": "end" }, name));
  }
  image.append(svg("text", { x: (left + width - right) / 2, y: height - 0.5 * text, class: "name", "text-anchor": "middle" }, chart.x.name));
  for (const wall of chart.walls ?? []) {
    if (wall.at < x0 || wall.at > x1) continue;
    const atRight = px(wall.at) > (left + width) / 2;
    image.append(svg("line", { x1: px(wall.at), x2: px(wall.at), y1: top, y2: height - bottom, class: "wall" }));
    image.append(svg("text", { x: px(wall.at) + (atRight ? -0.4 : 0.4) * text, y: height - bottom - 0.5 * text, class: "tick", "text-anchor": atRight ? "end" : "start" }, wall.name));
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
    const name = `${mark.name}: ${chart.y.format(y)} at ${chart.x.format(x)}`;
    const dot = svg("circle", { cx: px(x), cy: py(y), r: 0.3 * text, class: `mark ${mark.colour}`, tabindex: 0, role: "img", "aria-label": name });
    dot.append(svg("title", {}, name));
    image.append(dot);
  }
  return image;
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
