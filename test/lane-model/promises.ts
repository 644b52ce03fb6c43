import type { Answers } from "./intake.ts";
import type { Arrival, Effect, FinalJob, History, StateChange } from "./observations.ts";
import { FEW_ATTEMPTS } from "./schedule.ts";
import { LEASE_MS } from "./worker.ts";

/**
 * What must hold of the record of any schedule, once its faults have ended and everything was let
 * run. Pure: each promise answers what contradicts it, in words.
 */

export type Order = "strict" | "per-key" | "free";

export interface Claims {
  /** Whether effects are rows of the job's own transaction, or calls. */
  mode: "transactional" | "external";
  order: Order;
  answers: Answers;
}

const TERMINAL = new Set(["completed", "discarded", "cancelled"]);

export function brokenPromises(history: History, claims: Claims): string[] {
  return [
    ...nothingIsLost(history, claims),
    ...keysAreUnique(history, claims),
    ...effectsHappenOnce(history, claims),
    ...orderHolds(history, claims),
    ...oneHolder(history, claims),
    ...onlyTheGuiltyAreDiscarded(history, claims),
  ];
}

/** Accepted means committed, and finished in the end; rolled back means never there. */
export function nothingIsLost(
  { jobs, leases }: History,
  { answers: { accepted, rolledBack } }: Claims,
): string[] {
  const byId = new Map(jobs.map((job) => [job.id, job]));
  const values = new Set(jobs.map((job) => job.plan.value));
  return [
    ...accepted
      .filter(({ id, value }) => byId.get(id)?.plan.value !== value)
      .map(({ id }) => `job ${id} was accepted and is not there`),
    ...rolledBack.filter((value) => values.has(value)).map((value) => `${value} was rolled back`),
    ...jobs
      .filter((job) => !TERMINAL.has(job.state))
      .map((job) => `job ${job.id} of lane ${job.lane} is ${job.state} for ever`),
    ...leases
      .filter(({ forgotten }) => forgotten > 0)
      .map(({ lane, forgotten }) => `lane ${lane} was handed back, ${forgotten} jobs forgotten`),
  ];
}

/** One job a unique key; and who was told of a duplicate may rely on the first one. */
export function keysAreUnique({ jobs }: History, { answers }: Claims): string[] {
  const present = new Set(jobs.map((job) => job.plan.value));
  return [...answers.unique].flatMap(([key, values]) => {
    const made = values.filter((value) => present.has(value)).length;
    if (made > 1) return [`unique key ${key} has ${made} jobs`];
    return made === 0 && answers.duplicates.has(key) ? [`key ${key} has no job`] : [];
  });
}

/** Ids of jobs that a person changed: they are outside the order, and may be done again. */
function changedByHand({ states }: History): Set<string> {
  return new Set(
    states
      .filter(
        (change) =>
          (change.to === "discarded" && change.errorClass === "DiscardedByHand") ||
          (TERMINAL.has(change.from) && change.to === "available"),
      )
      .map((change) => change.job),
  );
}

export function effectsHappenOnce(history: History, { mode }: Claims): string[] {
  const broken: string[] = [];
  for (const job of history.jobs) {
    const effects = history.effects.filter((effect) => effect.job === job.id && effect.tookPlace);
    if (job.state === "completed" && effects.length === 0) {
      broken.push(`job ${job.id} is completed without an effect`);
    }
    if (mode === "transactional") {
      if (job.state !== "completed" && effects.length > 0) {
        broken.push(`job ${job.id} is ${job.state} and has an effect`);
      }
      if (effects.length > 1) broken.push(`job ${job.id} has ${effects.length} effects`);
    } else {
      broken.push(...knownCallsAreNotRepeated(history, job, effects));
    }
  }
  return broken;
}

/**
 * Between two calls of a job, somebody else must have found the first one's outcome unknown; and
 * what has ended is not called, unless a person wants it again.
 */
function knownCallsAreNotRepeated({ states }: History, job: FinalJob, calls: Effect[]): string[] {
  const ofJob = states.filter((change) => change.job === job.id);
  const afterItsEnd = calls.filter((call) => {
    const before = ofJob.filter((change) => change.n < call.n).at(-1);
    return before !== undefined && TERMINAL.has(before.to);
  });
  const repeated = calls.slice(1).flatMap((call, n) => {
    const before = calls[n] as Effect;
    const wasUnknown = ofJob.some(
      (change) =>
        change.n > before.n &&
        change.n < call.n &&
        change.from === "running" &&
        change.attempts === before.attempt &&
        (change.errorClass === "Unknown" || change.errorClass === "WorkerDied") &&
        change.worker !== before.worker,
    );
    return wasUnknown ? [] : [`job ${job.id} was called again though its outcome was known`];
  });
  return [...repeated, ...afterItsEnd.map(() => `job ${job.id} was called after its end`)];
}

