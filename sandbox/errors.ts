/** A Bot API call that Telegram refuses: what the answer's JSON will say. */
export class BotApiRefusal extends Error {
  readonly errorCode: number;
  readonly parameters: { retry_after?: number; migrate_to_chat_id?: number } | undefined;

  constructor(
    errorCode: number,
    description: string,
    parameters?: { retry_after?: number; migrate_to_chat_id?: number },
  ) {
    super(description);
    this.name = "BotApiRefusal";
    this.errorCode = errorCode;
    this.parameters = parameters;
  }
}

/** 400, worded as Telegram words it: `Bad Request: …`. */
export function badRequest(
  what: string,
  parameters?: { retry_after?: number; migrate_to_chat_id?: number },
): BotApiRefusal {
  return new BotApiRefusal(400, `Bad Request: ${what}`, parameters);
}

/** 403: `Forbidden: …`. */
export function forbidden(what: string): BotApiRefusal {
  return new BotApiRefusal(403, `Forbidden: ${what}`);
}

/** 429. `violation` is a call made while an earlier one's hold was running. */
export class TooManyRequests extends BotApiRefusal {
  readonly violation: boolean;

  constructor(retryAfterS: number, violation: boolean) {
    super(429, `Too Many Requests: retry after ${retryAfterS}`, { retry_after: retryAfterS });
    this.violation = violation;
  }
}

/** 400 for a call of which a part was done. The caller is not told which; the record is. */
export class PartlyDone extends BotApiRefusal {
  readonly done: unknown;

  constructor(what: string, done: unknown) {
    super(400, `Bad Request: ${what}`);
    this.done = done;
  }
}

/** An action of the sandbox's own API that makes no sense: names what was wrong and with what. */
export class SandboxError extends Error {
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.name = "SandboxError";
    this.status = status;
  }
}
