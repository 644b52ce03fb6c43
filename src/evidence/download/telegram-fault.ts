import { ConnectorRemoved } from "../../connectors/index.ts";
import { BotApiError } from "../../telegram/index.ts";
import { DownloadFault } from "./fault.ts";

/** A 429 that names no time. */
const DEFAULT_RETRY_AFTER_S = 5;

/** What was asked of Telegram: which file it is, for its first byte, or for the rest. */
export type Step = "getFile" | "open" | "read";

/**
 * What a failure of Telegram's means for a file; null: it is none of Telegram's. Its words are those of
 * the server's source (tdlib/telegram-bot-api, Client.cpp), which no document lists.
 */
export function faultOfTelegram(error: unknown, step: Step, nowMs: number): DownloadFault | null {
  if (error instanceof ConnectorRemoved) return new DownloadFault("connector-removed");
  if (!(error instanceof BotApiError)) return null;
  const { kind, status, description } = error;
  const detail = `${step}: ${kind}${status === 0 ? "" : ` ${status}`}: ${description}`;
  switch (kind) {
    case "rate-limited": {
      const afterS = error.retryAfterSeconds ?? DEFAULT_RETRY_AFTER_S;
      return new DownloadFault("rate-limited", { detail, untilMs: nowMs + afterS * 1_000 });
    }
    case "unauthorized":
      return new DownloadFault("token-refused", { detail });
    case "not-found":
      // 404 on every method is a bot that is gone; on a link it is a link that is.
      return new DownloadFault(step === "getFile" ? "token-refused" : "not-there", { detail });
    case "aborted":
      return new DownloadFault("stopped");
    case "bad-request":
      if (step !== "getFile") return new DownloadFault("changed", { detail });
      return new DownloadFault(
        /file is too big/i.test(description) ? "too-large-for-bots" : "not-there",
        { detail },
      );
    default:
      return new DownloadFault(step === "read" ? "broken-off" : "telegram-away", { detail });
  }
}
