import { fc } from "../support/property.ts";
import type { Verdict } from "./traffic.ts";

/** What a job does to who runs it. `times`: so often, then it succeeds. */
export type Plan =
  | { does: "succeed" }
  /** Throws; with `afterMs` it is due again so soon. */
  | { does: "fail"; times: number; afterMs: number }
  /** Its own SQL fails, which spoils the transaction it shares with others. */
  | { does: "spoil"; times: number }
  | { does: "refuse" }
  | { does: "pause"; times: number; forMs: number }
  /** Ends the process in whose hands it is. */
  | { does: "kill"; times: number };

/** Attempts of the jobs that fail by themselves; the others have more than faults can use up. */
export const FEW_ATTEMPTS = 3;
export const MANY_ATTEMPTS = 30;

export interface JobPlan {
  lane: number;
  key: number;
  priority: number;
  plan: Plan;
  /** A job with this key may have been enqueued before. */
  unique: number | null;
  /** Not before so many ms from now. */
  inMs: number | null;
}

/** One decision of the schedule. Numbers that name something are taken modulo how many there are. */
export type Command =
  /** Opens a gate, and then so many more of the same process; each statement takes so long. */
  | { do: "step"; pick: number; more: number; eachMs: number }
  | { do: "fault"; pick: number; verdict: Exclude<Verdict, "pass"> }
  /** A receiver commits jobs, together with what it has in hand. */
  | { do: "accept"; receiver: number; jobs: JobPlan[] }
  /** Jobs in a caller's own transaction: in one statement or two, then a commit or a rollback. */
  | { do: "transaction"; receiver: number; jobs: JobPlan[]; twice: boolean; rollback: boolean }
  /** A wake, true or not: they may be lost, repeated and late. */
  | { do: "wake"; worker: number; lane: number }
  | { do: "sweep"; worker: number }
  /** Leases run out while their holders stand still, and this worker looks at a lane. */
  | { do: "take-over"; worker: number; lane: number; more: number }
  | { do: "end-turn"; worker: number }
  | { do: "kill"; worker: number }
  | { do: "kill-receiver"; receiver: number }
  | { do: "kill-operator" }
  /** Time goes by, everywhere. */
  | { do: "wait"; ms: number }
  /** Postgres's clock alone is moved. */
  | { do: "jump"; ms: number }
  | { do: "retry"; job: number | null; rollback: boolean }
  | { do: "discard"; job: number | null; rollback: boolean };

export interface Schedule {
  workers: number;
  lanes: number;
  commands: Command[];
}

const times = fc.integer({ min: 1, max: 4 });
/** The last of them never lets go of it: only three deaths end such a job. */
const kills = fc.constantFrom(1, 2, 1_000);
/** What the waits below fit into, so that things fall due between any two statements. */
const delayMs = fc.constantFrom(0, 40, 300, 1_500);

const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Plan>({ does: "succeed" }) },
  { weight: 4, arbitrary: fc.record({ does: fc.constant("fail"), times, afterMs: delayMs }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("spoil"), times }) },
  { weight: 1, arbitrary: fc.constant<Plan>({ does: "refuse" }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("pause"), times, forMs: delayMs }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("kill"), times: kills }) },
) as fc.Arbitrary<Plan>;

const job: fc.Arbitrary<JobPlan> = fc.record({
  lane: fc.nat(1),
  key: fc.nat(1),
  priority: fc.constantFrom(5, 5, 5, 1, 9, 0),
  plan,
  unique: fc.option(fc.nat(3), { freq: 5 }),
  inMs: fc.option(delayMs, { freq: 8 }),
});
const jobs = fc.array(job, { minLength: 1, maxLength: 4, size: "max" });

const which = fc.nat(30);
const worker = fc.nat(2);
const receiver = fc.nat(1);
/** Through the lease (5 s) and the delays above, in pieces. */
const waitMs = fc.constantFrom(10, 30, 60, 250, 700, 1_500, 2_600, 6_000);
const eachMs = fc.constantFrom(0, 0, 0, 50, 400);
const jumpMs = fc.constantFrom(-20_000, -3_000, -200, 200, 3_000, 20_000);

const is = <Name extends Command["do"]>(name: Name) => fc.constant(name);

const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 24, arbitrary: fc.record({ do: is("step"), pick: which, more: fc.nat(4), eachMs }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: is("fault"),
      pick: which,
      verdict: fc.constantFrom<Exclude<Verdict, "pass">>("cut", "reply-lost", "lock-timeout"),
    }),
  },
  { weight: 5, arbitrary: fc.record({ do: is("accept"), receiver, jobs }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: is("transaction"),
      receiver,
      jobs,
      twice: fc.boolean(),
      rollback: fc.boolean(),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: is("wake"), worker, lane: fc.nat(1) }) },
  { weight: 2, arbitrary: fc.record({ do: is("sweep"), worker }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: is("take-over"), worker, lane: fc.nat(1), more: fc.nat(6) }),
  },
  { weight: 1, arbitrary: fc.record({ do: is("end-turn"), worker }) },
  { weight: 1, arbitrary: fc.record({ do: is("kill"), worker }) },
  { weight: 1, arbitrary: fc.record({ do: is("kill-receiver"), receiver }) },
  { weight: 1, arbitrary: fc.record({ do: is("kill-operator") }) },
  { weight: 5, arbitrary: fc.record({ do: is("wait"), ms: waitMs }) },
  { weight: 2, arbitrary: fc.record({ do: is("jump"), ms: jumpMs }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom("retry" as const, "discard" as const),
      job: fc.option(which, { freq: 1 }),
      rollback: fc.constantFrom(true, true, false),
    }),
  },
);

/** Long enough for a few takeovers, short enough for some hundred of them in a run of the tests. */
export const schedules: fc.Arbitrary<Schedule> = fc.record({
  workers: fc.integer({ min: 2, max: 3 }),
  lanes: fc.integer({ min: 1, max: 2 }),
  commands: fc.array(command, { minLength: 20, maxLength: 90, size: "max" }),
});
