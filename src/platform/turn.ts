import type { Queryable } from "./database.ts";

/**
 * The clock as it is when the row is seen: whoever waited for the row would take `now()`, its own
 * start, for a clock that went back.
 */
const TAKE_TURN = `/* turns.take */
INSERT INTO turns AS t (name, taken_at) VALUES ($1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET taken_at = clock_timestamp()
  WHERE t.taken_at < clock_timestamp() - $2 * interval '1 ms' OR t.taken_at > clock_timestamp()
RETURNING 1 AS yes`;

/**
 * True for one process in each `everyMs`, whichever asks first: for what is to be done now and then
 * in the whole installation. Nobody is kept out while the work takes longer.
 */
export async function takeTurn(on: Queryable, name: string, everyMs: number): Promise<boolean> {
  return (await on.query(TAKE_TURN, [name, everyMs])).length > 0;
}
