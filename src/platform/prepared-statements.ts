import type pg from "pg";

/** Statements that are prepared: a bound, should somebody build tagged SQL from values. */
const MAX_PREPARED = 500;
const preparedNames = new Map<string, string>();

/**
 * SQL that begins with a tag, `/* room.what *\/`, is the same text every time and hot: each
 * connection parses and plans it once. Planning is most of what the short statements of the engine
 * cost otherwise (docs/figures.md).
 */
export function statementOf(sql: string, params: readonly unknown[] = []): pg.QueryConfig {
  const statement = { text: sql, values: [...params] };
  if (!sql.startsWith("/*")) return statement;
  let name = preparedNames.get(sql);
  if (name === undefined) {
    if (preparedNames.size >= MAX_PREPARED) return statement;
    const tag = /^\/\* ([\w.-]{1,40})/.exec(sql)?.[1] ?? "statement";
    name = `${tag} ${preparedNames.size}`;
    preparedNames.set(sql, name);
  }
  return { ...statement, name };
}

/**
 * A plan lives as long as its connection, or until the table's statistics are renewed, which takes
 * a minute: too long for one made on an empty table. So a connection drops its plans now and then,
 * soon at first.
 */
const FIRST_PLANS_MS = 1_000;
const LATER_PLANS_MS = 120_000;

/** Drops a connection's plans when they are old. Called with the connection in hand, between uses. */
export function planRefresher() {
  const plans = new WeakMap<pg.PoolClient, { untilMs: number; lifeMs: number }>();
  return async (client: pg.PoolClient): Promise<void> => {
    const now = performance.now();
    const age = plans.get(client);
    if (age !== undefined && age.untilMs > now) return;
    const lifeMs = Math.min(age === undefined ? FIRST_PLANS_MS : age.lifeMs * 2, LATER_PLANS_MS);
    plans.set(client, { untilMs: now + lifeMs, lifeMs });
    if (age !== undefined) await client.query("DISCARD PLANS");
  };
}
