import type { Outcome } from "../../jobs/index.ts";
import { DownloadError } from "../../platform/index.ts";
import { BotApiError, type BotApiErrorKind } from "../../telegram/index.ts";
import { type SendResult, sentResult } from "../send-result.ts";
import { CannotSend } from "./cannot-send.ts";
import { bringsFiles, type Content, targetIdOf } from "./content.ts";
import { EvidenceAway } from "./evidence-file.ts";

/** A file that cannot be had is asked for so often, about a minute or two: its chat waits meanwhile. */
const FILE_TRIES = 8;

const OF_UPLOAD: readonly BotApiErrorKind[] = [
  "connection-lost",
  "timeout",
  "server-error",
  "bad-answer",
];

const NOTHING = {
  message: null,
  retryAfterS: null,
  migratedTo: null,
  unreachable: false,
  unauthorized: false,
};

/**
 * What an error means where the content makes it mean something else than for a text; null: it means
 * the same. `triesBefore`: attempts of the job before this one; `broken`: why a file of it broke off
 * while it was uploaded.
 */
export function contentResult(
  error: unknown,
  content: Content | null,
  triesBefore: number,
  broken: Error | null = null,
): SendResult | null {
  if (error instanceof CannotSend) return failed(error.errorClass, error.message);
  if (error instanceof EvidenceAway) {
    return again("evidence-file-unavailable", error.message, triesBefore);
  }
  if (error instanceof DownloadError) {
    const { fault, message, isFinal } = error;
    // It is this process that ends, not the file's server that fails.
    if (fault === "aborted") return paused(message);
    return isFinal
      ? failed(`file-${fault}`, message)
      : again(`file-${fault}`, message, triesBefore);
  }
  if (!(error instanceof BotApiError) || content === null) return null;
  if (targetIdOf(content) !== null) return targetResult(error, content);
  if (bringsFiles(content) && error.sent === "no") {
    // Its upload broke off, was too slow, or a proxy did not wait for its end: not an outage that holds
    // the whole bot, and for which the file is downloaded each second again.
    if (OF_UPLOAD.includes(error.kind)) {
      if (broken !== null) return contentResult(broken, content, triesBefore);
      const words = "The file could not be uploaded to Telegram in time, or the upload broke off.";
      return again("file-upload", words, triesBefore);
    }
  }
  return null;
}

/** Telegram's refusals of changes, as people need them. */
function targetResult(error: BotApiError, content: Content): SendResult | null {
  const { kind, description } = error;
  if (kind === "chat-migrated") {
    const words = "The group became a supergroup since: bots cannot change what was said before.";
    return failed("target-migrated", words);
  }
  if (kind !== "bad-request") return null;
  if (/message to delete not found|MESSAGE_ID_INVALID/i.test(description)) {
    if (content.type === "delete") return sentResult(null, "It was gone already.");
  }
  if (/message can't be deleted/i.test(description)) {
    const words =
      "Telegram lets a bot delete its message for 48 hours only, and afterwards where it is an administrator.";
    return failed("too-old", words);
  }
  if (/message to (edit|pin|unpin) not found|MESSAGE_ID_INVALID/i.test(description)) {
    return failed("target-gone", "The message it is about is not in the chat any more.");
  }
  if (/not enough rights/i.test(description)) {
    const words = "The bot may not do that in this chat; make it an administrator who may.";
    return failed("no-rights", words);
  }
  return null;
}

/**
 * A chat action is a courtesy of five seconds: whatever became of it, it is over. What the failure says
 * of the bot and of its pace counts all the same.
 */
export function asCourtesy(result: SendResult): SendResult {
  if (result.outcome.type === "complete") return result;
  const error = result.error ?? "It was not shown, and is not tried again.";
  const attempt = result.attempt === "unknown" ? "failed" : result.attempt;
  return { ...result, attempt, error, outcome: { type: "complete" } };
}

function failed(errorClass: string, error: string): SendResult {
  const outcome: Outcome = { type: "discard", errorClass, error };
  return { ...NOTHING, errorClass, error, attempt: "failed", outcome };
}

function again(errorClass: string, error: string, triesBefore: number): SendResult {
  const type = triesBefore + 1 < FILE_TRIES ? "retry" : "discard";
  return {
    ...NOTHING,
    errorClass,
    error,
    attempt: "not-sent",
    outcome: { type, errorClass, error },
  };
}

function paused(error: string): SendResult {
  const errorClass = "file-aborted";
  const outcome: Outcome = { type: "pause", untilMs: 0, reason: errorClass };
  return { ...NOTHING, errorClass, error, attempt: "not-sent", outcome };
}
