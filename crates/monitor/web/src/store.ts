// What the page knows, and how it comes to know it.

import type { Call, Message, Process } from "./types";

const MOST_SECONDS = 3600;
const MOST_CALLS = 200;
const MOST_TROUBLES = 50;
/** A hidden page lets go of its stream after so long, in milliseconds. */
const HIDDEN = 30_000;

export type Link = "connecting" | "open" | "waiting" | "refused" | "paused";

/** Storage that may be forbidden, as in some frames. */
export const memory = {
  get(name: string): string | null {
    try {
      return sessionStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set(name: string, value: string): void {
    try {
      sessionStorage.setItem(name, value);
    } catch {
      // It is forgotten with the page.
    }
  },
};

/** The last calls, and before them those that failed or warned. */
function kept(calls: Call[]): Call[] {
  const older = calls.slice(0, -MOST_CALLS).filter((call) => call.codes.length > 0);
  return [...older.slice(-MOST_TROUBLES), ...calls.slice(-MOST_CALLS)];
}

/** What tells a process from all others. */
export function who(process: Process): string {
  return `${process.identity.machine} ${process.identity.pid} ${process.identity.started}`;
}

/** The folder of this page, below whatever a proxy puts before it. */
function place(): URL {
  return new URL(".", location.href.split(/[?#]/)[0] ?? location.href);
}

export class Store {
  message: Message | null = null;
  link: Link = "connecting";
  /** The process that is looked at; empty for the first. */
  chosen = "";
  #token: string;
  #socket: WebSocket | null = null;
  #delay = 500;
  #timer = 0;
  #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
    const query = new URLSearchParams(location.search);
    this.#token = query.get("token") ?? memory.get("token") ?? "";
    if (query.has("token")) {
      // Out of the address bar, so that it is not copied along; a reload finds it in the session.
      memory.set("token", this.#token);
      query.delete("token");
      const rest = query.toString();
      history.replaceState(null, "", location.pathname + (rest ? `?${rest}` : "") + location.hash);
    }
    let hidden = 0;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(hidden);
      if (document.hidden) hidden = window.setTimeout(() => this.#pause(), HIDDEN);
      else if (this.link === "paused") this.connect();
    });
  }

  use(token: string): void {
    this.#token = token;
    memory.set("token", token);
    this.connect();
  }

  connect(): void {
    clearTimeout(this.#timer);
    this.#set("connecting");
    const address = new URL("api/stream", place());
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    const token = /^[\w.-]+$/.test(this.#token) ? this.#token : "none";
    const socket = new WebSocket(address, ["lapack-ai", `lapack-ai.token.${token}`]);
    this.#socket = socket;
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#delay = 500;
      this.#take(JSON.parse(String(event.data)) as Message);
    };
    socket.onclose = () => {
      if (socket === this.#socket) void this.#lost();
    };
  }

  #pause(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#set("paused");
  }

  /** Tries again, unless it was the token. */
  async #lost(): Promise<void> {
    let refused = false;
    try {
      refused = (await this.ask("api/history")).status === 401;
    } catch {
      // Nobody answers: the process has ended, or is about to come back.
    }
    if (refused) {
      this.#set("refused");
      return;
    }
    this.#set("waiting");
    this.#timer = window.setTimeout(() => this.connect(), this.#delay);
    this.#delay = Math.min(5000, this.#delay * 1.6);
  }

  #set(link: Link): void {
    this.link = link;
    this.#changed();
  }

  /** Joins what is new to what is known. */
  #take(message: Message): void {
    if (message.kind === "tick" && this.message) {
      for (const process of message.processes) {
        const before = this.message.processes.find((known) => who(known) === who(process));
        if (!before) continue;
        // Seconds that are told again have changed: a long call ran in them.
        const first = process.series[0]?.at ?? Infinity;
        const listed = before.recent.at(-1)?.number ?? 0;
        process.series = [...before.series.filter((second) => second.at < first), ...process.series].slice(-MOST_SECONDS);
        process.recent = kept([...before.recent, ...process.recent.filter((call) => call.number > listed)]);
      }
    }
    this.message = message;
    this.#set("open");
  }

  /** The process that is looked at. */
  get process(): Process | null {
    const processes = this.message?.processes ?? [];
    return processes.find((process) => who(process) === this.chosen) ?? processes[0] ?? null;
  }

  ask(path: string): Promise<Response> {
    return fetch(new URL(path, place()), { headers: { Authorization: `Bearer ${this.#token}` } });
  }

  /** An answer as JSON, or the server's word why not. */
  async json<T>(path: string): Promise<T> {
    const answer = await this.ask(path);
    if (!answer.ok) throw new Error((await answer.text()).trim());
    return (await answer.json()) as T;
  }
}
