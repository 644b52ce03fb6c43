/** One measured figure, beside what a user would have instead. */
export interface Figure {
  figure: string;
  value: number;
  unit: string;
  baseline: { name: string; value: number } | null;
  target: string;
  reached: boolean;
  [detail: string]: unknown;
}
