import fc from "fast-check";

/**
 * fast-check as every test here uses it. The tests' own run draws the same cases each time, so that the gate
 * judges the change and not the draw. By hand, environment variables explore: PROPERTY_RUNS=20 tries twenty
 * times as many cases, PROPERTY_SEED=random others. A failure comes again with the seed that it printed and
 * the same PROPERTY_RUNS.
 */

const factor = numberIn("PROPERTY_RUNS", "1");
if (factor <= 0) throw new Error("PROPERTY_RUNS is not more than 0");

/** How many cases a property tries, where so many are usual. */
export function runs(usual: number): number {
  return Math.ceil(usual * factor);
}

fc.configureGlobal({
  numRuns: runs(100),
  ...(process.env.PROPERTY_SEED === "random" ? {} : { seed: numberIn("PROPERTY_SEED", "1") }),
});

function numberIn(name: string, byDefault: string): number {
  const value = Number(process.env[name] ?? byDefault);
  if (!Number.isFinite(value)) throw new Error(`${name} is not a number: ${process.env[name]}`);
  return value;
}

export { fc };
