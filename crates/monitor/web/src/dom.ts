// The few functions that a framework would be used for. Text only ever becomes text nodes.

type Child = Node | string | number | null | undefined | false;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string | boolean | EventListener> = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  set(element, attributes);
  append(element, children);
  return element;
}

const SVG = "http://www.w3.org/2000/svg";

export function svg(tag: string, attributes: Record<string, string | number> = {}, ...children: Child[]): SVGElement {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  append(element, children);
  return element;
}

function set(element: HTMLElement, attributes: Record<string, string | boolean | EventListener>): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, value);
  }
}

function append(element: Element, children: Child[]): void {
  for (const child of children) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

/** Puts other children in the place of an element's. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren();
  append(element, children);
}

/**
 * Makes an element's children like those given, and keeps those that are so already: what is selected, focused or scrolled
 * stays so while numbers change. For text without listeners of its own.
 */
export function renew(element: Element, ...children: Child[]): void {
  const wanted = document.createElement("div");
  append(wanted, children);
  become(element, wanted);
}

/** Gives `old` the children of `wanted`. */
function become(old: Node, wanted: Node): void {
  const nodes = [...wanted.childNodes];
  nodes.forEach((node, index) => {
    const there = old.childNodes[index];
    if (!there) old.appendChild(node);
    else if (!isMade(there, node)) old.replaceChild(node, there);
  });
  while (old.childNodes.length > nodes.length) old.lastChild?.remove();
}

/** Makes `old` like `wanted`, if they are of one kind. */
function isMade(old: Node, wanted: Node): boolean {
  if (old.nodeName !== wanted.nodeName) return false;
  if (old instanceof Element && wanted instanceof Element) {
    for (const { name } of [...old.attributes]) if (!wanted.hasAttribute(name)) old.removeAttribute(name);
    // The page's policy forbids the attribute `style`, but not what it stands for.
    for (const { name, value } of wanted.attributes)
      if (name !== "style" && old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (old instanceof HTMLElement && wanted instanceof HTMLElement && old.style.cssText !== wanted.style.cssText)
      old.style.cssText = wanted.style.cssText;
    become(old, wanted);
  } else if (old.nodeValue !== wanted.nodeValue) old.nodeValue = wanted.nodeValue;
  return true;
}

/** A section with a heading. */
export function card(title: string, ...children: Child[]): HTMLElement {
  return h("section", { class: "card" }, h("h2", {}, title), ...children);
}

/** A part of a whole as a bar with its text. */
export function bar(part: number, kind = ""): HTMLElement {
  const inside = h("span", { class: `bar-in ${kind}` });
  inside.style.width = `${Math.min(100, Math.max(0, 100 * part)).toFixed(2)}%`;
  return h("span", { class: "bar" }, inside);
}

export interface Column<T> {
  name: string;
  /** What the column is sorted by; absent where it is not sorted. */
  key?: (item: T) => number | string;
  cell: (item: T) => Child;
  number?: boolean;
}

/** A table whose headings sort it. `choose` is called with the row that was clicked, which `name` tells from others. */
export function table<T>(
  columns: Column<T>[],
  caption: string,
  first?: number,
  rows?: { choose: (item: T) => void; name: (item: T) => string },
): { element: HTMLElement; update: (items: T[]) => void } {
  let by = first ?? -1;
  let down = true;
  let current: T[] = [];
  let shown: T[] = [];
  const body = h("tbody");
  const heads = columns.map((column, index) => {
    const head = h("th", { scope: "col", class: column.number ? "number" : "" });
    if (!column.key) {
      head.append(column.name);
      return head;
    }
    const sort = (): void => {
      down = by === index ? !down : true;
      by = index;
      show();
    };
    head.append(h("button", { type: "button", class: "sort", click: sort }, column.name));
    return head;
  });
  const sorted = (): T[] => {
    const key = columns[by]?.key;
    if (!key) return current;
    return [...current].sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    });
  };
  const show = (): void => {
    heads.forEach((head, index) => {
      if (index === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const focused = document.activeElement instanceof HTMLElement && body.contains(document.activeElement) ? document.activeElement.dataset["row"] : undefined;
    shown = sorted();
    const lines = shown.map((item) => {
      const cells = columns.map((column) => h("td", { class: column.number ? "number" : "" }, column.cell(item)));
      if (rows) {
        const button = h("button", { type: "button", class: "row", "data-row": rows.name(item) });
        button.append(...(cells[0] as HTMLElement).childNodes);
        (cells[0] as HTMLElement).replaceChildren(button);
      }
      return h("tr", {}, ...cells);
    });
    renew(body, ...lines);
    // The row itself may have changed its place.
    if (focused !== undefined) body.querySelector<HTMLElement>(`[data-row="${CSS.escape(focused)}"]`)?.focus();
  };
  if (rows)
    body.addEventListener("click", (event) => {
      const name = (event.target as Element).closest<HTMLElement>("button.row")?.dataset["row"];
      const item = shown.find((one) => rows.name(one) === name);
      if (item) rows.choose(item);
    });
  const element = h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, ...heads)), body),
  );
  return {
    element,
    update: (items) => {
      current = items;
      show();
    },
  };
}
