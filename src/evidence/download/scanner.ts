/**
 * Looks at a file before anybody is given it. `finding`: what it was found to be, in the scanner's own
 * word; `unlooked`: why it could not look, which no second try changes.
 */
export type ScanVerdict =
  | { is: "clean" }
  | { is: "infected"; finding: string }
  | { is: "unlooked"; why: string };

export interface Scanner {
  /**
   * Reads the content to its end unless it knows enough before.
   * @throws ScannerAway when it does not answer, now
   */
  scan(content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<ScanVerdict>;
}

export class ScannerAway extends Error {
  override name = "ScannerAway";
}
