import http from "node:http";
import { preciseNow, startAnsweringTelegram } from "../answering-telegram.ts";
import { type BenchBot, type Environment, openEnvironment } from "../environment.ts";
import type { Figure } from "../figure.ts";
import { round } from "../numbers.ts";
import { postUpdate } from "../post-update.ts";
import { commandUpdate } from "../update.ts";

/** Asked in turn, so that each is measured among the others. */
const COMMANDS = [
  "/compliance",
  "/compliance framework 7",
  "/compliance framwork 7",
  "/evidence",
  "/risk",
  "/risk critical",
  "/audit",
  "/audit security",
  "/reports compliance month",
  "/reports risk quarter",
  "/help",
];
const REGISTERED = 100_000;
const PER_SECOND = 50;
/** Ten seconds: the processes run for weeks otherwise. */
const WARM_UP = 10 * PER_SECOND;
const EACH = 200;
const FIRST_CHAT = 30_000_000;

/**
 * From the webhook POST of each command to the arrival of its answer at the Bot API, with 100,000
 * controls and 100,000 risks in the register, at 50 commands a second.
 */
export async function registerCommands(): Promise<Figure> {
  const telegram = await startAnsweringTelegram();
  const { arrivals } = telegram;
  const environment = await openEnvironment(telegram.url);
  const agent = new http.Agent({ keepAlive: true });
  try {
    const bots = await environment.addBots(10);
    await fillRegister(environment, bots[0]?.workspaceId ?? "");
    await environment.start("web");
    await environment.start("ingest");
    await environment.start("outbound");
    const count = WARM_UP + EACH * COMMANDS.length;
    const posted: number[] = [];
    const startedMs = preciseNow();
    for (let n = 0; n < count; n++) {
      posted.push(preciseNow());
      const text = COMMANDS[n % COMMANDS.length] ?? "";
      const update = commandUpdate({ updateId: n + 1, chatId: FIRST_CHAT + n, text });
      postUpdate({ agent, port: environment.port }, bots[n % bots.length] as BenchBot, update);
      const dueMs = startedMs + ((n + 1) * 1_000) / PER_SECOND;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - preciseNow())));
    }
    const deadline = performance.now() + 20_000;
    while (arrivals.size < count && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const commands = COMMANDS.map((command, which) => {
      const delays = posted
        .flatMap((atMs, n) => {
          if (n < WARM_UP || n % COMMANDS.length !== which) return [];
          const arrivedMs = arrivals.get(FIRST_CHAT + n);
          return arrivedMs === undefined ? [] : [arrivedMs - atMs];
        })
        .sort((a, b) => a - b);
      const at = (share: number) => delays[Math.floor(delays.length * share)] ?? Number.NaN;
      return { command, p50: round(at(0.5)), p99: round(at(0.99)), answered: delays.length };
    });
    const answered = commands.reduce((sum, one) => sum + one.answered, 0);
    const worst = (of: "p50" | "p99") => Math.max(...commands.map((one) => one[of]));
    return {
      figure: `webhook POST of a command to its answer at the Bot API, ${REGISTERED} controls and risks, ${PER_SECOND}/s`,
      value: worst("p50"),
      unit: "ms, p50 of the slowest command",
      p99: worst("p99"),
      commands,
      answered,
      of: count - WARM_UP,
      baseline: null,
      target: "of each command p50 < 50 ms, p99 < 200 ms, all answered",
      reached: worst("p50") < 50 && worst("p99") < 200 && answered === count - WARM_UP,
    };
  } finally {
    agent.destroy();
    await environment.close();
    telegram.close();
  }
}

/** Twenty frameworks, a hundred requirements each, and fifty controls a requirement. */
async function fillRegister({ owner }: Environment, workspaceId: string): Promise<void> {
  const fill = (sql: string) => owner.query(sql, [workspaceId]);
  await fill(`INSERT INTO frameworks (workspace_id, code, title)
    SELECT $1, 'F-' || n, 'Framework ' || n FROM generate_series(1, 20) n`);
  await fill(`INSERT INTO requirements (workspace_id, framework_id, code, title)
    SELECT $1, f.id, 'A.' || n, 'Requirement ' || n
    FROM generate_series(1, 100) n, frameworks f WHERE f.workspace_id = $1`);
  await fill(`INSERT INTO controls (workspace_id, code, title, status)
    SELECT $1, 'C-' || n, 'Control ' || n,
      (ARRAY['to_do', 'in_progress', 'active', 'degraded'])[1 + n % 4]
    FROM generate_series(1, ${REGISTERED}) n`);
  await fill(`INSERT INTO control_requirements (workspace_id, control_id, requirement_id)
    SELECT $1, c.id, r.id
    FROM (SELECT id, row_number() OVER () AS n FROM controls WHERE workspace_id = $1) c
    JOIN (SELECT id, row_number() OVER () AS n FROM requirements WHERE workspace_id = $1) r
      ON r.n = 1 + c.n % 2000`);
  await fill(`INSERT INTO risks (workspace_id, code, title, residual_likelihood, residual_impact)
    SELECT $1, 'R-' || n, 'Risk ' || n, 1 + n % 5, 1 + n % 4
    FROM generate_series(1, ${REGISTERED}) n`);
  await owner.query("ANALYZE");
}
