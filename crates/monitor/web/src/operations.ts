// Every operation with its times, and the last calls.

import { bars } from "./charts";
import { bar, card, h, renew, table } from "./dom";
import { clock, count, digits, engine, percent, seconds, shape, small } from "./format";
import type { Page } from "./pages";
import type { Store } from "./store";
import type { Call, Row } from "./types";

const BOUNDS = ["1 us", "3 us", "10 us", "30 us", "0.1 ms", "0.3 ms", "1 ms", "3 ms", "10 ms", "30 ms", "0.1 s", "0.3 s", "1 s", "3 s", "10 s", "30 s", "longer"];

/** Counts within each bound from counts up to each. */
function between(upTo: number[]): number[] {
  return upTo.map((value, index) => value - (upTo[index - 1] ?? 0));
}

const identity = (row: Row): string => [row.operation, row.dtype, row.size, row.batched, row.engine].join(" ");

function phases(row: Row): HTMLElement {
  const { total, intake, compute, transfer, conditioning } = row.phases;
  if (total === 0) return h("p", { class: "empty" }, "No call with phases was timed yet.");
  const parts: [string, number][] = [
    ["working copy and check", intake],
    ["computing", compute],
    ["transfer", transfer],
    ["condition estimate", conditioning],
  ];
  const rest = Math.max(0, total - parts.reduce((sum, [, value]) => sum + value, 0));
  return h(
    "ul",
    { class: "plain" },
    ...[...parts, ["rest", rest] as [string, number]].map(([name, value]) =>
      h("li", { class: "phase" }, h("span", {}, name), bar(value / total, "cpu"), h("span", {}, percent(value / total))),
    ),
  );
}

function details(row: Row): HTMLElement {
  const told = row.expected;
  const callers = Object.entries(row.callers).sort(([, a], [, b]) => b - a);
  return h(
    "div",
    { class: "grid" },
    h("div", {}, h("h3", {}, "Where the time goes"), phases(row)),
    h("div", {}, h("h3", {}, "How long calls take"), bars("Calls by duration", between(row.buckets), BOUNDS, "cpu")),
    h(
      "div",
      {},
      h("h3", {}, "Predicted and measured"),
      told.calls === 0
        ? h("p", { class: "empty" }, "The calls were not considered for both engines.")
        : h(
            "ul",
            { class: "plain" },
            h("li", {}, `measured on the ${engine(row.engine)}: ${seconds(told.measured / told.calls)} a call`),
            h("li", {}, `predicted for the CPU: ${seconds(told.cpu / told.calls)}`),
            h("li", {}, `predicted for the GPU: ${told.gpu > 0 ? seconds((told.gpu + told.transfer) / told.calls) : "no kernel"}, transfers ${seconds(told.transfer / told.calls)}`),
          ),
      h("h3", {}, "Why it ran there"),
      h("p", {}, row.reason || "-", row.device && ` (${row.device})`, row.routine && `; routine ${row.routine}`),
    ),
    h(
      "div",
      {},
      h("h3", {}, "Called from"),
      callers.length === 0
        ? h("p", { class: "empty" }, "No place in the program was looked at yet.")
        : h("ul", { class: "plain" }, ...callers.map(([place, times]) => h("li", {}, h("code", {}, place), ` ${count(times)} of those looked at`))),
    ),
  );
}

export function operations(): Page {
  const filter = h("input", { type: "search", placeholder: "operation or type", "aria-label": "Filter" });
  const engines = h("select", { "aria-label": "Engine" }, h("option", { value: "" }, "both engines"), h("option", { value: "cpu" }, "CPU"), h("option", { value: "opencl" }, "GPU"));
  let chosen = "";
  let latest: Store | null = null;
  const detail = h("div", {});
  const rows = table<Row>(
    [
      { name: "operation", key: (row) => row.operation, cell: (row) => (row.batched ? `${row.operation} (batch)` : row.operation) },
      { name: "type", key: (row) => row.dtype, cell: (row) => row.dtype },
      { name: "size", key: (row) => row.size, cell: (row) => row.size, number: true },
      { name: "engine", key: (row) => row.engine, cell: (row) => engine(row.engine) },
      { name: "calls", key: (row) => row.calls, cell: (row) => count(row.calls), number: true },
      { name: "time", key: (row) => row.seconds, cell: (row) => seconds(row.seconds), number: true },
      { name: "median", key: (row) => row.p50, cell: (row) => seconds(row.p50), number: true },
      { name: "95 %", key: (row) => row.p95, cell: (row) => seconds(row.p95), number: true },
      { name: "99 %", key: (row) => row.p99, cell: (row) => seconds(row.p99), number: true },
      { name: "GFLOP/s", key: (row) => row.flops / row.seconds, cell: (row) => (row.flops > 0 && row.seconds > 0 ? digits(row.flops / row.seconds / 1e9) : "-"), number: true },
      { name: "rcond", key: (row) => row.rcond ?? 2, cell: (row) => small(row.rcond), number: true },
      { name: "failed", key: (row) => row.failures, cell: (row) => count(row.failures), number: true },
    ],
    "Operations",
    5,
    {
      choose: (row) => {
        chosen = chosen === identity(row) ? "" : identity(row);
        if (latest) update(latest);
        if (chosen) detail.scrollIntoView({ block: "nearest" });
      },
      name: identity,
    },
  );
  const calls = table<Call>(
    [
      { name: "ended", cell: (call) => clock(call.at) },
      { name: "operation", cell: (call) => call.operation },
      { name: "type", cell: (call) => call.dtype },
      { name: "shape", cell: (call) => shape(call.shape, call.operation) },
      { name: "engine", cell: (call) => engine(call.engine) },
      { name: "time", cell: (call) => seconds(call.seconds), number: true },
      { name: "CPU predicted", cell: (call) => seconds(call.predicted[0]), number: true },
      { name: "GPU predicted", cell: (call) => seconds(call.predicted[1]), number: true },
      { name: "thread", cell: (call) => call.thread, number: true },
      { name: "what and where", cell: (call) => h("span", { class: "long" }, call.text || call.reason, call.caller && h("code", {}, ` ${call.caller}`)) },
    ],
    "The last calls that were recorded one by one",
  );
  const update = (store: Store): void => {
    latest = store;
    const process = store.process;
    if (!process) return;
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const shown = process.rows.filter((row) => {
      const text = `${row.operation} ${row.dtype} ${row.size} ${row.batched ? "batch" : ""}`.toLowerCase();
      return (engines.value === "" || engines.value === row.engine) && words.every((word) => text.includes(word));
    });
    rows.update(shown);
    const row = process.rows.find((one) => identity(one) === chosen);
    renew(detail, row ? card(`${row.operation} ${row.dtype}, size ${row.size}, on the ${engine(row.engine)}`, details(row)) : h("p", { class: "empty" }, "Choose an operation for its phases, durations and callers."));
    calls.update([...process.recent].reverse().slice(0, 60));
  };
  const again = (): void => {
    if (latest) update(latest);
  };
  filter.addEventListener("input", again);
  engines.addEventListener("change", again);
  return {
    element: h("div", {}, card("Operations", h("div", { class: "controls" }, filter, engines), rows.element), detail, card("Last calls", calls.element)),
    update,
  };
}
