// What a page is: made once when it is opened, updated every second, and let go of.

import type { Store } from "./store";

export interface Page {
  element: HTMLElement;
  update: (store: Store) => void;
  restyle?: () => void;
  destroy?: () => void;
}

export interface Entry {
  id: string;
  name: string;
  make: (store: Store) => Page;
}
