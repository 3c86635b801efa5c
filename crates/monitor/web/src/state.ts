// Pages about results, memory, earlier runs, the machine, and what to do.

import { bars, timeChart } from "./charts";
import { bar, card, fill, h, renew, table } from "./dom";
import { bytes, clock, count, digits, engine, library, moment, percent, rate, seconds, shape, small } from "./format";
import { gpuFigures } from "./overview";
import type { Page } from "./pages";
import type { Store } from "./store";
import type { Call, Change, Limits, Recommendation, Row, Run } from "./types";

const DECADES = [...Array(17).keys()].map((index) => (index === 0 ? "<1e-16" : `1e-${17 - index}`));

export function accuracy(): Page {
  const spread = h("div", { class: "grid" });
  const codes = h("ul", { class: "plain" });
  const calls = table<Call>(
    [
      { name: "operation", cell: (call) => call.operation },
      { name: "code", cell: (call) => call.codes.join(" ") },
      { name: "what", cell: (call) => h("span", { class: "long" }, call.text) },
      { name: "shape", cell: (call) => shape(call.shape, call.operation) },
      { name: "INFO", cell: (call) => call.info ?? "-", number: true },
      { name: "rcond", cell: (call) => small(call.rcond), number: true },
      { name: "ended", cell: (call) => clock(call.at) },
    ],
    "Failures and warnings",
  );
  return {
    element: h(
      "div",
      {},
      card("Failures and warnings by code", codes),
      card("The last of them", calls.element),
      card("Reciprocal condition numbers", h("p", { class: "empty" }, "Each decade that a call loses is a digit of its result. Columns count timed calls."), spread),
    ),
    update: (store: Store) => {
      const process = store.process;
      if (!process) return;
      const told = Object.entries(process.totals.codes);
      renew(
        codes,
        ...told.map(([code, times]) => h("li", {}, h("code", {}, code), ` ${count(times)} times`)),
        told.length === 0 && h("li", { class: "empty" }, "None so far."),
      );
      calls.update(process.recent.filter((call) => call.codes.length > 0).reverse().slice(0, 40));
      const known = process.rows.filter((row) => row.rcond !== null).slice(0, 12);
      renew(
        spread,
        ...known.map((row) =>
          h(
            "div",
            {},
            h("h3", {}, `${row.operation} ${row.dtype}, size ${row.size}`),
            bars(`rcond of ${row.operation}`, row.rcond_decades, DECADES, "cpu"),
            h("p", {}, `smallest ${small(row.rcond)}; ${count(row.doubtful)} without a certain digit`),
          ),
        ),
        known.length === 0 && h("p", { class: "empty" }, "No call has estimated a condition number yet."),
      );
    },
  };
}

export function memoryPage(): Page {
  const chart = timeChart(
    "Memory of the process over the last minutes",
    [
      { name: "process", colour: "cpu", filled: true },
      { name: "pools of its devices", colour: "gpu" },
    ],
    bytes,
    true,
  );
  const host = h("ul", { class: "plain" });
  const pools = h("div", {});
  const largest = table<Row>(
    [
      { name: "operation", cell: (row) => `${row.operation} ${row.dtype}` },
      { name: "shape of most calls", cell: (row) => shape(row.shape, row.operation) },
      { name: "engine", cell: (row) => engine(row.engine) },
      { name: "operands and results", cell: (row) => bytes(row.bytes / row.calls), number: true },
      { name: "working memory", cell: (row) => (row.scratch > 0 ? bytes(row.scratch) : "-"), number: true },
      { name: "copies made", cell: (row) => bytes(row.timed > 0 ? row.copied / row.timed : 0), number: true },
      { name: "moved to and from the device", cell: (row) => bytes(row.timed > 0 ? row.moved / row.timed : 0), number: true },
    ],
    "What a call needs",
  );
  return {
    element: h("div", {}, h("div", { class: "grid" }, card("Process", chart.element), card("Machine", host), card("Device pools", pools)), card("What a call needs, on average", largest.element)),
    update: (store: Store) => {
      const machine = store.message?.machine;
      const process = store.process;
      if (machine) {
        const left = machine.memory_available;
        const line = (name: string, used: number | null, whole: number | null): HTMLElement | false =>
          used !== null && whole !== null && whole > 0 && h("li", { class: "phase" }, h("span", {}, name), bar(used / whole, used > 0.9 * whole ? "bad" : "cpu"), h("span", {}, `${bytes(used)} of ${bytes(whole)}`));
        renew(
          host,
          line("machine", machine.memory_total !== null && left !== null ? machine.memory_total - left : null, machine.memory_total) || h("li", { class: "empty" }, "The system does not tell."),
          line("container", machine.memory_used, machine.memory_limit) || h("li", {}, "no container limit"),
          h("li", {}, `${bytes(left)} can still be had`),
          ...[...(store.message?.alerts ?? []), ...(process?.alerts ?? [])].filter((alert) => alert.topic === "memory" || alert.topic === "pool").map((alert) => h("li", { class: "alert" }, alert.text)),
        );
      }
      if (!process) return;
      const shown = process.series.slice(-600);
      chart.update(shown.map((s) => s.at), [shown.map((s) => s.memory), shown.map((s) => s.pool)]);
      renew(
        pools,
        ...process.devices.map((device) => {
          if (!device.pool) return h("p", {}, `${device.name}: not used yet`);
          const [used, idle, high, limit] = device.pool;
          return h("div", { class: "gpu" }, h("b", {}, device.name), h("div", {}, "in use ", bar(used / limit, "gpu"), ` ${bytes(used)} of ${bytes(limit)}`), h("div", {}, `${bytes(idle)} kept for the next call; at most ${bytes(high)} so far; ${bytes(Math.max(0, limit - used))} can be had before operands go in pieces`));
        }),
        process.devices.length === 0 && h("p", { class: "empty" }, "No device was used."),
      );
      largest.update([...process.rows].filter((row) => row.bytes > 0).sort((a, b) => b.bytes / b.calls - a.bytes / a.calls).slice(0, 15));
    },
    restyle: chart.restyle,
    destroy: chart.destroy,
  };
}

