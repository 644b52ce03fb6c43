import type { ServerResponse } from "node:http";
import { type Answer, type NewCallEntry, refusal, write, writeHtml } from "./api-answer.ts";
import type { Clock } from "./clock.ts";
import { BotApiRefusal } from "./errors.ts";
import type { FaultAnswer, Strike } from "./faults.ts";

/** How a fault changes a call, decided before anything is done. */

export interface FaultPlan {
  /** Whether what was asked for is done. */
  effect: boolean;
  ending: "as it is" | "silence" | "reset" | "html" | { answer: Answer };
  albumFault?: { albumStopsAfter: number; retryAfterS: number };
  hold?: { scope: "chat" | "bot"; retryAfterS: number };
  /** How fast a download comes. */
  bytesPerSecond?: number;
}

export function planOf(fault: FaultAnswer | undefined): FaultPlan {
  switch (fault) {
    case undefined:
      return { effect: true, ending: "as it is" };
    case "hang":
      return { effect: false, ending: "silence" };
    case "hang-after-effect":
      return { effect: true, ending: "silence" };
    case "reset-before-effect":
      return { effect: false, ending: "reset" };
    case "reset-after-effect":
      return { effect: true, ending: "reset" };
    case "html":
      return { effect: false, ending: "html" };
    case "html-after-effect":
      return { effect: true, ending: "html" };
    case "5xx-after-effect":
      return { effect: true, ending: { answer: refusal(new BotApiRefusal(502, "Bad Gateway")) } };
    default:
      return planOfAnswer(fault);
  }
}

function planOfAnswer(fault: Exclude<FaultAnswer, string>): FaultPlan {
  if ("albumStopsAfter" in fault) return { effect: true, ending: "as it is", albumFault: fault };
  if ("bytesPerSecond" in fault) {
    return { effect: true, ending: "as it is", bytesPerSecond: fault.bytesPerSecond };
  }
  if ("hold" in fault) {
    const { retryAfterS } = fault;
    const answer = refusal(
      new BotApiRefusal(429, `Too Many Requests: retry after ${retryAfterS}`, {
        retry_after: retryAfterS,
      }),
    );
    return { effect: false, ending: { answer }, hold: { scope: fault.hold, retryAfterS } };
  }
  const { status, error_code, description, parameters } = fault;
  const answer = refusal(
    new BotApiRefusal(error_code ?? status, description ?? `Error ${status}`, parameters),
  );
  return { effect: false, ending: { answer: { ...answer, status } } };
}

/** What the caller gets to see, where that is not what was done: for the record. */
export function seenOf({ ending }: FaultPlan): Partial<NewCallEntry> {
  if (ending === "as it is") return {};
  if (ending === "silence" || ending === "reset") return { status: 0, ok: false };
  if (ending === "html") return { status: 502, ok: false, description: "(a page of HTML)" };
  const { status, body } = ending.answer;
  return {
    status,
    ok: false,
    ...(body.description !== undefined && { description: body.description }),
    ...(body.parameters !== undefined && { parameters: body.parameters }),
  };
}

/** Ends the call as planned; `answer` is what it would have been. */
export function finish(
  plan: FaultPlan,
  answer: Answer | undefined,
  response: ServerResponse,
): void {
  const { ending } = plan;
  if (ending === "as it is") {
    if (answer !== undefined) write(response, answer);
  } else if (ending === "reset") response.socket?.resetAndDestroy();
  else if (ending === "html") writeHtml(response);
  // In silence the answer never comes: the caller's own deadline, or the sandbox's end, closes it.
  else if (ending !== "silence") write(response, ending.answer);
}

export function latency(clock: Clock, strike: Pick<Strike<unknown>, "latencyMs">): Promise<void> {
  if (strike.latencyMs <= 0) return Promise.resolve();
  return new Promise((resolve) => clock.schedule(strike.latencyMs, resolve));
}
