// Numbers for people.

export function count(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

/** Three digits, no exponent for what is near 1. */
export function digits(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 100) return Math.round(value).toLocaleString("en-US");
  return value.toPrecision(size >= 10 ? 3 : 2);
}

function scaled(value: number, units: [number, string][]): string {
  const last = units[units.length - 1] as [number, string];
  const [unit, name] = units.find(([least]) => Math.abs(value) >= least) ?? last;
  return `${digits(value / unit)} ${name}`;
}

export function seconds(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return "-";
  if (value === 0) return "0 s";
  if (value >= 120) return `${digits(value / 60)} min`;
  return scaled(value, [[1, "s"], [1e-3, "ms"], [1e-6, "us"], [1e-9, "ns"]]);
}

export function bytes(value: number | null): string {
  if (value === null) return "-";
  if (value === 0) return "0 B";
  return scaled(value, [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"], [1, "B"]]);
}

export function rate(value: number | null, unit: string): string {
  if (value === null || !Number.isFinite(value)) return "-";
  if (value === 0) return `0 ${unit}`;
  return scaled(value, [[1e12, `T${unit}`], [1e9, `G${unit}`], [1e6, `M${unit}`], [1e3, `k${unit}`], [1, unit]]);
}

export function percent(part: number | null): string {
  return part === null || !Number.isFinite(part) ? "-" : `${digits(100 * part)} %`;
}

/** A number from 0 to 1, which may be tiny: 0.83, 3e-17. */
export function small(value: number | null): string {
  return value === null ? "-" : value === 0 || value >= 0.01 ? digits(value) : value.toExponential(0);
}

/** A number of an axis, which is a round one: 10 ms and not 10.0 ms. */
export function tick(text: string): string {
  return text.replace(/\.0+(?=\D|$)/, "");
}

export function clock(at: number): string {
  return new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
}

/** Name and version of a LAPACK, of all that it says of itself. */
export function library(name: string): string {
  return /^\S+ [\d.]+/.exec(name)?.[0] ?? name;
}

export function moment(at: number): string {
  return new Date(at * 1000).toLocaleString([], { hourCycle: "h23" });
}

export function shape([rows, cols, inner, batch]: [number, number, number, number], operation: string): string {
  const matrix = operation === "matmul" || operation.includes("gemm") ? `${rows}x${inner} by ${inner}x${cols}` : `${rows}x${cols}`;
  return batch === 1 ? matrix : `${count(batch)} of ${matrix}`;
}

export const ENGINES: Record<string, string> = { cpu: "CPU", opencl: "GPU" };

export function engine(name: string): string {
  return ENGINES[name] ?? name;
}
