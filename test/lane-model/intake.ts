import { randomUUID } from "node:crypto";
import type { Enqueued, NewJob, QueueName } from "../../src/jobs/types.ts";
import { FEW_ATTEMPTS, type JobPlan, MANY_ATTEMPTS } from "./schedule.ts";

/** What those who enqueue were told, and so may rely on. */
export interface Answers {
  /** Jobs that were answered with an id: they are committed. */
  accepted: { id: string; value: number }[];
  /** Unique keys that were answered as duplicates: a job with this key is committed. */
  duplicates: Set<string>;
  /** Values of jobs whose transaction was rolled back by its caller. */
  rolledBack: number[];
  /** Values of all jobs that were tried with a unique key. */
  unique: Map<string, number[]>;
}

const valueIn = (job: NewJob) => Number(job.payload?.value);

/** Makes the jobs of a schedule, numbered in the order of the calls, and keeps the answers. */
export class Intake {
  readonly answers: Answers = {
    accepted: [],
    duplicates: new Set(),
    rolledBack: [],
    unique: new Map(),
  };
  private readonly queue: QueueName;
  private readonly lanes: string[];
  private readonly workspaceId = randomUUID();
  private values = 0;

  constructor(queue: QueueName, lanes: string[]) {
    this.queue = queue;
    this.lanes = lanes;
  }

  newJobs(plans: JobPlan[]): NewJob[] {
    return plans.map((plan) => this.newJob(plan));
  }

  /** What an enqueue answered, once it is committed. */
  note(job: NewJob, { id, duplicate }: Enqueued): void {
    if (id !== null) this.answers.accepted.push({ id, value: valueIn(job) });
    if (duplicate && job.uniqueKey !== undefined) this.answers.duplicates.add(job.uniqueKey);
  }

  noteRolledBack(jobs: NewJob[]): void {
    this.answers.rolledBack.push(...jobs.map(valueIn));
  }

  private newJob({ lane, key, priority, plan, unique, inMs }: JobPlan): NewJob {
    const value = this.values++;
    const uniqueKey = unique === null ? undefined : `u${unique}`;
    if (uniqueKey !== undefined) {
      const values = this.answers.unique.get(uniqueKey) ?? [];
      this.answers.unique.set(uniqueKey, [...values, value]);
    }
    const failsByItself = plan.does === "fail" || plan.does === "spoil";
    return {
      queue: this.queue,
      lane: this.lanes[lane % this.lanes.length] as string,
      workspaceId: this.workspaceId,
      kind: "model",
      orderingKey: `k${key}`,
      priority,
      payload: { ...plan, value, priority, key: `k${key}`, isScheduled: inMs !== null },
      uniqueKey,
      runAt: inMs === null ? undefined : new Date(Date.now() + inMs),
      maxAttempts: failsByItself ? FEW_ATTEMPTS : MANY_ATTEMPTS,
    };
  }
}
