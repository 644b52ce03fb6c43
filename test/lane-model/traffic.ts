import { AsyncLocalStorage } from "node:async_hooks";
import type pg from "pg";
import type { Database } from "../../src/platform/index.ts";
import { SET_NOW, type VirtualClock } from "./virtual-clock.ts";

/**
 * Every statement of every process stops at a gate, and the schedule opens one gate at a time. The
 * statements run on connections of their own in a real Postgres, so locks are real: a statement
 * that waits for one is recognised in the lock table, and the others go on without it.
 *
 * `src/platform/database.ts` is used as it is; only the connections that its pool hands out are
 * wrapped. BEGIN and ROLLBACK pass by themselves (a crash before a ROLLBACK is a ROLLBACK).
 */

/** What happens to a statement at its gate. */
export type Verdict =
  | "pass"
  /** The connection is cut before the statement leaves. */
  | "cut"
  /** It is executed, and the connection is cut before the answer arrives. */
  | "reply-lost"
  /** It waited too long for a lock (only where the transaction has a limit, else it passes). */
  | "lock-timeout";

/** A process from its start to its end. What it still does after its end reaches nothing. */
export class Life {
  readonly name: string;
  isOver = false;
  /** Gates it has come to, for their order. */
  arrivals = 0;
  readonly clients = new Set<pg.PoolClient>();
  private readonly lastWords = new Set<(error: Error) => void>();

  constructor(name: string) {
    this.name = name;
  }

  /** Never resolves; rejects when the life ends, so that nothing waits for it. */
  hang(): Promise<never> {
    return new Promise((_, reject) => this.lastWords.add(reject));
  }

  over(): void {
    for (const reject of this.lastWords) reject(cut());
  }
}

interface Gate {
  life: Life;
  order: number;
  label: string;
  open(verdict: Verdict): void;
  abandon(): void;
}

/** As the driver words it, so that the engine takes it for what it is. */
const cut = () => new Error("Connection terminated unexpectedly");
const lockTimeout = () =>
  Object.assign(new Error("canceling statement due to lock timeout"), { code: "55P03" });

// The processes' timers are the test's; these are real.
const { setTimeout: realSetTimeout, setImmediate: realSetImmediate } = globalThis;
const turnOfTheLoop = () => new Promise<void>((resolve) => realSetImmediate(resolve));
/** A batcher gathers for one turn; what follows it is done within two more. */
const TURNS_UNTIL_QUIET = 4;
const LOOK_FOR_LOCKS_MS = 2;

const pidOf = (client: pg.PoolClient) => (client as unknown as { processID: number }).processID;

/** `/* jobs.claim *\/ …` → `jobs.claim`; other statements by their first word. */
function labelOf(sql: string): string {
  return /^\/\* ([\w.-]+)/.exec(sql)?.[1] ?? sql.trim().split(/\s/, 1)[0] ?? "";
}

export class Traffic {
  private readonly gates = new Set<Gate>();
  private readonly running = new Set<number>();
  private readonly inTransaction = new WeakMap<pg.PoolClient, { hasLockLimit: boolean }>();
  private readonly current = new AsyncLocalStorage<Life>();
  /** What goes on beside statements: a connection is made, a call is noted. */
  private aside = 0;
  private events = 0;
  private onEvent: () => void = () => {};
  private readonly db: Database;
  private readonly clock: VirtualClock;
  private readonly control: pg.Client;
  private readonly toldMoves = new WeakMap<pg.PoolClient, number>();
  /** What happened, for the report of a failure. */
  readonly trace: string[] = [];

  /** `control` is a connection that no process uses. */
  constructor(db: Database, clock: VirtualClock, control: pg.Client) {
    this.db = db;
    this.clock = clock;
    this.control = control;
    this.wrapPool(db.pool);
  }

  /** The database as one process sees it. */
  databaseOf(life: Life): Database {
    const { db, current } = this;
    return {
      ...db,
      query: (sql, params) => current.run(life, () => db.query(sql, params)),
      transaction: (work, options) => current.run(life, () => db.transaction(work, options)),
      connect: () => this.connectAside(life),
    };
  }

  /** A connection of its own, whose few questions pass without a gate, and nobody cuts. */
  private async connectAside(life: Life): Promise<pg.Client> {
    if (life.isOver) throw cut();
    const client = await this.during(() => this.db.connect());
    const query = client.query.bind(client) as (config: unknown) => Promise<pg.QueryResult>;
    const end = client.end.bind(client) as () => Promise<void>;
    client.query = ((config: unknown) => this.during(() => query(config))) as typeof client.query;
    client.end = (() => this.during(end)) as typeof client.end;
    return client;
  }

  /** A gate of its own: an outside call, say. Throws once the life is over. */
  async outside(life: Life, label: string): Promise<void> {
    await this.arrive(life, label);
  }

  /** Nothing is quiet while this goes on. */
  async during<Result>(work: () => Promise<Result>): Promise<Result> {
    this.aside++;
    try {
      return await work();
    } finally {
      this.aside--;
      this.noteEvent();
    }
  }

  get waiting(): number {
    return this.gates.size;
  }

  /** Opens the `pick`-th gate (modulo) and waits until all is quiet again; answers whose it was. */
  async open(pick: number, verdict: Verdict = "pass"): Promise<Life | null> {
    const gates = this.inOrder();
    const gate = gates[pick % gates.length];
    return gate === undefined ? null : this.openGate(gate, verdict);
  }

  /** Opens the first gate of this process, if it stands at one. */
  async openNextOf(life: Life): Promise<Life | null> {
    const gate = this.inOrder().find((one) => one.life === life);
    return gate === undefined ? null : this.openGate(gate, "pass");
  }

