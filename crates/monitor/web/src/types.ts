// What the server sends; the fields are those of crates/monitor/src/snapshot.rs.

export interface Identity {
  pid: number;
  program: string;
  machine: string;
  started: number;
  version: string;
  lapack: string;
  threads: number;
  cores: number;
  settings: Record<string, string>;
}

export interface Totals {
  calls: number;
  gpu_calls: number;
  failures: number;
  warnings: number;
  fallbacks: number;
  seconds: number;
  timed: number;
  dropped: number;
  codes: Record<string, number>;
}

export interface Phases {
  total: number;
  intake: number;
  compute: number;
  transfer: number;
  conditioning: number;
}

export interface Expectation {
  calls: number;
  cpu: number;
  gpu: number;
  transfer: number;
  measured: number;
}

export type Shape = [number, number, number, number];

export interface Row {
  operation: string;
  dtype: string;
  size: number;
  batched: boolean;
  engine: string;
  device: string;
  shape: Shape;
  routine: string;
  reason: string;
  calls: number;
  timed: number;
  matrices: number;
  failures: number;
  warnings: number;
  fallbacks: number;
  doubtful: number;
  seconds: number;
  p50: number;
  p95: number;
  p99: number;
  longest: number;
  buckets: number[];
  phases: Phases;
  expected: Expectation;
  flops: number;
  bytes: number;
  copied: number;
  scratch: number;
  moved: number;
  rcond: number | null;
  rcond_decades: number[];
  callers: Record<string, number>;
}

export interface Call {
  number: number;
  at: number;
  operation: string;
  dtype: string;
  shape: Shape;
  engine: string;
  reason: string;
  thread: number;
  seconds: number | null;
  predicted: [number | null, number | null];
  scratch: number;
  moved: number;
  rcond: number | null;
  info: number | null;
  codes: string[];
  text: string;
  caller: string;
}

export interface Second {
  at: number;
  calls: number;
  gpu_calls: number;
  failures: number;
  busy: number;
  flops: number;
  cpu: number;
  memory: number;
  pool: number;
}

export interface Device {
  name: string;
  platform: string;
  is_cpu: boolean;
  chosen: boolean;
  memory: number;
  breaker: string;
  last_failure: string | null;
  pool: [number, number, number, number] | null;
  tuning: string;
}

export interface Recommendation {
  rule: string;
  title: string;
  evidence: string;
  code: string;
  now: number | null;
  then: number | null;
}

export interface Alert {
  topic: string;
  urgent: boolean;
  text: string;
}

export interface Comparison {
  operation: string;
  dtype: string;
  size: number;
  cpu: number;
  gpu: number;
  measured: [boolean, boolean];
}

export interface Process {
  identity: Identity;
  state: string;
  at: number;
  totals: Totals;
  rows: Row[];
  recent: Call[];
  series: Second[];
  devices: Device[];
  comparisons: Comparison[];
  recommendations: Recommendation[];
  alerts: Alert[];
}

export interface Gpu {
  name: string;
  source: string;
  utilisation: number | null;
  memory_used: number | null;
  memory_total: number | null;
  power: number | null;
  power_limit: number | null;
  temperature: number | null;
  clock: number | null;
  throttled: string[];
}

export interface Machine {
  at: number;
  cores: number;
  cpu_quota: number | null;
  cpu: number | null;
  load: [number, number, number] | null;
  memory_total: number | null;
  memory_available: number | null;
  memory_limit: number | null;
  memory_used: number | null;
  container: string | null;
  container_id: string | null;
  container_image: string | null;
  gpus: Gpu[];
}

export interface Message {
  kind: "full" | "tick";
  version: string;
  machine: Machine;
  alerts: Alert[];
  processes: Process[];
}

export interface Limits {
  engine: string;
  device: string;
  flops64: number;
  flops32: number;
  memory: number;
  measured: boolean;
}

export interface Crossover {
  operation: string;
  sizes: number[];
  cpu: (number | null)[];
  gpu: (number | null)[];
  switch: number | null;
  measured: boolean;
}

export interface Run {
  id: number;
  machine: string;
  program: string;
  pid: number;
  started: number;
  ended: number;
  version: string;
  lapack: string;
  calls: number;
  failures: number;
  seconds: number;
}

export interface Change {
  operation: string;
  dtype: string;
  size: number;
  batched: boolean;
  engine: string;
  calls: number;
  p50: number;
  p95: number;
  baseline: number | null;
  runs: number;
}
