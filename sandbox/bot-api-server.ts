import type { IncomingMessage, ServerResponse } from "node:http";
import { checkParameters, methodNamed, type RawCall } from "./bot-api-schema.ts";
import type { Core } from "./core.ts";
import { BotApiRefusal, TooManyRequests } from "./errors.ts";
import type { FaultAnswer, Faults } from "./faults.ts";
import { linkedFile, methodFor } from "./methods/index.ts";
import type { CallEntry, NewEntry } from "./record.ts";
import { readCall } from "./request-body.ts";
import type { Bot } from "./world.ts";

/** An answer as it goes over the wire (Bot API: Making requests). */
interface Answer {
  status: number;
  body: {
    ok: boolean;
    result?: unknown;
    error_code?: number;
    description?: string;
    parameters?: { retry_after?: number; migrate_to_chat_id?: number };
  };
  tookEffect: boolean;
  violation: boolean;
}

type NewCallEntry = Omit<CallEntry, "seq" | "at">;

/** The Bot API over HTTP: `/bot<token>/<method>` and `/file/bot<token>/<path>`. */
export class BotApiServer {
  readonly #core: Core;
  readonly #faults: Faults;

  constructor(core: Core, faults: Faults) {
    this.#core = core;
    this.#faults = faults;
  }

  /** Takes a request that is for the Bot API; false leaves it to others. */
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? "/";
    const route = /^\/(file\/)?bot([^/?]*)\/([^?]*)(?:\?(.*))?$/s.exec(url);
    if (route === null) return false;
    const [, isFile, token = "", rest = "", query = ""] = route;
    const work =
      isFile !== undefined
        ? this.#download(decode(token), decode(rest), response)
        : this.#call(decode(token), decode(rest), new URLSearchParams(query), request, response);
    work.catch(() => {
      // A mistake of the sandbox itself. Telegram has these too, and says no more than this.
      if (!response.headersSent)
        write(response, refusal(new BotApiRefusal(500, "Internal Server Error")));
      else response.destroy();
    });
    return true;
  }

  /** Runs a call that a webhook's answer asked for. Nobody hears of its result. */
  async runWebhookCall(bot: Bot, method: string, params: Record<string, unknown>): Promise<void> {
    await this.#execute(bot, method, { params, files: new Map() }, () => {});
  }

  async #call(
    token: string,
    methodName: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const bot = this.#core.world.botByToken(token);
    if (bot === undefined) {
      request.resume();
      // A token in the right form may have been revoked; one that is not, never was one.
      const answer = /^\d+:[\w-]{20,}$/.test(token)
        ? refusal(new BotApiRefusal(401, "Unauthorized"))
        : refusal(new BotApiRefusal(404, "Not Found"));
      this.#core.record.add(entryOf(undefined, methodName, {}, answer));
      write(response, answer);
      return;
    }
    let raw: RawCall;
    try {
      raw = await readCall(request, query, this.#core.limits.uploadBytes + 1);
    } catch (error) {
      const answer = refusal(toRefusal(error));
      this.#core.record.add(entryOf(bot.id, methodName, {}, answer));
      write(response, answer, true);
      return;
    }
    const fault = this.#faults.strike({
      botId: bot.id,
      method: methodName,
      chatId: raw.params.chat_id,
    });
    if (fault !== undefined) {
      await this.#meetFault(fault, bot, methodName, raw, response);
      return;
    }
    const answer = await this.#execute(bot, methodName, raw, (run) =>
      response.once("close", () => {
        if (!response.writableFinished) run();
      }),
    );
    write(response, answer);
  }

  async #execute(
    bot: Bot,
    methodName: string,
    raw: RawCall,
    onGone: (run: () => void) => void,
    seenAs?: (answer: Answer) => Partial<NewCallEntry>,
  ): Promise<Answer> {
    const method = methodNamed(methodName);
    let params = raw.params;
    let unknownParams: string[] = [];
    let answer: Answer;
    try {
      if (method === undefined) throw new BotApiRefusal(404, "Not Found");
      const checked = checkParameters(method, raw);
      params = checked.params;
      unknownParams = checked.unknownParams;
      const run = methodFor(method);
      const result = await run({ core: this.#core, bot, params, files: raw.files, onGone });
      answer = { status: 200, body: { ok: true, result }, tookEffect: true, violation: false };
    } catch (error) {
      answer = refusal(toRefusal(error));
    }
    this.#core.record.add({
      ...entryOf(bot.id, method ?? methodName, shown(params, raw), answer),
      ...(unknownParams.length > 0 && { unknownParams }),
      ...seenAs?.(answer),
    });
    return answer;
  }

  async #meetFault(
    fault: FaultAnswer,
    bot: Bot,
    methodName: string,
    raw: RawCall,
    response: ServerResponse,
  ): Promise<void> {
    const method = methodNamed(methodName) ?? methodName;
    const unanswered = { status: 0, ok: false, fault: String(fault) };
    const notDone = (entry: Partial<NewCallEntry>): NewEntry => ({
      kind: "call",
      botId: bot.id,
      method,
      params: shown(raw.params, raw),
      status: 0,
      ok: false,
      tookEffect: false,
      ...entry,
    });
    switch (fault) {
      case "hang":
        // The answer never comes: the caller's own deadline, or the sandbox's end, closes this.
        this.#core.record.add(notDone(unanswered));
        return;
      case "reset-before-effect":
        this.#core.record.add(notDone(unanswered));
        response.socket?.resetAndDestroy();
        return;
      case "reset-after-effect":
        await this.#execute(
          bot,
          methodName,
          raw,
          () => {},
          () => unanswered,
        );
        response.socket?.resetAndDestroy();
        return;
      case "5xx-after-effect": {
        const seen = { status: 502, ok: false, fault, description: "Bad Gateway" };
        await this.#execute(
          bot,
          methodName,
          raw,
          () => {},
          () => seen,
        );
        write(response, refusal(new BotApiRefusal(502, "Bad Gateway")));
        return;
      }
      default: {
        const answer = refusal(
          new BotApiRefusal(
            fault.error_code ?? fault.status,
            fault.description ?? `Error ${fault.status}`,
            fault.parameters,
          ),
        );
        answer.status = fault.status;
        this.#core.record.add({
          ...entryOf(bot.id, method, shown(raw.params, raw), answer),
          fault: "answer",
        });
        write(response, answer);
      }
    }
  }

  async #download(token: string, path: string, response: ServerResponse): Promise<void> {
    const bot = this.#core.world.botByToken(token);
    const file = bot === undefined ? undefined : linkedFile(this.#core, bot, path);
    const content = file === undefined ? undefined : await this.#core.files.get(file.key);
    if (file === undefined || content === undefined) {
      write(
        response,
        refusal(
          bot === undefined
            ? new BotApiRefusal(401, "Unauthorized")
            : new BotApiRefusal(404, "Not Found"),
        ),
      );
      return;
    }
    response.writeHead(200, {
      "content-type": "application/octet-stream",
      "content-length": content.length,
      "content-disposition": `attachment; filename="${path.split("/").at(-1) ?? "file"}"`,
    });
    response.end(content);
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function toRefusal(error: unknown): BotApiRefusal {
  return error instanceof BotApiRefusal ? error : new BotApiRefusal(500, "Internal Server Error");
}

function refusal(error: BotApiRefusal): Answer {
  return {
    status: error.errorCode,
    body: {
      ok: false,
      error_code: error.errorCode,
      description: error.message,
      ...(error.parameters !== undefined && { parameters: error.parameters }),
    },
    tookEffect: false,
    violation: error instanceof TooManyRequests && error.violation,
  };
}

function entryOf(
  botId: number | undefined,
  method: string,
  params: Record<string, unknown>,
  answer: Answer,
): NewCallEntry {
  const { body } = answer;
  return {
    kind: "call",
    ...(botId !== undefined && { botId }),
    method,
    params,
    status: answer.status,
    ok: body.ok,
    tookEffect: answer.tookEffect,
    ...(body.ok && { result: body.result }),
    ...(body.description !== undefined && { description: body.description }),
    ...(body.parameters !== undefined && { parameters: body.parameters }),
    ...(answer.violation && { violation: true as const }),
  };
}

/** Parameters as the record keeps them: files by name and size, and no secret. */
function shown(params: Record<string, unknown>, raw: RawCall): Record<string, unknown> {
  const kept = { ...params };
  for (const [name, file] of raw.files)
    kept[name] = { file: file.fileName, sizeBytes: file.content.length };
  if ("secret_token" in kept) kept.secret_token = "(secret)";
  return kept;
}

/** @param closing the request's body was not read to its end, so the connection cannot go on */
function write(response: ServerResponse, answer: Answer, closing = false): void {
  if (response.destroyed) return;
  const body = JSON.stringify(answer.body);
  response.writeHead(answer.status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    ...(closing && { connection: "close" }),
  });
  response.end(body);
}
