import { Problem } from "../platform/index.ts";

/** The times of a message, as a body gives them: ISO 8601; null where it takes one back. */
export interface GivenTimes {
  sendAt?: string | null;
  expiresAt?: string | null;
}

export interface MessageTimes {
  sendAt?: Date | null;
  expiresAt?: Date | null;
}

/** Throws `Problem` 400 for a message that would be over before it could be sent. */
export function timesOf<Given extends GivenTimes>(
  { sendAt, expiresAt }: Given,
  nowMs: number,
): MessageTimes {
  if (typeof expiresAt === "string") {
    const expiresAtMs = Date.parse(expiresAt);
    if (expiresAtMs <= nowMs) throw expiresTooSoon("is over already");
    if (typeof sendAt === "string" && expiresAtMs <= Date.parse(sendAt)) throw expiresTooSoon();
  }
  return { sendAt: dateOf(sendAt), expiresAt: dateOf(expiresAt) };
}

function expiresTooSoon(message = "is later than sendAt"): Problem {
  const detail = "The message would be over before it is to be sent.";
  return new Problem(400, "Invalid request", detail, { errors: [{ path: "expiresAt", message }] });
}

const dateOf = (time: string | null | undefined) =>
  typeof time === "string" ? new Date(time) : time;
