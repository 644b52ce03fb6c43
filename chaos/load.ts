import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Installation } from "./installation.ts";
import type { Random } from "./random.ts";
import type { AskedMessage } from "./verdict.ts";

const WORKSPACES = 3;
const BOTS_A_WORKSPACE = 2;
const PEOPLE_A_BOT = 8;
const SENDERS_A_BOT = 4;
const SAID_PER_SECOND = 50;
const COMMAND_SHARE = 0.15;
const GROUP_SHARE = 0.2;
const RESEND_SHARE = 0.3;
/** A caller waits so long between two messages to its chat. */
const ASK_EVERY_MS = { min: 2_000, max: 8_000 };
const RETRY_MS = 300;
const CALL_TIMEOUT_MS = 15_000;

/** What callers' messages begin with, before their id: so that the record tells which is which. */
export const ASKED_PREFIX = "asked:";

export interface ChaosBot {
  id: number;
  connectorId: string;
  apiKey: string;
  people: number[];
  /** People who hand in evidence, and write nothing else. */
  senders: number[];
  groupId: number;
}

/** Workspaces, bots, people and linked groups. */
export async function populate({ telegram, url, adminToken }: Installation): Promise<ChaosBot[]> {
  const bots: ChaosBot[] = [];
  for (let w = 0; w < WORKSPACES; w++) {
    const workspace = await call(url, adminToken, "POST", "/v1/workspaces", { name: `chaos ${w}` });
    const apiKey = String(workspace.apiKey);
    for (let b = 0; b < BOTS_A_WORKSPACE; b++) {
      const bot = await telegram.createBot(`Bot ${w}${b}`, `chaos_${w}${b}_bot`);
      const connector = await call(url, apiKey, "POST", "/v1/connectors", {
        name: `Bot ${w}${b}`,
        botToken: bot.token,
      });
      const people: number[] = [];
      for (let p = 0; p < PEOPLE_A_BOT; p++) people.push((await telegram.createUser(`P${p}`)).id);
      const senders: number[] = [];
      for (let s = 0; s < SENDERS_A_BOT; s++) {
        senders.push((await telegram.createUser(`S${s}`)).id);
      }
      const group = await telegram.createGroup(`Group ${w}${b}`, [...people, bot.id]);
      const connectorId = String(connector.id);
      await call(url, apiKey, "PUT", `/v1/connectors/${connectorId}/chats/${group.id}`, {
        linked: true,
      });
      // A bot may write first only to those who have written to it.
      for (const person of people) {
        await telegram.say(person, { chatId: person, botId: bot.id }, "hello");
      }
      bots.push({ id: bot.id, connectorId, apiKey, people, senders, groupId: group.id });
    }
  }
  return bots;
}

export interface Load {
  /** What was answered 202. */
  asked: AskedMessage[];
  /** Ends it; resolves once everything begun was accepted. */
  stop(): Promise<void>;
}

/** People who write, and callers who have messages sent, until it is stopped. */
export function startLoad(installation: Installation, bots: ChaosBot[], random: Random): Load {
  const asked: AskedMessage[] = [];
  let stopping = false;

  const saying = (async () => {
    while (!stopping) {
      const bot = random.pick(bots);
      const from = random.pick(bot.people);
      const inGroup = random.next() < GROUP_SHARE;
      const place = inGroup ? { chatId: bot.groupId } : { chatId: from, botId: bot.id };
      const isCommand = !inGroup && random.next() < COMMAND_SHARE;
      await installation.telegram.say(from, place, isCommand ? "/start" : `said ${Date.now()}`);
      await sleep((1_000 / SAID_PER_SECOND) * 2 * random.next());
    }
  })();

  /** One chat's messages, one after the other: the next is asked for when this one was accepted. */
  async function ask(bot: ChaosBot, chatId: number): Promise<void> {
    for (let n = 1; !stopping; n++) {
      const id = randomUUID();
      const onUnknown = random.next() < RESEND_SHARE ? "resend" : "hold";
      const body = {
        connectorId: bot.connectorId,
        chatId: String(chatId),
        text: `${ASKED_PREFIX}${id}`,
        onUnknown,
      };
      await until202(installation.url, bot.apiKey, body, id);
      const { connectorId } = bot;
      asked.push({ id, connectorId, chatId: String(chatId), n, onUnknown });
      const waitMs = random.between(ASK_EVERY_MS.min, ASK_EVERY_MS.max);
      const endsAtMs = Date.now() + waitMs;
      while (!stopping && Date.now() < endsAtMs) await sleep(100);
    }
  }
  const asking = bots.flatMap((bot) => [...bot.people, bot.groupId].map((id) => ask(bot, id)));

  return {
    asked,
    stop: async () => {
      stopping = true;
      await Promise.all([saying, ...asking]);
    },
  };
}

async function until202(url: string, apiKey: string, body: object, key: string): Promise<void> {
  for (;;) {
    const status = await send(url, apiKey, "POST", "/v1/messages", body, key).then(
      (response) => response.body?.cancel().then(() => response.status),
      () => 0,
    );
    if (status === 202) return;
    if (status !== undefined && status >= 400 && status < 500 && status !== 409 && status !== 429) {
      throw new Error(`POST /v1/messages: ${status}`);
    }
    await sleep(RETRY_MS);
  }
}

function send(url: string, key: string, method: string, path: string, body: object, idem?: string) {
  return fetch(`${url}${path}`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/json",
      ...(idem === undefined ? {} : { "idempotency-key": idem }),
    },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  });
}

async function call(
  url: string,
  key: string,
  method: string,
  path: string,
  body: object,
): Promise<Record<string, unknown>> {
  const response = await send(url, key, method, path, body);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as Record<string, unknown>;
}
