// Two pages about speed: where each engine is faster, and how near to its limits.

import { logChart, type Curve, type Mark } from "./charts";
import { card, fill, h, table } from "./dom";
import { count, digits, engine, percent, rate, seconds } from "./format";
import type { Page } from "./pages";
import type { Store } from "./store";
import type { Crossover, Limits, Row } from "./types";

const TYPES = ["float64", "float32", "complex128", "complex64"];

function points(sizes: number[], values: (number | null)[]): [number, number][] {
  return sizes.flatMap((size, index): [number, number][] => {
    const value = values[index];
    return value === null || value === undefined ? [] : [[size, value]];
  });
}

export function crossover(store: Store): Page {
  const type = h("select", { "aria-label": "Element type" }, ...TYPES.map((name) => h("option", { value: name }, name)));
  const charts = h("div", { class: "grid" });
  const note = h("p", { class: "empty" }, "Asking for predictions ...");
  let map: Crossover[] = [];
  let drawn = "";
  const ask = async (): Promise<void> => {
    try {
      map = await store.json<Crossover[]>(`api/map?dtype=${type.value}`);
      note.textContent =
        "Lines: predicted for square matrices, transfers included. Dots: medians measured in this process. The vertical line is where gpu=\"auto\" goes over to the GPU.";
    } catch (error) {
      note.textContent = `No predictions: ${String(error)}`;
    }
    drawn = "";
    draw();
  };
  const draw = (): void => {
    const rows = (store.process?.rows ?? []).filter((row) => row.dtype === type.value && !row.batched && row.timed > 0);
    const state = JSON.stringify(rows.map((row) => [row.operation, row.size, row.engine, row.p50.toPrecision(2)]));
    if (state === drawn) return;
    drawn = state;
    const seen = new Set(rows.map((row) => row.operation));
    const shown = map.filter((one) => seen.has(one.operation) || one.gpu.some((value) => value !== null) || one.operation === "svd");
    fill(
      charts,
      ...shown.map((one) => {
        const curves: Curve[] = [{ name: "CPU, predicted", colour: "cpu", points: points(one.sizes, one.cpu) }];
        if (one.gpu.some((value) => value !== null)) curves.push({ name: "GPU, predicted", colour: "gpu", points: points(one.sizes, one.gpu) });
        const marks: Mark[] = rows
          .filter((row) => row.operation === one.operation)
          .map((row) => ({ name: `${engine(row.engine)}, measured`, colour: row.engine === "cpu" ? "cpu" : "gpu", at: [row.size, row.p50] }));
        const chart = logChart({
          title: `${one.operation}: predicted and measured time by size`,
          x: { name: "order", format: (value) => digits(value) },
          y: { name: "time of a call", format: seconds },
          curves,
          marks,
          walls: one.switch === null ? [] : [{ at: one.switch, name: `GPU from ${one.switch}` }],
          height: 17,
        });
        const base = one.measured ? "from times measured on this machine" : "from plain rates; lap.calibrate() measures them";
        return card(one.operation, chart, h("p", { class: "empty" }, base));
      }),
    );
  };
  type.addEventListener("change", () => void ask());
  void ask();
  return { element: h("div", {}, h("div", { class: "controls" }, type), note, charts), update: draw };
}

/** A row as a point: operations a byte, operations a second. */
function point(row: Row): [number, number] | null {
  return row.flops > 0 && row.bytes > 0 && row.seconds > 0 ? [row.flops / row.bytes, row.flops / row.seconds] : null;
}

const isSingle = (row: Row): boolean => row.dtype === "float32" || row.dtype === "complex64" || row.dtype.includes("16");

/** Limits no lower than what was reached: a machine that was busy when it was measured can do more. */
function raised(limits: Limits[], rows: Row[]): Limits[] {
  return limits.map((limit) => {
    const best = (single: boolean, rate: number): number =>
      rows.filter((row) => row.engine === limit.engine && isSingle(row) === single).reduce((most, row) => Math.max(most, point(row)?.[1] ?? 0), rate);
    return { ...limit, flops64: best(false, limit.flops64), flops32: best(true, limit.flops32) };
  });
}

/** The most that a limit allows a row. */
function bound(row: Row, limits: Limits[]): number | null {
  const limit = limits.find((one) => one.engine === row.engine);
  const at = point(row);
  if (!limit || !at) return null;
  return Math.min(isSingle(row) ? limit.flops32 : limit.flops64, at[0] * limit.memory);
}

