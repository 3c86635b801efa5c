// The frame around the pages: navigation, the choice of a process, light and dark, the state of the link.

import "./style.css";
import { fill, h } from "./dom";
import { operations } from "./operations";
import { overview } from "./overview";
import type { Entry, Page } from "./pages";
import { crossover, roofline } from "./speed";
import { accuracy, device, historyPage, memoryPage, recommendations } from "./state";
import { memory, Store, who } from "./store";

const PAGES: Entry[] = [
  { id: "overview", name: "Overview", make: overview },
  { id: "operations", name: "Operations", make: operations },
  { id: "crossover", name: "Crossover", make: crossover },
  { id: "roofline", name: "Roofline", make: roofline },
  { id: "accuracy", name: "Accuracy", make: accuracy },
  { id: "memory", name: "Memory", make: memoryPage },
  { id: "history", name: "History", make: historyPage },
  { id: "device", name: "Device", make: device },
  { id: "recommendations", name: "What to do", make: recommendations },
];

const LINKS = {
  connecting: "connecting",
  open: "live",
  waiting: "reconnecting: nobody answers",
  refused: "the token is missing or wrong",
  paused: "paused while hidden",
};

const root = document.getElementById("app") as HTMLElement;
const main = h("main", { id: "main", tabindex: "-1" });
const link = h("span", { class: "link", role: "status" });
const processes = h("select", { "aria-label": "Process", id: "process" });
const badge = h("span", { class: "badge" });
let page: Page | null = null;
let shown = "";

const store = new Store(() => update());

const anchors = PAGES.map((entry) => {
  const anchor = h("a", { href: `#${entry.id}` }, entry.name);
  if (entry.id === "recommendations") anchor.append(badge);
  return anchor;
});

function theme(change: boolean): void {
  const order = ["auto", "light", "dark"];
  let current = memory.get("theme") ?? "auto";
  if (change) {
    current = order[(order.indexOf(current) + 1) % order.length] as string;
    memory.set("theme", current);
  }
  document.documentElement.dataset["theme"] = current;
  themes.textContent = `theme: ${current}`;
  page?.restyle?.();
}

const themes = h("button", { type: "button", click: () => theme(true) });
const token = h("input", { type: "password", autocomplete: "off", "aria-label": "Token", placeholder: "token" });
const ask = h(
  "form",
  {
    class: "controls ask",
    submit: (event) => {
      event.preventDefault();
      store.use(token.value.trim());
    },
  },
  h("label", {}, "The token is in the address that was printed: "),
  token,
  h("button", {}, "open"),
);

processes.addEventListener("change", () => {
  store.chosen = processes.value;
  update();
});

root.append(
  h("a", { class: "skip", href: "#main", click: (event) => { event.preventDefault(); main.focus(); } }, "to the content"),
  h("header", {}, h("h1", {}, "LAPACK AI"), processes, link, themes),
  h("nav", { "aria-label": "Pages" }, ...anchors),
  ask,
  main,
);

function choices(): void {
  const list = store.message?.processes ?? [];
  const name = (state: string): string => (state === "running" ? "" : ` (${state})`);
  const wanted = list.map((process) => `${process.identity.pid} ${process.identity.program}${name(process.state)}`);
  const current = [...processes.options].map((option) => option.textContent);
  if (wanted.join("\n") !== current.join("\n")) {
    fill(processes, ...list.map((process, index) => h("option", { value: who(process) }, wanted[index])));
  }
  processes.hidden = list.length === 0;
  if (store.process) processes.value = who(store.process);
}

function update(): void {
  let [said, kind]: [string, string] = [LINKS[store.link], store.link];
  ask.hidden = store.link !== "refused";
  choices();
  const state = store.process?.state;
  if (store.link === "open" && state && state !== "running") {
    [said, kind] = [state === "lost" ? "this process was lost" : "this process has ended", "waiting"];
  }
  // Only when it changes: it is read aloud.
  if (link.textContent !== said) link.textContent = said;
  link.className = `link ${kind}`;
  const advice = store.process?.recommendations.length ?? 0;
  badge.textContent = advice > 0 ? String(advice) : "";
  badge.setAttribute("aria-label", `${advice} recommendations`);
  badge.hidden = advice === 0;
  if (store.message) page?.update(store);
}

function go(): void {
  const id = location.hash.slice(1) || "overview";
  const entry = PAGES.find((one) => one.id === id) ?? (PAGES[0] as Entry);
  if (entry.id === shown) return;
  shown = entry.id;
  page?.destroy?.();
  page = entry.make(store);
  anchors.forEach((anchor, index) => {
    if (PAGES[index] === entry) anchor.setAttribute("aria-current", "page");
    else anchor.removeAttribute("aria-current");
  });
  document.title = `${entry.name} - LAPACK AI`;
  fill(main, h("h2", { class: "hidden" }, entry.name), page.element);
  update();
}

addEventListener("hashchange", go);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => page?.restyle?.());
theme(false);
go();
store.connect();