  /** The process is gone, with its connections and all it knew. */
  async end(life: Life): Promise<void> {
    this.trace.push(`${life.name} is killed`);
    life.isOver = true;
    await this.terminate([...life.clients]);
    for (const gate of [...this.gates]) if (gate.life === life) gate.abandon();
    life.over();
    await this.settle();
  }

  /** Until every process stands at a gate, waits for a lock or a timer, or has nothing to do. */
  async settle(): Promise<void> {
    for (;;) {
      for (let turn = 0; turn < TURNS_UNTIL_QUIET; turn++) await turnOfTheLoop();
      if (this.running.size + this.aside === 0) return;
      const { events } = this;
      if (this.aside === 0 && (await this.allWaitForLocks()) && this.events === events) return;
      if (this.events !== events) continue;
      await new Promise<void>((resolve) => {
        this.onEvent = resolve;
        realSetTimeout(resolve, LOOK_FOR_LOCKS_MS);
      });
    }
  }

  private inOrder(): Gate[] {
    return [...this.gates].sort((a, b) =>
      a.life.name === b.life.name ? a.order - b.order : a.life.name < b.life.name ? -1 : 1,
    );
  }

  private async openGate(gate: Gate, verdict: Verdict): Promise<Life> {
    this.trace.push(`${gate.life.name} ${gate.label}${verdict === "pass" ? "" : `: ${verdict}`}`);
    gate.open(verdict);
    await this.settle();
    return gate.life;
  }

  private arrive(life: Life, label: string): Promise<Verdict> {
    if (life.isOver) return Promise.reject(cut());
    return new Promise((resolve, reject) => {
      const gate: Gate = {
        life,
        order: life.arrivals++,
        label,
        open: (verdict) => {
          this.gates.delete(gate);
          resolve(verdict);
        },
        abandon: () => {
          this.gates.delete(gate);
          reject(cut());
        },
      };
      this.gates.add(gate);
    });
  }

  /** Asks the lock table: who was just given its lock may still look as if it waited. */
  private async allWaitForLocks(): Promise<boolean> {
    const { rows } = await this.control.query<{ all: boolean }>(
      "SELECT bool_and(pg_blocking_pids(pid) <> '{}') AS all FROM unnest($1::int[]) AS pid",
      [[...this.running]],
    );
    return rows[0]?.all === true;
  }

  /** Until their backends are gone. (The wait of `pg_terminate_backend` looks ten times a second.) */
  private async terminate(clients: pg.PoolClient[]): Promise<void> {
    if (clients.length === 0) return;
    const pids = clients.map(pidOf);
    await this.control.query("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) AS pid", [
      pids,
    ]);
    const left = "SELECT FROM pg_stat_activity WHERE pid = ANY($1::int[])";
    while ((await this.control.query(left, [pids])).rows.length > 0) await turnOfTheLoop();
  }

  private wrapPool(pool: pg.Pool): void {
    const connect = pool.connect.bind(pool) as () => Promise<pg.PoolClient>;
    const wrapped = new WeakSet<pg.PoolClient>();
    const holders = new WeakMap<pg.PoolClient, Life>();
    pool.connect = (async () => {
      const life = this.current.getStore();
      if (life === undefined || life.isOver) throw cut();
      const client = await this.during(connect);
      holders.set(client, life);
      life.clients.add(client);
      const release = client.release.bind(client);
      client.release = (error) => {
        life.clients.delete(client);
        holders.delete(client);
        release(error);
      };
      if (!wrapped.has(client)) {
        wrapped.add(client);
        const query = client.query.bind(client) as (config: unknown) => Promise<pg.QueryResult>;
        client.query = ((config: string | pg.QueryConfig) => {
          const holder = holders.get(client);
          if (holder === undefined) return Promise.reject(cut());
          return this.statement(client, holder, config, query);
        }) as typeof client.query;
      }
      return client;
    }) as typeof pool.connect;
  }

  private async statement(
    client: pg.PoolClient,
    life: Life,
    config: string | pg.QueryConfig,
    query: (config: unknown) => Promise<pg.QueryResult>,
  ): Promise<pg.QueryResult> {
    if (life.isOver) throw cut();
    const sql = typeof config === "string" ? config : config.text;
    // Plans do not grow old in a schedule, though its clock says so.
    if (sql === "DISCARD PLANS") return query("");
    const passes = /^(BEGIN|ROLLBACK)/.test(sql);
    const verdict = passes ? "pass" : await this.arrive(life, labelOf(sql));
    if (verdict === "lock-timeout" && this.inTransaction.get(client)?.hasLockLimit === true) {
      throw lockTimeout();
    }
    if (verdict === "cut") await this.terminate([client]);
    const pid = pidOf(client);
    this.running.add(pid);
    try {
      if (!this.inTransaction.has(client)) await this.tellTime(client, query);
      if (sql.startsWith("BEGIN")) {
        this.inTransaction.set(client, { hasLockLimit: sql.includes("lock_timeout") });
      }
      const result = await query(config);
      if (sql === "COMMIT" || sql === "ROLLBACK") this.inTransaction.delete(client);
      if (verdict === "reply-lost") {
        await this.terminate([client]);
        throw cut();
      }
      return result;
    } finally {
      this.running.delete(pid);
      this.noteEvent();
    }
  }

  /** Only where the clock has been moved since this connection was told. */
  private async tellTime(
    client: pg.PoolClient,
    query: (config: unknown) => Promise<pg.QueryResult>,
  ): Promise<void> {
    if (this.toldMoves.get(client) === this.clock.moves) return;
    this.toldMoves.set(client, this.clock.moves);
    await query(SET_NOW);
  }

  private noteEvent(): void {
    this.events++;
    this.onEvent();
  }
}
