// How things stand: rates, use of processor and memory, GPU against CPU, what is wrong and what to do.

import { timeChart } from "./charts";
import { bar, card, h, renew } from "./dom";
import { bytes, count, digits, percent, rate, seconds } from "./format";
import type { Page } from "./pages";
import type { Store } from "./store";
import type { Alert, Comparison, Gpu } from "./types";

const MOST_COMPARED = 10;

function tile(name: string): { element: HTMLElement; set: (value: string, more?: string) => void } {
  const value = h("strong", {}, "-");
  const more = h("small", {}, "");
  return {
    element: h("div", { class: "tile" }, h("span", {}, name), value, more),
    set: (text, rest = "") => {
      value.textContent = text;
      more.textContent = rest;
    },
  };
}

function alerts(list: Alert[]): HTMLElement[] {
  return list.map((alert) => h("li", { class: alert.urgent ? "alert urgent" : "alert" }, h("b", {}, alert.topic), ` ${alert.text}`));
}

/** `svd 4096: 8.2x on GPU`, and where both numbers come from. */
export function comparison(one: Comparison): HTMLElement {
  const ratio = one.cpu / one.gpu;
  const word = (measured: boolean): string => (measured ? "measured" : "predicted");
  const faster = ratio >= 1 ? `${digits(ratio)}x on GPU` : `${digits(1 / ratio)}x on CPU`;
  return h(
    "li",
    {},
    h("b", {}, `${one.operation} ${one.size}: ${faster}`),
    ` ${one.dtype}; CPU ${seconds(one.cpu)} (${word(one.measured[0])}), GPU ${seconds(one.gpu)} (${word(one.measured[1])})`,
  );
}

export function gpuFigures(gpu: Gpu): HTMLElement {
  const power = gpu.power === null ? "-" : `${digits(gpu.power)} W${gpu.power_limit === null ? "" : ` of ${digits(gpu.power_limit)}`}`;
  const used = gpu.memory_used !== null && gpu.memory_total ? gpu.memory_used / gpu.memory_total : null;
  return h(
    "div",
    { class: "gpu" },
    h("b", {}, gpu.name),
    h("div", {}, "in use ", bar(gpu.utilisation ?? 0, "gpu"), ` ${percent(gpu.utilisation)}`),
    h("div", {}, "memory ", bar(used ?? 0, "gpu"), ` ${bytes(gpu.memory_used)} of ${bytes(gpu.memory_total)}`),
    h("div", {}, `${power}, ${gpu.temperature === null ? "-" : digits(gpu.temperature)} °C, ${gpu.clock === null ? "-" : digits(gpu.clock)} MHz`),
    gpu.throttled.length > 0 && h("div", { class: "alert" }, `slowed down: ${gpu.throttled.join(", ")}`),
  );
}

