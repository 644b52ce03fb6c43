import pg from "pg";
import { type ConnectionSettings, connectionSettings } from "./connection-settings.ts";
import { ENGINE_ROLE } from "./database-roles.ts";
import { planRefresher, statementOf } from "./prepared-statements.ts";
import { beginning, isUuid, queriesOf } from "./transaction-roles.ts";

/**
 * The door to Postgres: one pool a process, SQL written as SQL.
 *
 * Connections work as the engine, which sees every workspace's rows. What is done for one workspace's
 * caller goes through `asTenant`, where row-level security shows that workspace's rows alone.
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
   * The same transaction as the engine, for what a workspace's transaction needs done where no
   * workspace may reach: SQL run here must carry the workspace itself. In a transaction that is the
   * engine's already, the same as `query`.
   */
  readonly engine: Queryable;
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
  /** The one workspace whose rows its statements see; undefined: those of all. */
  readonly workspaceId?: string;
  /**
   * Runs `work` inside a transaction and commits it. Anything thrown rolls back, and a statement that
   * failed does, also where `work` goes on as if it had not: that is thrown here.
   * Serialization failures and deadlocks (40001, 40P01) are tried again, three times in all,
   * so `work` must have no effects outside the transaction.
   */
  transaction<Result>(
    work: (tx: Transaction) => Promise<Result>,
    options?: TransactionOptions,
  ): Promise<Result>;
}

export interface Database extends Transactor {
  /**
   * Works for one workspace: each statement by itself, and each transaction, under a role that sees
   * and writes that workspace's rows alone, whatever its SQL says. Nothing of that stays on the
   * connection. Throws for what is no UUID.
   */
  asTenant(workspaceId: string): Transactor;
  /** A connection of its own, for LISTEN or session state. The caller ends it. */
  connect(): Promise<pg.Client>;
  readonly pool: pg.Pool;
  /** How somebody else's code connects to the same database. `settings`: like `-c name=value`. */
  connectionAs(who: WorksAs, settings?: string): ConnectionSettings;
  close(): Promise<void>;
}

/**
 * `login`: as whoever the connection string names, for changes of the schema and looks at the server.
 */
export type WorksAs = "engine" | "login";

export interface DatabaseOptions {
  /** Postgres connection string. */
  url: string;
  /** Default: `engine`. */
  as?: WorksAs;
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
/** A connection is kept for longer than between two bursts: a new one parses and plans everything anew. */
const IDLE_CONNECTION_MS = 300_000;

/**
 * Nothing is meant to read a whole table, and a plan that was made while one was small must not do so
 * when it has grown. Where one must, of a small table, Postgres before 18 believes that to be expensive
 * beyond measure, and would compile the statement each time, for hundreds of ms.
 */
const PLANNING = "-c enable_seqscan=off -c jit=off";

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

/**
 * Ends a subquery over `unnest(array)` that drives a join: all its rows, but the planner takes them
 * for few. It then looks each one up by the key of the table joined to it, also in a plan that was
 * made when the table was empty and is used when it is not. `array` is the parameter, e.g. `$2`.
 */
export const fewRows = (array: string) => `LIMIT (SELECT cardinality(${array}))`;

export function openDatabase(options: DatabaseOptions): Database {
  const connectionAs: Database["connectionAs"] = (who, settings) =>
    connectionSettings(options.url, {
      first: settings,
      last: who === "login" ? "" : `-c role=${ENGINE_ROLE}`,
    });
  const connection: pg.ClientConfig = {
    ...connectionAs(options.as ?? "engine", PLANNING),
    application_name: options.applicationName ?? "heliograph",
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
  };
  const statementTimeoutMs = options.statementTimeoutMs ?? 30_000;
  const pool = new pg.Pool({
    ...connection,
    max: options.max ?? 10,
    idleTimeoutMillis: IDLE_CONNECTION_MS,
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

  /** `tenant`: the workspace it is for; undefined: the engine's. */
  async function tryTransaction<Result>(
    work: (tx: Transaction) => Promise<Result>,
    limits: TransactionOptions,
    tenant: string | undefined,
  ): Promise<Result> {
    const client = await pool.connect();
    const hooks: Array<() => void> = [];
    const { query, engine, end } = queriesOf(client, tenant);
    let broken: Error | undefined;
    try {
      await refreshPlans(client);
      await client.query(beginning(limits, tenant));
      const result = await work({ query, engine, afterCommit: (hook) => void hooks.push(hook) });
      end();
      const { command } = await client.query("COMMIT");
      // Of a transaction in which a statement failed, COMMIT is a rollback and no error.
      if (command !== "COMMIT") throw new Error("a statement of the transaction failed, unnoticed");
      for (const hook of hooks) {
        try {
          hook();
        } catch {
          // news only: see Transaction.afterCommit
        }
      }
      return result;
    } catch (error) {
      end();
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

  const transactionFor =
    (tenant?: string): Transactor["transaction"] =>
    async (work, transactionOptions = {}) => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await tryTransaction(work, transactionOptions, tenant);
        } catch (error) {
          const retry = RETRIED_SQLSTATES.has(sqlState(error) ?? "");
          if (!retry || attempt === TRANSACTION_TRIES) throw error;
        }
      }
    };

  return {
    pool,
    query: queryOnce,
    transaction: transactionFor(),
    asTenant: (workspaceId) => {
      if (!isUuid(workspaceId)) throw new Error("a workspace's id is a UUID");
      const transaction = transactionFor(workspaceId);
      return {
        workspaceId,
        transaction,
        query: (sql, params) => transaction((tx) => tx.query(sql, params)),
      };
    },
    connectionAs,
    connect: async () => {
      const client = new pg.Client(connection);
      client.on("error", (error) => options.onIdleError?.(error));
      await client.connect();
      return client;
    },
    close: () => pool.end(),
  };
}
