import type { IncomingMessage, ServerResponse } from "node:http";
import {
  type Answer,
  entryOf,
  type NewCallEntry,
  refusal,
  shown,
  toRefusal,
  write,
} from "./api-answer.ts";
import { checkParameters, methodNamed, type RawCall } from "./bot-api-schema.ts";
import { finish, latency, planOf, seenOf } from "./call-faults.ts";
import type { Core } from "./core.ts";
import { BotApiRefusal, PartlyDone, TooManyRequests } from "./errors.ts";
import type { FaultAnswer, Faults, Strike } from "./faults.ts";
import { linkedFile, methodFor } from "./methods/index.ts";
import { NewTokens } from "./new-tokens.ts";
import { scopeKey } from "./rate-limit.ts";
import { readCall } from "./request-body.ts";
import { type Bot, privateKey } from "./world.ts";
import { writeFile, writeHalf, writeSlowly } from "./write-file.ts";

/** What a fault adds to a call's execution. */
interface Execution {
  /** The caller went away before it was answered. */
  onGone(run: () => void): void;
  albumFault?: { albumStopsAfter: number; retryAfterS: number };
  /** What the record keeps instead, where the caller is told something else. */
  seen?: Partial<NewCallEntry>;
}

const nobodyLeaves: Execution = { onGone: () => {} };

