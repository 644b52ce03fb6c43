import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";
import { connectionSettings } from "./connection-settings.ts";
import { ENGINE_ROLE } from "./database-roles.ts";
import { scrub } from "./scrub.ts";
import { NOTE_LENGTH_BYTES, type Watched } from "./watchdog.ts";

/**
 * The thread of watchdog.ts. It counts its own looks, not the time: a process that was stopped and
 * goes on finds a late clock, but its event loop turns again before the next few looks.
 */
const { worker, databaseUrl, blockedMs, turns, note } = workerData as Watched;
const LOOKS = 10;
const LEAVE_WORD_WITHIN_MS = 3_000;

const count = new Int32Array(turns);
let seen = 0;
let looksInVain = 0;

setInterval(() => {
  const now = Atomics.load(count, 0);
  looksInVain = now === seen ? looksInVain + 1 : 0;
  seen = now;
  if (looksInVain === LOOKS) void end();
}, blockedMs / LOOKS);
parentPort?.postMessage("watching");

async function end(): Promise<void> {
  const reason = `its event loop was blocked for ${blockedMs} ms${doing()}`;
  const deadline = setTimeout(kill, LEAVE_WORD_WITHIN_MS);
  try {
    // Synchronously and past process.stderr, which goes through the thread that is blocked.
    writeSync(
      2,
      `${JSON.stringify({ level: "error", pid: process.pid, worker, msg: scrub(reason) })}\n`,
    );
  } catch {
    // Whoever read the log is gone.
  }
  try {
    const { default: pg } = await import("pg");
    const client = new pg.Client({
      ...connectionSettings(databaseUrl, { last: `-c role=${ENGINE_ROLE}` }),
      connectionTimeoutMillis: LEAVE_WORD_WITHIN_MS,
    });
    client.on("error", () => {});
    await client.connect();
    await client.query(
      "INSERT INTO worker_deaths (worker, reason) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      [worker, reason],
    );
  } catch {
    // The line in the log has said it.
  }
  clearTimeout(deadline);
  kill();
}

function doing(): string {
  const length = new Int32Array(note, 0, 1)[0] ?? 0;
  if (length === 0) return "";
  return ` at ${Buffer.from(note, NOTE_LENGTH_BYTES, length).toString("utf8")}`;
}

function kill(): void {
  process.kill(process.pid, "SIGKILL");
}
