import { jest } from "@jest/globals";
import { createEnqueuer, type Enqueuer } from "../../src/jobs/enqueue.ts";
import { Ledger } from "../../src/jobs/ledger.ts";
import { QUEUE_POLICIES } from "../../src/jobs/policies.ts";
import type { Enqueued, Handler, Job, NewJob, QueueName } from "../../src/jobs/types.ts";
import type { Database } from "../../src/platform/index.ts";
import { Intake } from "./intake.ts";
import type { History, Observations } from "./observations.ts";
import type { Claims } from "./promises.ts";
import type { Command, JobPlan, Schedule } from "./schedule.ts";
import { Life, type Traffic } from "./traffic.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import { outsideWork, type Surroundings, transactionalWork } from "./work.ts";
import { LEASE_MS, ModelWorker } from "./worker.ts";

export interface Stage {
  queue: QueueName;
  mode: "transactional" | "external";
}

export interface Tools {
  traffic: Traffic;
  clock: VirtualClock;
  observations: Observations;
}

const RECEIVERS = 2;
const NO_WAKE = () => {};
/** Within this time of undisturbed work all is done; clocks that went back are made up for. */
const MAX_MS_TO_FINISH = 240_000;
const SWEEP_MS = 1_000;
const MAX_STEP_MS = 4_000;
const STATEMENTS_OF_A_SWEEP = 1;
/** More statements than that in one step: it runs in circles. */
const MAX_STATEMENTS_A_STEP = 1_500;

class RolledBack extends Error {}

/** A process with its connection to the database, whatever it does. */
interface Process {
  life: Life;
  db: Database;
}

/** The processes of one schedule, and what the world outside knows of them. */
export class World {
  private readonly stage: Stage;
  private readonly tools: Tools;
  private readonly lanes: string[];
  private readonly workers: ModelWorker[] = [];
  private readonly receivers: (Process & { enqueuer: Enqueuer })[] = [];
  private operator: Process & { ledger: Ledger; mustFail: { next: boolean } };
  private readonly dying = new Set<Life>();
  private readonly done = new Map<string, number>();
  private lives = 0;
  private wentBackMs = 0;
  private readonly intake: Intake;

  constructor(stage: Stage, schedule: Schedule, tools: Tools) {
    this.stage = stage;
    this.tools = tools;
    this.lanes = ["a", "b", "c"].slice(0, schedule.lanes);
    this.intake = new Intake(stage.queue, this.lanes);
    for (let n = 0; n < schedule.workers; n++) this.workers.push(this.newWorker(n));
    for (let n = 0; n < RECEIVERS; n++) this.receivers.push(this.newReceiver(n));
    this.operator = this.newOperator();
  }

  /** Runs the schedule, ends all faults, lets everything finish; answers what is to be judged. */
  async run(
    commands: Command[],
  ): Promise<{ history: History; claims: Claims; stuck: string | null }> {
    const { observations, traffic } = this.tools;
    const { queue, mode } = this.stage;
    const { order } = QUEUE_POLICIES[queue];
    try {
      for (const command of commands) {
        await this.obey(command);
        await traffic.settle();
        await this.buryTheDead();
      }
      traffic.trace.push("— faults end —");
      const stuck = await this.finish();
      const claims = { mode, order, answers: this.intake.answers };
      return { history: await observations.read(), claims, stuck };
    } finally {
      const lives = [...this.workers, ...this.receivers, this.operator].map(({ life }) => life);
      for (const life of lives) await traffic.end(life);
    }
  }

  private async obey(command: Command): Promise<void> {
    const { traffic } = this.tools;
    switch (command.do) {
      case "step": {
        let life = await traffic.open(command.pick);
        for (let n = 0; n < command.more && life !== null; n++) {
          if (command.eachMs > 0) await this.wait(command.eachMs);
          life = await traffic.openNextOf(life);
        }
        return;
      }
      case "fault":
        await traffic.open(command.pick, command.verdict);
        return;
      case "accept":
        return this.accept(command.receiver, command.jobs);
      case "transaction":
        return this.transaction(command);
      case "wake":
        this.worker(command.worker).wake(this.lane(command.lane));
        return;
      case "sweep":
        this.worker(command.worker).sweep();
        return;
      case "take-over": {
        const worker = this.worker(command.worker);
        await this.jump(LEASE_MS + 100);
        worker.wake(this.lane(command.lane));
        await traffic.settle();
        for (let n = 0; n < command.more; n++) await traffic.openNextOf(worker.life);
        return;
      }
      case "end-turn":
        this.worker(command.worker).endTurn();
        return;
      case "kill":
        this.dying.add(this.worker(command.worker).life);
        return;
      case "kill-receiver": {
        const n = command.receiver % RECEIVERS;
        await traffic.end(this.receiver(n).life);
        this.receivers[n] = this.newReceiver(n);
        return;
      }
      case "kill-operator":
        await traffic.end(this.operator.life);
        this.operator = this.newOperator();
        return;
      case "wait":
        return this.wait(command.ms);
      case "jump":
        return this.jump(command.ms);
      default:
        return this.changeByHand(command);
    }
  }

  private accept(receiver: number, plans: JobPlan[]): void {
    const { enqueuer } = this.receiver(receiver);
    for (const job of this.intake.newJobs(plans)) {
      enqueuer.enqueue(job).then(
        (enqueued) => this.intake.note(job, enqueued),
        () => {}, // not known: it may be there or not
      );
    }
  }