export function historyPage(store: Store): Page {
  const said = h("p", { class: "empty" }, "Asking for earlier runs ...");
  const change = h("div", {});
  const changes = table<Change>(
    [
      { name: "operation", key: (one) => one.operation, cell: (one) => `${one.operation}${one.batched ? " (batch)" : ""} ${one.dtype}` },
      { name: "size", key: (one) => one.size, cell: (one) => one.size, number: true },
      { name: "engine", key: (one) => one.engine, cell: (one) => engine(one.engine) },
      { name: "calls", key: (one) => one.calls, cell: (one) => count(one.calls), number: true },
      { name: "median", key: (one) => one.p50, cell: (one) => seconds(one.p50), number: true },
      { name: "before", key: (one) => one.baseline ?? 0, cell: (one) => (one.baseline === null ? "-" : `${seconds(one.baseline)} (${one.runs} ${one.runs === 1 ? "run" : "runs"})`), number: true },
      {
        name: "change",
        key: (one) => (one.baseline ? one.p50 / one.baseline : 0),
        cell: (one) => {
          if (!one.baseline) return "-";
          const ratio = one.p50 / one.baseline;
          const word = ratio > 1.1 ? "slower" : ratio < 1 / 1.1 ? "faster" : "same";
          return h("span", { class: word }, word === "same" ? "about the same" : `${digits(ratio > 1 ? ratio : 1 / ratio)}x ${word}`);
        },
        number: true,
      },
    ],
    "Operations of the run beside those before it",
  );
  const show = async (run: Run): Promise<void> => {
    const found = await store.json<Change[]>(`api/history/${run.id}`);
    fill(change, card(`${run.program}, ${moment(run.started)}`, h("p", { class: "empty" }, "Compared with the median of up to ten earlier runs of the same program on the same machine."), changes.element));
    changes.update(found);
  };
  const runs = table<Run>(
    [
      { name: "program", key: (run) => run.program, cell: (run) => run.program },
      { name: "started", key: (run) => run.started, cell: (run) => moment(run.started) },
      { name: "lasted", key: (run) => run.ended - run.started, cell: (run) => seconds(run.ended - run.started), number: true },
      { name: "calls", key: (run) => run.calls, cell: (run) => count(run.calls), number: true },
      { name: "time in calls", key: (run) => run.seconds, cell: (run) => seconds(run.seconds), number: true },
      { name: "failed", key: (run) => run.failures, cell: (run) => count(run.failures), number: true },
      { name: "LAPACK", key: (run) => run.lapack, cell: (run) => library(run.lapack) },
    ],
    "Runs",
    1,
    { choose: (run) => void show(run), name: (run) => String(run.id) },
  );
  const ask = async (): Promise<void> => {
    try {
      const found = await store.json<Run[]>("api/history");
      runs.update(found);
      said.textContent = found.length === 0 ? "No run is recorded yet; this one is after half a minute." : "Choose a run to compare it with those before it.";
    } catch (error) {
      said.textContent = `No history: ${error instanceof Error ? error.message : String(error)}`;
    }
  };
  void ask();
  const timer = window.setInterval(() => void ask(), 15_000);
  return { element: h("div", {}, card("Runs", said, runs.element), change), update: () => undefined, destroy: () => clearInterval(timer) };
}

