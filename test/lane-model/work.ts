import {
  Discard,
  type ExternalHandler,
  type Job,
  type LaneRunner,
  Pause,
  Retry,
  type TransactionalHandler,
} from "../../src/jobs/index.ts";
import type { Queryable } from "../../src/platform/index.ts";
import { NOTE_EFFECT, type Observations } from "./observations.ts";
import type { Plan } from "./schedule.ts";

/** What work needs of the process it runs in, and of the world outside. */
export interface Surroundings {
  /** Owner of the process's leases, and the name under which it is in the ledger. */
  worker: string;
  db: Queryable;
  /** Notes a call at the moment it takes place, whatever becomes of its process. */
  noteCall: Observations["noteCall"];
  /** Ends the process; never resolves. */
  die(): Promise<never>;
  /** A place where the process may stop, between two statements. */
  pause(label: string): Promise<void>;
  /** How often this has been done for the job, in all processes; counts on. */
  countFor(job: Job): number;
}

/** A request that has not left by then never leaves; a successor waits for it. */
const REQUEST_DEADLINE_MS = 2_000;

async function beOrNotBe(job: Job, plan: Plan, { countFor, die }: Surroundings): Promise<void> {
  switch (plan.does) {
    case "refuse":
      throw new Discard("will never do");
    case "fail":
      if (job.attempts < plan.times) throw new Retry("not yet", plan.afterMs);
      return;
    case "pause":
      if (countFor(job) < plan.times) throw new Pause("too much", Date.now() + plan.forMs);
      return;
    case "kill":
      if (countFor(job) < plan.times) await die();
      return;
    default:
  }
}

const planOf = (job: Job) => job.payload as unknown as Plan;

/** Effects are rows, all of a transaction's in one statement. */
export function transactionalWork(surroundings: Surroundings): TransactionalHandler {
  return {
    mode: "transactional",
    run: async (tx, lanes) => {
      const jobs = lanes.flatMap((lane) => lane.jobs);
      for (const job of jobs) {
        const plan = planOf(job);
        await beOrNotBe(job, plan, surroundings);
        if (plan.does === "spoil" && job.attempts < plan.times) await tx.query("SELECT 1 / 0");
      }
      const params = [jobs.map((job) => job.lane), jobs.map((job) => job.id)];
      await tx.query(NOTE_EFFECT, [...params, surroundings.worker, 0, true]);
    },
  };
}

/**
 * Effects are calls, as src/outbound makes them: the attempt is on record before the request leaves,
 * a request does not leave after its deadline, and a successor waits for that before it sends again.
 */
export function outsideWork(surroundings: Surroundings): ExternalHandler<number> {
  const { worker, db, noteCall, pause } = surroundings;
  const runner: LaneRunner<number> = {
    run: async (job, _signal, deadlineMs) => {
      const plan = planOf(job);
      const attempt = job.attempts + 1;
      await pause("the request leaves");
      if (Date.now() >= (deadlineMs ?? 0)) throw new Retry("too late, not sent", 0);
      const call = { lane: job.lane, job: job.id, worker, attempt };
      try {
        await beOrNotBe(job, plan, surroundings);
        if (plan.does === "spoil" && job.attempts < plan.times) throw new Error("reset");
      } catch (error) {
        await noteCall({ ...call, tookPlace: false });
        throw error;
      }
      await noteCall({ ...call, tookPlace: true });
      await pause("the answer arrives");
      return { type: "complete" };
    },
    orphan: async (job) => {
      const [begun] = await db.query<{ deadline_ms: number }>(
        "SELECT deadline_ms FROM model.attempts WHERE job = $1 AND attempt = $2",
        [job.id, job.attempts],
      );
      if (begun === undefined)
        throw new Error(`attempt ${job.attempts} of ${job.id} was not begun`);
      if (Date.now() < begun.deadline_ms) {
        const reason = "may still be under way";
        return { outcome: { type: "pause", untilMs: begun.deadline_ms, reason } };
      }
      return {
        outcome: { type: "retry", errorClass: "Unknown", error: "sent again", afterMs: 0 },
      };
    },
  };
  const begin: ExternalHandler<number>["begin"] = async (tx, jobs) => {
    const deadlineMs = Date.now() + REQUEST_DEADLINE_MS;
    await tx.query(
      `INSERT INTO model.attempts (job, attempt, deadline_ms)
       SELECT job, attempt, $3 FROM unnest($1::bigint[], $2::int[]) AS t(job, attempt)`,
      [jobs.map((job) => job.id), jobs.map((job) => job.attempts + 1), deadlineMs],
    );
    return new Map(jobs.map((job) => [job.id, deadlineMs]));
  };
  return { mode: "external", open: async () => runner, begin };
}
