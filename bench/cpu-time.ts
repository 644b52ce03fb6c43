import { readdir, readFile } from "node:fs/promises";

/** Clock ticks a second of /proc: 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

interface Usage {
  parent: number;
  ticks: number;
}

/**
 * CPU time that a process and those it started have used so far, in ms; of ended ones what their
 * parent waited for. Undefined where there is no /proc.
 */
export async function cpuTimeMs(pid: number): Promise<number | undefined> {
  const usage = await usageByPid();
  if (usage === undefined) return undefined;
  let ticks = 0;
  for (const [one, { ticks: own }] of usage) if (isUnder(usage, one, pid)) ticks += own;
  return (ticks * 1_000) / TICKS_PER_SECOND;
}

function isUnder(usage: Map<number, Usage>, pid: number, root: number): boolean {
  for (let at: number | undefined = pid; at !== undefined; at = usage.get(at)?.parent) {
    if (at === root) return true;
  }
  return false;
}

async function usageByPid(): Promise<Map<number, Usage> | undefined> {
  const names = await readdir("/proc").catch(() => undefined);
  if (names === undefined) return undefined;
  const pids = names.map(Number).filter((pid) => pid > 0);
  const rows = await Promise.all(pids.map(usageOf));
  return new Map(pids.flatMap((pid, n) => (rows[n] ? [[pid, rows[n]] as const] : [])));
}

/** proc(5): after the name in brackets come the state, the parent, and as 12th to 15th the times. */
async function usageOf(pid: number): Promise<Usage | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  const fields = text
    .slice(text.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [parent = 0] = fields.slice(1);
  const ticks = fields.slice(11, 15).reduce((sum, one) => sum + one, 0);
  return { parent, ticks };
}