export function device(store: Store): Page {
  const who = h("dl", {});
  const machine = h("dl", {});
  const devices = h("div", {});
  const settings = h("dl", {});
  const limits = h("ul", { class: "plain" });
  const save = (path: string, name: string): HTMLElement =>
    h("button", { type: "button", click: () => void download(path, name) }, name);
  const download = async (path: string, name: string): Promise<void> => {
    const answer = await store.ask(path);
    const link = h("a", { href: URL.createObjectURL(await answer.blob()), download: name });
    link.click();
    URL.revokeObjectURL(link.href);
  };
  void store.json<Limits[]>("api/limits").then(
    (found) => fill(limits, ...found.map((one) => h("li", {}, `${[engine(one.engine), one.device].filter(Boolean).join(" ")}: ${rate(one.flops64, "FLOP/s")} double, ${rate(one.flops32, "FLOP/s")} single, ${rate(one.memory, "B/s")} memory (${one.measured ? "measured" : "from the driver"})`))),
    () => undefined,
  );
  const pairs = (list: HTMLElement, entries: [string, string][]): void => renew(list, ...entries.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
  return {
    element: h(
      "div",
      { class: "grid" },
      card("Process", who),
      card("Machine", machine),
      card("Devices", devices),
      card("What they can do", limits),
      card("Settings", settings),
      card("For other programs", h("div", { class: "controls" }, save("api/export.json", "snapshot.json"), save("api/export.csv?table=operations", "operations.csv"), save("api/export.csv?table=calls", "calls.csv"), save("api/export.csv?table=seconds", "seconds.csv"), save("metrics", "metrics.txt")), h("p", { class: "empty" }, "Prometheus reads /metrics with the token as bearer token; /health/live and /health/ready need none.")),
    ),
    update: (current: Store) => {
      const process = current.process;
      const figures = current.message?.machine;
      if (figures) {
        pairs(machine, [
          ["cores", `${figures.cores}${figures.cpu_quota === null ? "" : `, time for ${digits(figures.cpu_quota)}`}`],
          ["memory", `${bytes(figures.memory_total)}${figures.memory_limit === null ? "" : `, limit ${bytes(figures.memory_limit)}`}`],
          ["load", figures.load ? figures.load.map(digits).join(", ") : "-"],
          ["container", figures.container ? `yes (${figures.container})` : "no"],
          ...(figures.container_id ? [["container id", figures.container_id.slice(0, 12)] as [string, string]] : []),
          ...(figures.container_image ? [["image", figures.container_image] as [string, string]] : []),
        ]);
      }
      if (!process) return;
      const who_ = process.identity;
      pairs(who, [
        ["program", who_.program],
        ["process", `${who_.pid} on ${who_.machine}, ${process.state}`],
        ["watched since", moment(who_.started)],
        ["LAPACK AI", who_.version],
        ["LAPACK", who_.lapack || "not opened yet"],
        ["threads", who_.threads > 0 ? `${who_.threads} of ${digits(who_.cores)} cores` : "-"],
        ["events lost", count(process.totals.dropped)],
      ]);
      renew(
        devices,
        ...process.devices.map((one) =>
          h("div", { class: "gpu" }, h("b", {}, one.name), h("div", {}, `${one.platform}; ${bytes(one.memory)}${one.chosen ? '; used by gpu="auto"' : ""}`), h("div", {}, `circuit breaker ${one.breaker}${one.last_failure ? `; last failure: ${one.last_failure}` : ""}`), h("div", {}, one.tuning)),
        ),
        ...(figures?.gpus ?? []).map(gpuFigures),
        process.devices.length === 0 && (figures?.gpus ?? []).length === 0 && h("p", { class: "empty" }, "No GPU."),
      );
      pairs(settings, Object.entries(who_.settings));
    },
  };
}

function gain(one: Recommendation): HTMLElement | false {
  if (one.now === null || one.then === null || one.now <= 0) return false;
  return h(
    "div",
    { class: "gain" },
    h("div", { class: "phase" }, h("span", {}, "now"), bar(1, "bad"), h("span", {}, seconds(one.now))),
    h("div", { class: "phase" }, h("span", {}, "then"), bar(one.then / one.now, "good"), h("span", {}, `${seconds(one.then)}, saves ${percent(1 - one.then / one.now)}`)),
  );
}

export function recommendations(): Page {
  const list = h("div", {});
  let drawn = "";
  return {
    element: list,
    update: (store: Store) => {
      const found = store.process?.recommendations ?? [];
      const state = JSON.stringify(found);
      if (state === drawn) return;
      drawn = state;
      fill(
        list,
        ...found.map((one) => {
          const copy = h("button", { type: "button", class: "copy" }, "copy");
          copy.addEventListener("click", () => {
            void navigator.clipboard?.writeText(one.code).then(() => (copy.textContent = "copied"));
          });
          return card(one.title, h("p", {}, one.evidence), gain(one), h("div", { class: "code" }, h("pre", {}, h("code", {}, one.code)), copy));
        }),
        found.length === 0 && h("p", { class: "empty" }, "Nothing to improve was found. Rules look for many small calls, too many threads, time spent in transfers, ill-conditioned systems and fallbacks."),
      );
    },
  };
}
