import type { Job } from "../jobs/index.ts";
import { systemClock } from "../platform/index.ts";
import { type BotApi, BotApiError } from "../telegram/index.ts";
import type { ApiCall } from "./call-parts.ts";
import type { CallSettings } from "./call-settings.ts";
import {
  bringsFiles,
  contentResult,
  type EvidenceFiles,
  FILES_MS,
  type FileTaker,
  type TakenFiles,
} from "./content/index.ts";
import { HeldBack } from "./pace-turns.ts";
import type { SendAttempt } from "./send-attempts.ts";
import { callOf } from "./send-call.ts";
import {
  expiredResult,
  refusedResult,
  resultOfError,
  type SendResult,
  sentResult,
} from "./send-result.ts";

/** With what calls are made. */
export interface CallMeans {
  bot: { workspaceId: string; connectorId: string };
  botApiFor(connectorId: string): Promise<BotApi>;
  calls: CallSettings;
  files: FileTaker;
  /** Which addresses files may be downloaded from. Default: those of the public Internet. */
  mayDial?(address: string): boolean;
  /** Where files of evidence come from. */
  evidence?: EvidenceFiles;
}

/** How the calls of one attempt leave. */
export interface CallWay {
  /** Resolves when a call is to leave at once, and counts it. Throws `HeldBack`. */
  leave(): Promise<void>;
  signal: AbortSignal;
  /** The workspace pays for what exceeds the free rate. */
  isPaid: boolean;
}

/** It took so long to begin that its time to call was over. */
const LATE_PAUSE_MS = 1_000;

/**
 * Makes the call that an attempt is, with what its content needs taken first and let go at the end; a
 * second one where Telegram could not read how the text is marked up. Throws `HeldBack` where nothing left.
 */
export async function makeCalls(
  means: CallMeans,
  attempt: SendAttempt,
  job: Job,
  way: CallWay,
): Promise<SendResult> {
  const { content, id: messageId } = attempt.message;
  const { files: taker, mayDial, evidence } = means;
  const { signal } = way;
  let files: TakenFiles;
  try {
    const { workspaceId } = means.bot;
    files = await taker.take(content, { workspaceId, messageId, signal, mayDial, evidence });
  } catch (error) {
    const result = contentResult(error, content, job.attempts);
    if (result === null) throw error;
    return result;
  }
  try {
    const failed = (error: unknown) => contentResult(error, content, job.attempts, files.broken());
    return await callWith(files.list, means, attempt, { ...way, failed });
  } finally {
    await files.close();
  }
}

async function callWith(
  files: TakenFiles["list"],
  { botApiFor, bot, calls }: CallMeans,
  attempt: SendAttempt,
  {
    leave,
    signal,
    isPaid,
    failed,
  }: CallWay & {
    /** What an error means for its content; null: what it means for all. */
    failed(error: unknown): SendResult | null;
  },
): Promise<SendResult> {
  const { message, expiresInMs, mayBeSent } = attempt;
  const filesMs = bringsFiles(message.content) ? FILES_MS : 0;
  if (attempt.isRefused) return refusedResult();
  if (expiresInMs !== null && attempt.begunMs + expiresInMs <= performance.now()) {
    const expiresAt = message.expires_at ?? new Date(systemClock());
    return expiredResult({ expiresAt, mayBeSent });
  }
  const call = async ({ method, payload }: ApiCall) => {
    const api = await botApiFor(bot.connectorId);
    await leave();
    // A process that was stopped since may have a successor that has judged this attempt.
    const timeoutMs = attempt.begunMs + calls.timeoutMs + filesMs - performance.now();
    if (timeoutMs <= 0) throw new HeldBack(systemClock() + LATE_PAUSE_MS);
    const payment = isPaid ? { allow_paid_broadcast: true } : {};
    return api.call(method, { ...payload, ...payment }, { timeoutMs, signal });
  };
  try {
    return sentResult(await call(callOf(message, files)));
  } catch (error) {
    const result = failed(error);
    if (result !== null) return result;
    // Our formatting, not their message: the same text goes out plain, and the message says so. But
    // for what was approved as it is.
    const isFormatting = error instanceof BotApiError && error.kind === "bad-entities";
    if (!isFormatting || message.entities === null || message.approved) {
      return resultOfError(error, message.on_unknown, systemClock());
    }
  }
  try {
    const answer = await call(callOf({ ...message, entities: null }, files));
    return sentResult(answer, "Sent as plain text: Telegram could not read its formatting.");
  } catch (error) {
    return resultOfError(error, message.on_unknown, systemClock());
  }
}
