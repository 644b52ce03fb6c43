import type { Choice, Job, LaneRunner, Outcome } from "../jobs/index.ts";
import { type Database, systemClock } from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";
import type { ApiCall } from "./call-parts.ts";
import { type CallSettings, tellOfCall, withinAttempts } from "./call-settings.ts";
import {
  asCourtesy,
  bringsFiles,
  contentResult,
  costOf,
  FILES_MS,
  type FileTaker,
  type TakenFiles,
} from "./content/index.ts";
import { resultOfPart } from "./message-parts.ts";
import type { Pace } from "./pace.ts";
import { orphanedAttempt, type SendAttempt } from "./send-attempts.ts";
import { callOf, type MessageRow } from "./send-call.ts";
import {
  expiredResult,
  notSentResult,
  resultOfError,
  type SendResult,
  sentResult,
  unknownResult,
} from "./send-result.ts";

export interface BotRunnerOptions {
  db: Database;
  bot: { workspaceId: string; connectorId: string };
  pace: Pace;
  botApiFor(connectorId: string): Promise<BotApi>;
  /** Told of each call that was made, and how long it took, in ms. */
  observe(result: SendResult, runMs: number): void;
  calls: CallSettings;
  files: FileTaker;
  /** Which addresses files may be downloaded from. Default: those of the public Internet. */
  mayDial?(address: string): boolean;
}

/** Of one bot, messages under way that bring files: they may take a minute, and must leave room. */
const MAX_BRINGING = 8;
/** A look again, if nothing ends before. */
const BRINGING_WAIT_MS = 1_000;

/** One drain of a bot: chooses what its pace allows, and makes the calls. */
export class BotRunner implements LaneRunner<SendAttempt> {
  private readonly options: BotRunnerOptions;
  private readonly pace: Pace;
  /** Jobs that bring files, from when they are chosen until they are over. */
  private readonly bringing = new Set<string>();

  constructor(options: BotRunnerOptions) {
    this.options = options;
    this.pace = options.pace;
  }

  held(nowMs: number): { keys: string[]; untilMs: number | null } {
    const { chatIds, untilMs } = this.pace.heldChats(nowMs);
    return { keys: chatIds, untilMs };
  }

  choose(ready: Job[], nowMs: number): Choice {
    let waitUntilMs = Number.POSITIVE_INFINITY;
    for (const job of ready) {
      const chatId = chatOf(job);
      if (job.payload.files === true && this.bringing.size >= MAX_BRINGING) {
        waitUntilMs = Math.min(waitUntilMs, nowMs + BRINGING_WAIT_MS);
        continue;
      }
      const nextMs = this.pace.nextAtMs(chatId, nowMs);
      if (nextMs <= nowMs) {
        this.pace.choose(chatId, nowMs);
        if (job.payload.files === true) this.bringing.add(job.id);
        return { job };
      }
      waitUntilMs = Math.min(waitUntilMs, nextMs);
    }
    return { waitUntilMs };
  }

  notBegun(job: Job): void {
    this.bringing.delete(job.id);
    this.pace.release(chatOf(job));
  }

  async run(job: Job, signal: AbortSignal, attempt: SendAttempt | null): Promise<Outcome> {
    // Sent after all by a holder that was believed dead, or gone: there is nothing to send.
    if (attempt === null) {
      this.notBegun(job);
      return { type: "complete" };
    }
    const startedMs = performance.now();
    const chatId = chatOf(job);
    let calls = 0;
    const leave = () => {
      // A second call, of the same message, was not chosen.
      if (calls++ === 0) this.pace.leave(chatId, systemClock());
      else this.pace.record(chatId, systemClock());
      // Telegram counts an album's items.
      const more = costOf(attempt.message.content) - 1;
      for (let n = 0; n < more; n++) this.pace.record(chatId, systemClock());
    };
    const sent = await this.send(attempt, job, { leave, signal }).finally(() =>
      this.bringing.delete(job.id),
    );
    const answered = job.kind === "chat-action" ? asCourtesy(sent) : sent;
    const result = resultOfPart(answered, attempt.message, systemClock());
    if (calls === 0) this.notBegun(job);
    const runMs = performance.now() - startedMs;
    this.options.observe(result, runMs);
    tellOfCall(this.options.calls, job, attempt, result, runMs);
    attempt.result = result;
    attempt.heldChats = this.heed(attempt.message.chat_id, result);
    return withinAttempts(result.outcome, job, this.options.calls);
  }

