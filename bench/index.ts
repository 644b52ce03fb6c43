import { FIGURES } from "./figures.ts";

/**
 * bench: the figures, each beside its baseline measured in the same run. Prints a JSON line a
 * figure; `names` chooses some of them. Starts everything it needs in a temporary folder.
 */
export async function bench(names: string[]): Promise<void> {
  const unknown = names.filter((name) => FIGURES[name] === undefined);
  if (unknown.length > 0) {
    throw new Error(
      `no figure ${unknown.join(", ")}; there are: ${Object.keys(FIGURES).join(", ")}`,
    );
  }
  for (const [name, measure] of Object.entries(FIGURES)) {
    if (names.length > 0 && !names.includes(name)) continue;
    process.stdout.write(`${JSON.stringify(await measure())}\n`);
  }
}