  private transaction(command: Command & { do: "transaction" }): void {
    const { intake } = this;
    const { db, enqueuer } = this.receiver(command.receiver);
    const jobs = intake.newJobs(command.jobs);
    const more = command.twice ? intake.newJobs(command.jobs) : [];
    const results: [NewJob, Enqueued][] = [];
    db.transaction(async (tx) => {
      results.length = 0;
      for (const part of [jobs, more]) {
        const enqueued = await enqueuer.enqueueIn(tx, part);
        for (const [n, one] of enqueued.entries()) results.push([part[n] as NewJob, one]);
      }
      if (command.rollback) throw new RolledBack();
    }).then(
      () => {
        for (const [job, enqueued] of results) this.intake.note(job, enqueued);
      },
      () => {},
    );
    if (command.rollback) intake.noteRolledBack([...jobs, ...more]);
  }

  private changeByHand(command: Command & { do: "retry" | "discard" }): void {
    const { accepted } = this.intake.answers;
    const { ledger, mustFail } = this.operator;
    const id = command.job === null ? undefined : accepted[command.job % accepted.length]?.id;
    mustFail.next = command.rollback;
    const filter = {
      queue: this.stage.queue,
      lane: id === undefined ? this.lane(0) : undefined,
      id,
    };
    ledger[command.do](filter).catch(() => {});
  }

  private jump(ms: number): Promise<void> {
    if (ms < 0) this.wentBackMs -= ms;
    this.tools.traffic.trace.push(`the clock of Postgres jumps by ${ms} ms`);
    return this.tools.clock.move(ms);
  }

  private async wait(ms: number): Promise<void> {
    this.tools.traffic.trace.push(`${ms} ms go by`);
    await this.tools.clock.move(ms);
    jest.advanceTimersByTime(ms);
    await this.tools.traffic.settle();
  }

  /** Undisturbed work, in steps of a second or, while all is quiet, more. Answers why it does not end, or null. */
  private async finish(): Promise<string | null> {
    const { traffic, observations } = this.tools;
    let leftMs = MAX_MS_TO_FINISH + this.wentBackMs;
    for (let round = 0, stepMs = SWEEP_MS; leftMs > 0; round++, leftMs -= stepMs) {
      this.worker(round).sweep();
      await traffic.settle();
      let statements = 0;
      for (; traffic.waiting > 0; statements++) {
        if (statements > MAX_STATEMENTS_A_STEP) return "the workers run in circles";
        await traffic.open(statements);
        await this.buryTheDead();
      }
      const isIdle = this.workers.every((worker) => worker.isIdle);
      if (isIdle && (await observations.unfinished()) === 0) return null;
      const isQuiet = isIdle && statements <= STATEMENTS_OF_A_SWEEP;
      stepMs = isQuiet ? Math.min(2 * stepMs, MAX_STEP_MS) : SWEEP_MS;
      // In pieces, as a process that runs sees it: polls come in time.
      for (const ms of [60, stepMs - 60]) await this.wait(ms);
    }
    const waiting = await observations.unfinished();
    return waiting > 0 ? `${waiting} jobs wait for ever` : "a drain never ends";
  }

  /** Processes that a job or the schedule has killed end now, and others begin in their place. */
  private async buryTheDead(): Promise<void> {
    for (const life of this.dying) {
      this.dying.delete(life);
      const n = this.workers.findIndex((worker) => worker.life === life);
      if (n === -1) continue;
      await this.tools.traffic.end(life);
      this.workers[n] = this.newWorker(n);
    }
  }

  private process(name: string): Process {
    // Ordered by name: the number keeps a successor behind what is left of its predecessor.
    const life = new Life(`${name}.${this.lives++}`);
    return { life, db: this.tools.traffic.databaseOf(life) };
  }

  private newWorker(n: number): ModelWorker {
    const { life, db } = this.process(`worker ${n}`);
    const { observations, traffic } = this.tools;
    const handlerFor = (worker: string): Handler => {
      const surroundings: Surroundings = {
        worker,
        db,
        noteCall: (call) => traffic.during(() => observations.noteCall(call)),
        die: () => {
          this.dying.add(life);
          return life.hang();
        },
        pause: (label) => traffic.outside(life, label),
        countFor: (job: Job) => {
          const count = this.done.get(job.id) ?? 0;
          this.done.set(job.id, count + 1);
          return count;
        },
      };
      return this.stage.mode === "transactional"
        ? transactionalWork(surroundings)
        : outsideWork(surroundings);
    };
    return new ModelWorker(life, db, this.stage.queue, handlerFor);
  }

  private newReceiver(n: number): Process & { enqueuer: Enqueuer } {
    const process = this.process(`receiver ${n}`);
    return { ...process, enqueuer: createEnqueuer(process.db, NO_WAKE) };
  }

  private newOperator(): Process & { ledger: Ledger; mustFail: { next: boolean } } {
    const process = this.process("operator");
    const mustFail = { next: false };
    const hook = async () => {
      await this.tools.traffic.outside(process.life, "the hook");
      if (mustFail.next) throw new RolledBack();
    };
    const hooks = { [this.stage.queue]: { discarded: hook, retried: hook } };
    return { ...process, mustFail, ledger: new Ledger({ db: process.db, wake: NO_WAKE, hooks }) };
  }

  private lane(n: number): string {
    return this.lanes[n % this.lanes.length] as string;
  }

  private worker(n: number): ModelWorker {
    return this.workers[n % this.workers.length] as ModelWorker;
  }

  private receiver(n: number): Process & { enqueuer: Enqueuer } {
    return this.receivers[n % RECEIVERS] as Process & { enqueuer: Enqueuer };
  }
}
