import { parseArgs } from "node:util";
import {
  type Count,
  getJob,
  type JobFilter,
  type LedgerAction,
  listJobs,
  QUEUES,
  type QueueName,
  queueStats,
  SHOWN_STATES,
} from "../src/jobs/index.ts";
import type { System } from "./system.ts";

/** `heliograph jobs …` and `heliograph queues …`: the ledger from a terminal, for the operator. */
export type Print = (value: unknown) => void;

const ACTIONS: Record<string, { action: LedgerAction; done: string }> = {
  retry: { action: "retry", done: "will run again" },
  discard: { action: "discard", done: "discarded" },
  cancel: { action: "cancel", done: "cancelled" },
  "run-now": { action: "runNow", done: "due now" },
};

const OPTIONS = {
  workspace: { type: "string" },
  queue: { type: "string" },
  state: { type: "string" },
  lane: { type: "string" },
  connector: { type: "string" },
  chat: { type: "string" },
  update: { type: "string" },
  "error-class": { type: "string" },
  q: { type: "string" },
  from: { type: "string" },
  to: { type: "string" },
  limit: { type: "string" },
  all: { type: "boolean" },
  "dry-run": { type: "boolean" },
} as const;

const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What was typed, checked. Throws an `Error` in one line for what is wrong. */
export function parseJobsCommand(args: string[]) {
  const { values, positionals } = parseArgs({ args, options: OPTIONS, allowPositionals: true });
  const [action = "", id, ...rest] = positionals;
  if (rest.length > 0) throw new Error(`jobs ${action} takes one id`);
  // An empty variable of a script must not make a change wider than it was meant to be.
  for (const [name, value] of Object.entries(values)) {
    if (typeof value === "string" && value.trim() === "") {
      throw new Error(`--${name} is empty: give it a value, or leave it out`);
    }
  }
  const beside = Object.keys(values).find((name) => name !== "dry-run");
  if (id !== undefined && beside !== undefined) {
    throw new Error(`jobs ${action} takes an id or --${beside}, not both`);
  }
  const oneOf = <Item extends string>(name: string, value: string, items: readonly Item[]) => {
    const item = items.find((known) => known === value);
    if (item === undefined) throw new Error(`--${name} is one of ${items.join(", ")}`);
    return item;
  };
  const time = (name: string, value: string | undefined) => {
    if (value === undefined) return undefined;
    const date = new Date(value);
    if (Number.isNaN(date.getTime())) {
      throw new Error(`--${name} is a time, e.g. 2026-11-21T08:00:00Z`);
    }
    return date;
  };
  if (values.workspace !== undefined && !UUID_SHAPE.test(values.workspace)) {
    throw new Error("--workspace is a workspace's id");
  }
  if (values.connector !== undefined && !UUID_SHAPE.test(values.connector)) {
    throw new Error("--connector is a connector's id");
  }
  const limit = values.limit === undefined ? undefined : Number(values.limit);
  if (limit !== undefined && !(Number.isInteger(limit) && limit > 0 && limit <= 10_000)) {
    throw new Error("--limit is a number from 1 to 10000");
  }
  const filter: JobFilter = {
    workspaceId: values.workspace,
    queue: values.queue === undefined ? undefined : oneOf("queue", values.queue, QUEUES),
    states: values.state?.split(",").map((state) => oneOf("state", state, SHOWN_STATES)),
    lane: values.lane,
    connectorId: values.connector,
    chatId: values.chat,
    updateId: values.update,
    errorClass: values["error-class"],
    text: values.q,
    createdFrom: time("from", values.from),
    createdTo: time("to", values.to),
  };
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  return { action, id, filter, isFiltered, limit, all: values.all, dryRun: values["dry-run"] };
}

/** Runs `jobs …`. Throws an `Error` in one line for what cannot be done. */
export async function jobsCommand(system: System, args: string[], print: Print): Promise<void> {
  const command = parseJobsCommand(args);
  const { action, id, filter, limit } = command;
  if (action === "list") {
    if (id !== undefined) throw new Error(`jobs list takes a filter; for one job: jobs show ${id}`);
    for (const job of await listJobs(system.db, filter, { limit: limit ?? 50 })) {
      print(`${job.id}  ${job.state.padEnd(10)} ${job.queue} ${job.lane}  ${job.error ?? ""}`);
    }
    return;
  }
  const known = ACTIONS[action];
  if (action !== "show" && known === undefined) {
    throw new Error("jobs takes list, show, retry, discard, cancel or run-now");
  }
  if (id !== undefined) {
    const job = await getJob(system.db, { id });
    if (job === null) throw new Error(`there is no job ${JSON.stringify(id)}`);
    if (known === undefined) return print(job);
    if (command.dryRun) {
      const { count } = await system.jobs.ledger.countMatching({ id }, known.action);
      return print(`${count} would be changed`);
    }
    const changed = await system.jobs.ledger[known.action]({ id });
    if (changed === 0) throw new Error(`job ${id} is ${job.state}: not a state to ${action}`);
    return print(`job ${id}: ${known.done}`);
  }
  if (known === undefined) throw new Error("jobs show takes an id");
  if (!command.isFiltered && !command.all && !command.dryRun) {
    throw new Error(`jobs ${action} takes an id, a filter, or --all`);
  }
  const { ledger } = system.jobs;
  if (command.dryRun) {
    return print(`${shown(await ledger.countMatching(filter, known.action))} would be changed`);
  }
  const { changed, running, left } = await ledger.change(known.action, filter, { limit });
  print(`${changed} ${known.done}; ${shown(running)} run now; ${shown(left)} left`);
}

const shown = ({ count, capped }: Count) => (capped ? `more than ${count}` : String(count));

/** Runs `queues list | pause NAME | resume NAME`. */
export async function queuesCommand(
  { db, jobs }: System,
  [action = "list", name = ""]: string[],
  print: Print,
): Promise<void> {
  if (action === "list") {
    for (const queue of await queueStats(db)) {
      const counts = Object.entries(queue.counts).filter(([, count]) => count > 0);
      const line = counts.map(([state, count]) => `${state} ${count}`).join(", ");
      print(`${queue.name.padEnd(9)} ${queue.paused ? "paused " : ""}${line || "empty"}`);
    }
    return;
  }
  const queue = QUEUES.find((known): known is QueueName => known === name);
  if (queue === undefined) throw new Error(`a queue is one of ${QUEUES.join(", ")}`);
  if (action === "pause") {
    const paused = await jobs.ledger.pauseQueue(queue);
    return print(`${queue}: ${paused ? "paused" : "was paused already"}`);
  }
  if (action !== "resume") throw new Error("queues takes list, pause NAME or resume NAME");
  const resumed = await jobs.ledger.resumeQueue(queue);
  print(`${queue}: ${resumed ? "goes on" : "was not paused"}`);
}
