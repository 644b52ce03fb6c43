import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * Frees what a benchmark has prepared, between two measurements: collected during one, it would hold up the
 * Telegram and the clock that are in the same process, for tens of ms.
 */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
