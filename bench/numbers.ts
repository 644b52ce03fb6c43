/** One digit after the point. */
export const round = (value: number) => Math.round(value * 10) / 10;

export function median(values: number[]): number {
  return percentile(values, 0.5);
}

/** `share` between 0 and 1; NaN of nothing. */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