/** Jobs of a lane (or of a key) in the order in which their inserts were committed. */
function arrivalOrder({ arrivals }: History, order: Order): Arrival[][] {
  const groups = new Map<string, Arrival[]>();
  for (const arrival of arrivals) {
    const group = order === "strict" ? arrival.lane : `${arrival.lane} ${arrival.plan.key}`;
    groups.set(group, [...(groups.get(group) ?? []), arrival]);
  }
  const firstSeq = new Map<string, number>();
  for (const { tx, lane, seq } of arrivals) {
    const name = `${tx} ${lane}`;
    firstSeq.set(name, Math.min(seq, firstSeq.get(name) ?? seq));
  }
  const seqOf = (one: Arrival) => firstSeq.get(`${one.tx} ${one.lane}`) ?? one.seq;
  // Within a transaction, in the order of the calls, which the values number.
  return [...groups.values()].map((group) =>
    group.sort((a, b) => seqOf(a) - seqOf(b) || a.plan.value - b.plan.value),
  );
}

/**
 * A job's effects, and its end, come after the end of every job before it. Jobs that a person
 * changed, or that wait for a time of their own in a queue ordered per key, stand outside; and there a
 * critical one may pass those that are not.
 */
export function orderHolds(history: History, { order, mode }: Claims): string[] {
  if (order === "free") return [];
  const byHand = changedByHand(history);
  const txOrder = (changes: StateChange[]) => changes.find((one) => TERMINAL.has(one.to));
  const broken: string[] = [];
  for (const group of arrivalOrder(history, order)) {
    const jobs = group.filter(
      (one) => !byHand.has(one.job) && (order === "strict" || one.plan.isScheduled !== true),
    );
    for (const [n, later] of jobs.entries()) {
      for (const earlier of jobs.slice(0, n)) {
        if (order === "per-key" && isCritical(later) && !isCritical(earlier)) continue;
        const end = txOrder(history.states.filter((change) => change.job === earlier.job));
        if (end === undefined) continue;
        const ofLater = [
          ...history.states.filter((change) => change.job === later.job && TERMINAL.has(change.to)),
          ...history.effects.filter((effect) => effect.job === later.job),
        ];
        // In one transaction the effects precede all ends; among themselves they must be in order.
        const early = ofLater.find((entry) => entry.n < end.n && entry.tx !== end.tx);
        const effectOf = (job: string) => history.effects.find((effect) => effect.job === job);
        const [first, second] = [effectOf(earlier.job), effectOf(later.job)];
        const isTurnedRound =
          mode === "transactional" &&
          first !== undefined &&
          second !== undefined &&
          first.n > second.n;
        if (early !== undefined || isTurnedRound) {
          broken.push(`job ${later.job} overtook job ${earlier.job} in lane ${later.lane}`);
        }
      }
    }
  }
  return broken;
}

const isCritical = ({ plan }: Arrival): boolean => plan.priority === 0;

/**
 * A lease is taken only when it is free, has run out, or ends further ahead than any can; and who
 * does not hold the lane begins and completes nothing.
 */
export function oneHolder({ leases, states }: History, { mode }: Claims): string[] {
  const broken = leases
    .filter(
      ({ from, to, leftMs }) =>
        from !== null && to !== null && leftMs !== null && leftMs >= 0 && leftMs <= 2 * LEASE_MS,
    )
    .map(({ lane, leftMs }) => `lane ${lane} was taken with ${leftMs} ms of its lease left`);
  for (const change of states) {
    const needsLane =
      change.to === "running" || (mode === "transactional" && change.to === "completed");
    if (!needsLane) continue;
    const own = leases.find(({ tx, lane }) => tx === change.tx && lane === change.lane);
    const last = leases.filter(({ n, lane }) => n < change.n && lane === change.lane).at(-1);
    const holder = own === undefined ? last?.to : own.from;
    if (holder !== change.worker) {
      broken.push(`job ${change.job} was made ${change.to} by a worker that did not hold its lane`);
    }
  }
  return broken;
}

/** Attempts that are spent, a refusal, a hand, or three deaths: nothing else ends a job early. */
export function onlyTheGuiltyAreDiscarded({ jobs }: History, { mode }: Claims): string[] {
  return jobs
    .filter((job) => job.state !== "completed" && !mayEndAs(job, mode))
    .map((job) => `job ${job.id} (${job.plan.does}) was ${job.state}: ${job.errorClass}`);
}

function mayEndAs({ plan, errorClass, deaths, state }: FinalJob, mode: Claims["mode"]): boolean {
  if (!TERMINAL.has(state) || errorClass === "DiscardedByHand") return true;
  if (errorClass === "WorkerDied") return deaths >= 3;
  if (plan.does === "refuse") return true;
  if (plan.does !== "fail" && plan.does !== "spoil") return false;
  // A call whose outcome is unknown spends an attempt too, and so does the cut of a transaction in
  // which a suspect ran alone.
  return mode === "external" || deaths > 0 || (plan.times ?? 0) >= FEW_ATTEMPTS;
}
