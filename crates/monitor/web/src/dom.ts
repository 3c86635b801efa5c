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

/** A table whose headings sort it, and whose rows are made anew at each update. */
export function table<T>(columns: Column<T>[], caption: string, first?: number, selected?: (item: T) => void): {
  element: HTMLElement;
  update: (items: T[]) => void;
} {
  let by = first ?? -1;
  let down = true;
  let current: T[] = [];
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
  const show = (): void => {
    heads.forEach((head, index) => {
      if (index === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const key = columns[by]?.key;
    const items = key
      ? [...current].sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
          return down ? -order : order;
        })
      : current;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["row"] : undefined;
    const rows = items.map((item, number) => {
      const cells = columns.map((column) => h("td", { class: column.number ? "number" : "" }, column.cell(item)));
      const row = h("tr", {}, ...cells);
      if (selected) {
        const choose = (): void => selected(item);
        const button = h("button", { type: "button", class: "row", "data-row": String(number), click: choose });
        button.append(...(cells[0] as HTMLElement).childNodes);
        (cells[0] as HTMLElement).replaceChildren(button);
      }
      return row;
    });
    fill(body, ...rows);
    if (focused !== undefined) body.querySelector<HTMLElement>(`[data-row="${focused}"]`)?.focus();
  };
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
