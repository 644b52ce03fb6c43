import pg from "pg";

/**
 * The door to Postgres: one pool a process, SQL written as SQL.
 *
 * bigint columns come back as strings (they may exceed 2^53); callers that know better convert.
 */

/** What can run a statement: the pool, or a transaction. Returns the rows. */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(
    sql: string,
    params?: readonly unknown[],
  ): Promise<Row[]>;
}

/** A transaction in progress. */
export interface Transaction extends Queryable {
  /**
   * Runs `hook` once this transaction has committed, and never otherwise. Hooks are for news
   * (wakes), not for work: nobody waits for them and what they throw is ignored.
   */
  afterCommit(hook: () => void): void;
}

export interface TransactionOptions {
  /** A statement that waits longer for a lock fails (55P03), in ms. Default: no limit of its own. */
  lockTimeoutMs?: number;
}

/** What can run statements, and several of them as one. */
export interface Transactor extends Queryable {
  /**
   * Runs `work` inside a transaction and commits it. Anything thrown rolls back.
   * Serialization failures and deadlocks (40001, 40P01) are tried again, three times in all,
   * so `work` must have no effects outside the transaction.
   */
  transaction<Result>(
    work: (tx: Transaction) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result>;
}

export interface Database extends Transactor {
  /** A connection of its own, for LISTEN or session state. The caller ends it. */
  connect(): Promise<pg.Client>;
  readonly pool: pg.Pool;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Postgres connection string. */
  url: string;
  /** Most connections in the pool. Default 10. */
  max?: number;
  /** Shown in pg_stat_activity. */
  applicationName?: string;
  /** A statement that runs longer is cancelled by the server, in ms. Default 30 000. */
  statementTimeoutMs?: number;
  /** Called with errors of idle connections; those must never end the process. */
  onIdleError?: (error: Error) => void;
}

const RETRIED_SQLSTATES = new Set(["40001", "40P01"]);
const TRANSACTION_TRIES = 3;
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000;

/** The SQLSTATE of an error of Postgres, or undefined for any other error. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) ? code : undefined;
}

/**
 * Connections that are cut or refused (08, 57P0x, 53300, 25P03), a disk, memory or limit of the
 * server that is used up (53), a disk that fails (58030), and a server that became a standby under
 * its clients (25006).
 */
const UNAVAILABLE = /^(08...|57P0.|53...|25P03|25006|58030)$/;

/**
 * True when the database could not be reached, was going away, or cannot write: the same call may
 * succeed later, and nothing about its input was wrong. A statement that was cancelled because it
 * ran too long (57014) is not among them: it may be poisoned, and must not be tried for ever. One
 * that was not even cancelled in time (the driver's read timeout) is: its server does not answer.
 */
export function isUnavailable(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== undefined) return UNAVAILABLE.test(state);
  const { code, message } = (error ?? {}) as { code?: string; message?: string };
  if (code !== undefined && /^(ECONN|EPIPE|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|ENOENT)/.test(code)) {
    return true;
  }
  return /Connection terminated|timeout exceeded when trying to connect|Query read timeout|not queryable|Client was closed/i.test(
    message ?? "",
  );
}

/** True when Postgres refused a statement for the values in it (classes 22 and 23). */
export const isOfItsData = (error: unknown): boolean => /^2[23]/.test(sqlState(error) ?? "");

/** True when a statement waited longer for a lock than it may (`lockTimeoutMs`). */
export const isLockTimeout = (error: unknown): boolean => sqlState(error) === "55P03";

/** Statements that are prepared: a bound, should somebody build tagged SQL from values. */
const MAX_PREPARED = 500;
const preparedNames = new Map<string, string>();

/**
 * SQL that begins with a tag, `/* room.what *\/`, is the same text every time and hot: each
 * connection parses and plans it once. Planning is most of what the short statements of the engine
 * cost otherwise (docs/figures.md).
 */