/** The Bot API over HTTP: `/bot<token>/<method>` and `/file/bot<token>/<path>`. */
export class BotApiServer {
  readonly #core: Core;
  readonly #faults: Faults;
  readonly newTokens = new NewTokens();

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
    await this.#execute(bot, method, { params, files: new Map() }, nobodyLeaves);
  }

  async #call(
    token: string,
    methodName: string,
    query: URLSearchParams,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const startedMs = performance.now();
    const bot = this.#core.world.botByToken(token);
    const stranger = this.#refuseStranger(token, bot, request);
    if (stranger !== undefined || bot === undefined) {
      const answer = refusal(stranger ?? new BotApiRefusal(401, "Unauthorized"));
      request.resume();
      this.#core.record.add(entryOf(bot?.id, methodName, {}, answer));
      write(response, answer);
      return;
    }
    let raw: RawCall;
    try {
      raw = await readCall(request, query, this.#core.limits.uploadBytes + 1);
    } catch (error) {
      const answer = refusal(toRefusal(error));
      this.#core.record.add(entryOf(bot.id, methodName, {}, answer, performance.now() - startedMs));
      write(response, answer, true);
      return;
    }
    const strike = this.#faults.strikeCall({
      botId: bot.id,
      method: methodName,
      chatId: raw.params.chat_id,
    });
    if (strike !== undefined) {
      await this.#meet(strike, bot, methodName, raw, response);
      return;
    }
    const onGone = (run: () => void) =>
      response.once("close", () => {
        if (!response.writableFinished) run();
      });
    write(response, await this.#execute(bot, methodName, raw, { onGone }));
  }

  /** What a token that is nobody's gets, or one too many from an address; undefined lets it in. */
  #refuseStranger(
    token: string,
    bot: Bot | undefined,
    request: IncomingMessage,
  ): BotApiRefusal | undefined {
    const perMinute = this.#core.limits.newTokensPerMinute;
    if (perMinute > 0) {
      const forwarded = request.headers["x-real-ip"];
      const address =
        typeof forwarded === "string" ? forwarded : (request.socket.remoteAddress ?? "");
      const now = this.#core.clock.now();
      const retryAfterS = this.newTokens.retryAfterS(token, address, perMinute, now);
      if (retryAfterS !== undefined) return new TooManyRequests(retryAfterS, false);
    }
    if (bot !== undefined) return undefined;
    // A token in the right form may have been revoked; one that is not, never was one.
    return /^\d+:[\w-]{20,}$/.test(token)
      ? new BotApiRefusal(401, "Unauthorized")
      : new BotApiRefusal(404, "Not Found");
  }

  async #execute(
    bot: Bot,
    methodName: string,
    raw: RawCall,
    { onGone, albumFault, seen }: Execution,
  ): Promise<Answer> {
    const startedMs = performance.now();
    const method = methodNamed(methodName);
    let params = raw.params;
    let unknownParams: string[] = [];
    let partlyDone: unknown;
    let answer: Answer;
    try {
      if (method === undefined) throw new BotApiRefusal(404, "Not Found");
      const checked = checkParameters(method, raw);
      params = checked.params;
      unknownParams = checked.unknownParams;
      const run = methodFor(method);
      const result = await run({
        core: this.#core,
        bot,
        params,
        files: raw.files,
        onGone,
        ...(albumFault !== undefined && { albumFault }),
      });
      answer = { status: 200, body: { ok: true, result }, tookEffect: true, violation: false };
    } catch (error) {
      answer = refusal(toRefusal(error));
      if (error instanceof PartlyDone) partlyDone = error.done;
    }
    this.#core.record.add({
      ...entryOf(
        bot.id,
        method ?? methodName,
        shown(params, raw),
        answer,
        performance.now() - startedMs,
      ),
      ...(partlyDone !== undefined && { result: partlyDone, tookEffect: true }),
      ...(unknownParams.length > 0 && { unknownParams }),
      ...seen,
    });
    return answer;
  }

  async #meet(
    strike: Strike<FaultAnswer>,
    bot: Bot,
    methodName: string,
    raw: RawCall,
    response: ServerResponse,
  ): Promise<void> {
    const { clock, rates, record } = this.#core;
    const plan = planOf(strike.answer);
    // The caller may be gone before this is over. Telegram does it all the same.
    await latency(clock, strike);
    const seen = { ...seenOf(plan), fault: strike.label };
    let answer: Answer | undefined;
    if (plan.effect) {
      const { albumFault } = plan;
      answer = await this.#execute(bot, methodName, raw, {
        ...nobodyLeaves,
        seen,
        ...(albumFault !== undefined && { albumFault }),
      });
    } else {
      if (plan.hold !== undefined)
        rates.hold(
          plan.hold.scope === "bot"
            ? scopeKey.bot(bot.id)
            : scopeKey.chat(bot.id, chatKeyOf(bot, raw.params.chat_id)),
          clock.now(),
          clock.now() + plan.hold.retryAfterS * 1000,
        );
      record.add({
        kind: "call",
        botId: bot.id,
        method: methodNamed(methodName) ?? methodName,
        params: shown(raw.params, raw),
        status: 0,
        ok: false,
        tookEffect: false,
        durationMs: 0,
        ...seen,
      });
    }
    await latency(clock, { latencyMs: strike.answerLatencyMs });
    finish(plan, answer, response);
  }

  async #download(token: string, path: string, response: ServerResponse): Promise<void> {
    const startedMs = performance.now();
    const bot = this.#core.world.botByToken(token);
    const strike =
      bot === undefined
        ? undefined
        : this.#faults.strikeCall({ botId: bot.id, method: "file", chatId: undefined });
    if (strike !== undefined) await latency(this.#core.clock, strike);
    const plan = planOf(strike?.answer);
    const file = bot === undefined ? undefined : linkedFile(this.#core, bot, path);
    const content = file === undefined ? undefined : await this.#core.files.get(file.key);
    const found = file !== undefined && content !== undefined;
    const answer: Answer = found
      ? { status: 200, body: { ok: true }, tookEffect: true, violation: false }
      : refusal(
          new BotApiRefusal(bot === undefined ? 401 : 404, bot ? "Not Found" : "Unauthorized"),
        );
    this.#core.record.add({
      ...entryOf(bot?.id, "file", { path }, answer, performance.now() - startedMs),
      ...seenOf(plan),
      ...(strike !== undefined && { fault: strike.label }),
    });
    if (strike !== undefined)
      await latency(this.#core.clock, { latencyMs: strike.answerLatencyMs });
    const { bytesPerSecond } = plan;
    if (!found) finish(plan, answer, response);
    else if (bytesPerSecond !== undefined) {
      await writeSlowly(response, { path, content }, { clock: this.#core.clock, bytesPerSecond });
    } else if (plan.ending === "as it is") writeFile(response, { path, content });
    else if (plan.effect && plan.ending === "reset") writeHalf(response, { path, content });
    else finish(plan, answer, response);
  }
}

/** The chat that a hold is for, by its id alone: it need not exist. */
function chatKeyOf(bot: Bot, chatId: unknown): string {
  const id = Number(chatId);
  return id > 0 ? privateKey(id, bot.id) : String(chatId);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