export function roofline(store: Store): Page {
  const chart = h("div", {});
  const said = h("p", { class: "empty" }, "Measuring what this machine can do ...");
  let limits: Limits[] = [];
  let drawn = 0;
  const rows = table<Row>(
    [
      { name: "operation", key: (row) => row.operation, cell: (row) => `${row.operation}${row.batched ? " (batch)" : ""} ${row.dtype} ${row.size}` },
      { name: "engine", key: (row) => row.engine, cell: (row) => engine(row.engine) },
      { name: "calls", key: (row) => row.calls, cell: (row) => count(row.calls), number: true },
      { name: "FLOP a byte", key: (row) => point(row)?.[0] ?? 0, cell: (row) => digits(point(row)?.[0] ?? 0), number: true },
      { name: "achieved", key: (row) => point(row)?.[1] ?? 0, cell: (row) => rate(point(row)?.[1] ?? null, "FLOP/s"), number: true },
      { name: "limit", key: (row) => bound(row, limits) ?? 0, cell: (row) => rate(bound(row, limits), "FLOP/s"), number: true },
      {
        name: "of the limit",
        key: (row) => (point(row)?.[1] ?? 0) / (bound(row, limits) ?? Infinity),
        cell: (row) => {
          const most = bound(row, limits);
          return most === null ? "-" : percent((point(row)?.[1] ?? 0) / most);
        },
        number: true,
      },
    ],
    "Operations against the limits",
    6,
  );
  const curve = (limit: Limits, flops: number, name: string, low: number, high: number): Curve => {
    const ridge = flops / limit.memory;
    const start = Math.min(low, ridge / 4);
    return {
      name: `${[engine(limit.engine), limit.device, name].filter(Boolean).join(" ")}: ${rate(flops, "FLOP/s")}, ${rate(limit.memory, "B/s")}`,
      colour: limit.engine === "cpu" ? "cpu" : "gpu",
      dashed: name !== "double",
      points: [[start, start * limit.memory], [ridge, flops], [Math.max(high, ridge * 8), flops]],
    };
  };
  const draw = (): void => {
    const found = (store.process?.rows ?? []).filter((row) => point(row) !== null);
    limits = raised(limits, found);
    rows.update(found);
    if (limits.length === 0 || Date.now() - drawn < 2000) return;
    drawn = Date.now();
    const intensities = found.map((row) => (point(row) as [number, number])[0]);
    const [low, high] = [Math.min(0.25, ...intensities), Math.max(64, ...intensities)];
    const curves = limits.flatMap((limit) => [
      ...(limit.flops64 > 0 ? [curve(limit, limit.flops64, "double", low, high)] : []),
      curve(limit, limit.flops32, "single", low, high),
    ]);
    fill(
      chart,
      logChart({
        title: "Achieved rates against the limits",
        x: { name: "FLOP a byte of operands and results", format: (value) => digits(value) },
        y: { name: "operations a second", format: (value) => rate(value, "FLOP/s") },
        curves,
        marks: found.map((row) => ({
          name: `${row.operation} ${row.dtype} ${row.size} on the ${engine(row.engine)}`,
          colour: row.engine === "cpu" ? "cpu" : "gpu",
          at: point(row) as [number, number],
        })),
        height: 24,
      }),
    );
  };
  const ask = async (): Promise<void> => {
    try {
      limits = await store.json<Limits[]>("api/limits");
      const measured = limits.every((limit) => limit.measured);
      said.textContent = measured
        ? "Limits: products of large matrices, and copies of memory, measured on this machine. Dots: what the calls of this process reached."
        : "The GPU's limits follow from what its driver says; lap.calibrate() measures them. Dots: what the calls of this process reached.";
    } catch (error) {
      said.textContent = `No limits: ${String(error)}`;
    }
    draw();
  };
  void ask();
  // What the machine can do is the best of several looks: it may have been busy at the first.
  const again = [4000, 12_000, 30_000].map((wait) => window.setTimeout(() => void ask(), wait));
  return {
    element: h("div", {}, card("Roofline", said, chart), card("How near to the limit", rows.element)),
    update: draw,
    destroy: () => again.forEach((timer) => clearTimeout(timer)),
  };
}