export function overview(): Page {
  const tiles = {
    rate: tile("Calls per second"),
    calls: tile("Calls"),
    gpu: tile("On GPU"),
    time: tile("Time in calls"),
    failures: tile("Failures"),
    cpu: tile("Processor"),
    memory: tile("Memory left"),
  };
  const calls = timeChart(
    "Calls per second over the last minutes",
    [
      { name: "all", colour: "cpu", filled: true },
      { name: "on GPU", colour: "gpu" },
      { name: "failed", colour: "bad" },
    ],
    (value) => digits(value),
  );
  const busy = timeChart(
    "Threads within calls and cores in use over the last minutes",
    [
      { name: "threads within calls", colour: "cpu" },
      { name: "cores in use by the process", colour: "third" },
    ],
    (value) => digits(value),
  );
  const flops = timeChart(
    "Floating-point operations per second over the last minutes",
    [{ name: "operations", colour: "cpu", filled: true }],
    (value) => rate(value, "FLOP/s"),
  );
  const wrong = h("ul", { class: "plain", "aria-live": "polite" });
  const versus = h("ul", { class: "plain" });
  const gpus = h("div", {});
  const advice = h("div", {});
  const element = h(
    "div",
    {},
    wrong,
    h("div", { class: "tiles" }, ...Object.values(tiles).map((one) => one.element)),
    h(
      "div",
      { class: "grid" },
      card("Calls per second", calls.element),
      card("Threads and cores", busy.element),
      card("Floating-point operations per second", flops.element),
      card("GPU against CPU", versus),
      card("GPUs", gpus),
      card("What to do", advice),
    ),
  );
  const charts = [calls, busy, flops];
  return {
    element,
    update: (store: Store) => {
      const message = store.message;
      const process = store.process;
      if (!message) return;
      const machine = message.machine;
      renew(wrong, ...alerts([...message.alerts, ...(process?.alerts ?? [])]));
      tiles.cpu.set(
        machine.cpu === null ? "-" : `${digits(machine.cpu)} cores`,
        `of ${digits(machine.cpu_quota ?? machine.cores)}${machine.load ? `, load ${digits(machine.load[0])}` : ""}`,
      );
      const whole = Math.min(machine.memory_total ?? Infinity, machine.memory_limit ?? Infinity);
      tiles.memory.set(bytes(machine.memory_available), Number.isFinite(whole) ? `of ${bytes(whole)}` : "");
      renew(
        gpus,
        ...machine.gpus.map(gpuFigures),
        machine.gpus.length === 0 && h("p", { class: "empty" }, "No GPU tells its figures here: neither NVML nor a driver of AMD or Intel does."),
      );
      if (!process) return;
      const last = process.series.at(-1);
      if (last) tiles.memory.set(bytes(machine.memory_available), `${Number.isFinite(whole) ? `of ${bytes(whole)}; ` : ""}process ${bytes(last.memory)}`);
      const totals = process.totals;
      tiles.rate.set(digits(process.state === "running" ? (last?.calls ?? 0) : 0), rate(last?.flops ?? 0, "FLOP/s"));
      tiles.calls.set(count(totals.calls), `${count(totals.timed)} timed`);
      tiles.gpu.set(totals.calls > 0 ? percent(totals.gpu_calls / totals.calls) : "-", `${count(totals.gpu_calls)} calls`);
      tiles.time.set(seconds(totals.seconds), "all threads together");
      tiles.failures.set(count(totals.failures), `${count(totals.warnings)} warnings, ${count(totals.fallbacks)} fallbacks`);
      const shown = process.series.slice(-600);
      const times = shown.map((second) => second.at);
      calls.update(times, [shown.map((s) => s.calls), shown.map((s) => s.gpu_calls), shown.map((s) => s.failures)]);
      busy.update(times, [shown.map((s) => s.busy), shown.map((s) => s.cpu)]);
      flops.update(times, [shown.map((s) => s.flops)]);
      renew(
        versus,
        // The longest calls first: there it matters most where they run.
        ...[...process.comparisons]
          .sort((a, b) => Math.max(b.cpu, b.gpu) - Math.max(a.cpu, a.gpu))
          .slice(0, MOST_COMPARED)
          .map(comparison),
        process.comparisons.length > MOST_COMPARED && h("li", { class: "empty" }, `and ${process.comparisons.length - MOST_COMPARED} more, which the crossover page has as dots`),
        process.comparisons.length === 0 &&
          h("li", { class: "empty" }, "No call was considered for both engines yet."),
      );
      const first = process.recommendations[0];
      renew(
        advice,
        first
          ? h("p", {}, h("a", { href: "#recommendations" }, first.title), ` - ${first.evidence}`)
          : h("p", { class: "empty" }, "Nothing to improve was found."),
        process.recommendations.length > 1 && h("p", {}, `and ${process.recommendations.length - 1} more`),
      );
    },
    restyle: () => charts.forEach((chart) => chart.restyle()),
    destroy: () => charts.forEach((chart) => chart.destroy()),
  };
}