function statementOf(sql: string, params: readonly unknown[] = []): pg.QueryConfig {
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
 * Ends a subquery over `unnest(array)` that drives a join: all its rows, but the planner takes them
 * for few. It then looks each one up by the key of the table joined to it, also in a plan that was
 * made when the table was empty and is used when it is not. `array` is the parameter, e.g. `$2`.
 */
export const fewRows = (array: string) => `LIMIT (SELECT cardinality(${array}))`;

/**
 * A plan lives as long as its connection, or until the table's statistics are renewed, which takes
 * a minute: too long for one made on an empty table. So a connection drops its plans now and then,
 * soon at first.
 */
const FIRST_PLANS_MS = 1_000;
const LATER_PLANS_MS = 120_000;

/** Drops a connection's plans when they are old. Called with the connection in hand, between uses. */
function planRefresher() {
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

export function openDatabase(options: DatabaseOptions): Database {
  const connection: pg.ClientConfig = {
    connectionString: options.url,
    application_name: options.applicationName ?? "heliograph",
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    // Nothing is meant to read a whole table, and a plan that was made while one was small must not
    // do so when it has grown. Options in the connection string take the place of this one.
    options: "-c enable_seqscan=off",
  };
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const pool = new pg.Pool({
    ...connection,
    max: options.max ?? 10,
    idleTimeoutMillis: 30_000,
    statement_timeout: statementTimeoutMs,
    // A process that is stopped in the middle of a transaction must not keep its row locks.
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
    // The server's timeout cannot fire on a connection that died silently; this one does.
    query_timeout: statementTimeoutMs + 5_000,
  });
  pool.on("error", (error) => options.onIdleError?.(error));
  // A connection that is cut while checked out, between two statements, emits on the client; with
  // nobody listening that would end the process. Its next statement fails, which is news enough.
  pool.on("connect", (client) => client.on("error", () => {}));

  const refreshPlans = planRefresher();

  async function queryOnce<Row extends object>(
    sql: string,
    params?: readonly unknown[],
  ): Promise<Row[]> {
    const client = await pool.connect();
    let failure: unknown;
    try {
      await refreshPlans(client);
      return (await client.query(statementOf(sql, params))).rows as Row[];
    } catch (error) {
      failure = error;
      throw error;
    } finally {
      // A connection whose statement failed for another reason than its own SQL is not used again.
      client.release(failure !== undefined && sqlState(failure) === undefined);
    }
  }

  async function tryTransaction<Result>(
    work: (tx: Transaction) => Promise<Result>,
    { lockTimeoutMs }: TransactionOptions,
  ): Promise<Result> {
    const client = await pool.connect();
    const hooks: Array<() => void> = [];
    let broken: Error | undefined;
    try {
      await refreshPlans(client);
      await client.query(
        lockTimeoutMs === undefined
          ? "BEGIN"
          : `BEGIN; SET LOCAL lock_timeout = ${Math.ceil(lockTimeoutMs)}`,
      );
      const tx: Transaction = {
        query: async <Row extends object>(sql: string, params?: readonly unknown[]) =>
          (await client.query(statementOf(sql, params))).rows as Row[],
        afterCommit: (hook) => void hooks.push(hook),
      };
      const result = await work(tx);
      await client.query("COMMIT");
      for (const hook of hooks) {
        try {
          hook();
        } catch {
          // news only: see Transaction.afterCommit
        }
      }
      return result;
    } catch (error) {
      try {
        await client.query("ROLLBACK");
      } catch (rollbackError) {
        broken = rollbackError as Error;
      }
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return {
    pool,
    query: queryOnce,
    transaction: async (work, transactionOptions = {}) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await tryTransaction(work, transactionOptions);
        } catch (error) {
          const retry = RETRIED_SQLSTATES.has(sqlState(error) ?? "");
          if (!retry || attempt === TRANSACTION_TRIES) throw error;
        }
      }
    },
    connect: async () => {
      const client = new pg.Client(connection);
      client.on("error", (error) => options.onIdleError?.(error));
      await client.connect();
      return client;
    },
    close: () => pool.end(),
  };
}
