import { nearestOf } from "../../platform/index.ts";
import type { FrameworkRef } from "../../register/index.ts";

/** Suggested at most. */
const MOST = 3;

export type Choice = { found: FrameworkRef } | { near: FrameworkRef[] };

/**
 * The framework that a name means, by code or title, whatever its case, spaces and signs: `iso 27001` is
 * `ISO27001`. Where it means none, or several, up to three that it may have been meant for: those that
 * begin so, then those that are spelt nearly so, the nearest first.
 */
export function chooseFramework(name: string, candidates: readonly FrameworkRef[]): Choice {
  const exact = candidates.find(({ code }) => code === name);
  if (exact !== undefined) return { found: exact };
  for (const namesOf of [({ code }: FrameworkRef) => code, ({ title }: FrameworkRef) => title]) {
    const meant = candidates.filter((one) => bare(namesOf(one)) === bare(name));
    if (meant.length > 1) return { near: meant.slice(0, MOST) };
    if (meant[0] !== undefined) return { found: meant[0] };
  }
  const namesOf = ({ code, title }: FrameworkRef) => [bare(code), bare(title)];
  const begun = candidates.filter((one) => namesOf(one).some((full) => isBeginning(name, full)));
  const misspelt = nearestOf(bare(name), candidates, { namesOf, most: MOST });
  return { near: [...new Set([...begun, ...misspelt])].slice(0, MOST) };
}

/** A letter or two begin too much to be meant for it. */
const LEAST_BEGINNING = 3;

/** Versions are left out when people speak of a standard: `ISO27001` of `ISO27001:2022`. */
const isBeginning = (name: string, full: string): boolean =>
  bare(name).length >= LEAST_BEGINNING && full.startsWith(bare(name));

/** Letters and digits alone; all of it where it has neither. */
function bare(name: string): string {
  const folded = name.normalize("NFKC").toUpperCase().toLowerCase();
  return folded.replace(/[^\p{L}\p{N}\p{M}]+/gu, "") || folded;
}