  /**
   * What a dead holder left: not known before its call's deadline has passed, unknown after it; but
   * for a call that did not leave, which waits for nothing.
   */
  async orphan(
    job: Job,
    { neverLeft }: { neverLeft: boolean },
  ): Promise<{ outcome: Outcome; own?: SendAttempt | null }> {
    const left = await orphanedAttempt(this.options.db, job);
    if (neverLeft) {
      const why = "the database was cut off before it was sent";
      const result = notSentResult("cut-off", why, systemClock());
      return { outcome: result.outcome, own: left && { ...left.attempt, result } };
    }
    if (left === null) {
      const error = "no attempt was on record";
      return { outcome: { type: "retry", errorClass: "WorkerDied", error } };
    }
    const { attempt, leftMs } = left;
    if (leftMs > 0) {
      const untilMs = systemClock() + leftMs;
      return { outcome: { type: "pause", untilMs, reason: "may still be sent" } };
    }
    const why = "the worker died while the call was under way";
    const unknown = unknownResult(attempt.message.on_unknown, why);
    const result = job.kind === "chat-action" ? asCourtesy(unknown) : unknown;
    return { outcome: result.outcome, own: { ...attempt, result } };
  }

  /** With what its content needs taken first, and let go at the end. */
  private async send(
    attempt: SendAttempt,
    job: Job,
    options: { leave: () => void; signal: AbortSignal },
  ): Promise<SendResult> {
    const { content } = attempt.message;
    const { files: taker, mayDial } = this.options;
    const failed = (error: unknown) => contentResult(error, content, job.attempts);
    let files: TakenFiles;
    try {
      files = await taker.take(content, { signal: options.signal, mayDial });
    } catch (error) {
      const result = failed(error);
      if (result === null) throw error;
      return result;
    }
    try {
      return await this.sendWith(files.list, attempt, { ...options, failed });
    } finally {
      await files.close();
    }
  }

  private async sendWith(
    files: TakenFiles["list"],
    attempt: SendAttempt,
    {
      leave,
      signal,
      failed,
    }: {
      leave: () => void;
      signal: AbortSignal;
      /** What an error means for its content; null: what it means for all. */
      failed(error: unknown): SendResult | null;
    },
  ): Promise<SendResult> {
    const { message } = attempt;
    const { botApiFor, bot, calls } = this.options;
    const filesMs = bringsFiles(message.content) ? FILES_MS : 0;
    // A process that was stopped since may have a successor that has judged this attempt.
    const timeoutMs = attempt.begunMs + calls.timeoutMs + filesMs - performance.now();
    if (timeoutMs <= 0) return notSentResult("late", "it was too late to send", systemClock());
    // Files take their time: meanwhile another call may have been told to wait.
    const heldMs = this.pace.botHeldUntil();
    if (filesMs > 0 && heldMs > systemClock()) {
      return { ...notSentResult("held", "the bot is held", heldMs), outcome: heldUntil(heldMs) };
    }
    const { expiresInMs, mayBeSent } = attempt;
    if (expiresInMs !== null && attempt.begunMs + expiresInMs <= performance.now()) {
      const expiresAt = message.expires_at ?? new Date(systemClock());
      return expiredResult({ expiresAt, mayBeSent });
    }
    const call = async (params: ApiCall) => {
      const api = await botApiFor(bot.connectorId);
      const limits = { timeoutMs, signal };
      const answer = api.call(params.method, params.payload, limits);
      leave();
      return answer;
    };
    try {
      return sentResult(await call(callOf(message, files)));
    } catch (error) {
      const result = failed(error);
      if (result !== null) return result;
      // Our formatting, not their message: the same text goes out plain, and the message says so. But
      // for what was approved as it is.
      const isFormatting = error instanceof BotApiError && error.kind === "bad-entities";
      if (isFormatting && message.entities !== null && !message.approved) {
        return this.sendPlain(message, files, call);
      }
      return resultOfError(error, message.on_unknown, systemClock());
    }
  }

  private async sendPlain(
    message: MessageRow,
    files: TakenFiles["list"],
    call: (params: ApiCall) => Promise<unknown>,
  ): Promise<SendResult> {
    try {
      const answer = await call(callOf({ ...message, entities: null }, files));
      return sentResult(answer, "Sent as plain text: Telegram could not read its formatting.");
    } catch (error) {
      return resultOfError(error, message.on_unknown, systemClock());
    }
  }

  /**
   * What an answer means for the pace of what comes next. Answers the chats that a 429 holds, ''
   * being the bot: several chats held at once means that the bot is too fast, not one chat.
   */
  private heed(chatId: string, result: SendResult): string[] {
    const nowMs = systemClock();
    if (result.migratedTo !== null) this.pace.move(chatId, result.migratedTo);
    const whole = result.unauthorized || result.attempt === "not-sent";
    if (whole && result.outcome.type === "pause") this.pace.hold(null, result.outcome.untilMs);
    if (result.retryAfterS === null) return [];
    const untilMs = nowMs + result.retryAfterS * 1_000;
    this.pace.hold(chatId, untilMs);
    if (this.pace.holdsBeside(chatId, nowMs) === 0) return [chatId];
    this.pace.hold(null, untilMs);
    return [chatId, ""];
  }
}

const heldUntil = (untilMs: number): Outcome => ({ type: "pause", untilMs, reason: "held" });

/** The chat whose pace a job counts for; null for calls that no chat's pace limits. */
function chatOf(job: Job): string | null {
  return job.kind === "message" ? job.orderingKey : null;
}
