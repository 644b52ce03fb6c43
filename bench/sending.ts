import {
  type BotAccount,
  type Sandbox,
  type SandboxLimits,
  startSandbox,
} from "../sandbox/index.ts";
import { createJobs } from "../src/jobs/index.ts";
import { type NewMessage, submitMessages } from "../src/outbound/index.ts";
import { parseRedisUrl, silentLogger } from "../src/platform/index.ts";
import { type BenchBot, type Environment, openEnvironment } from "./environment.ts";

/** A connected bot, and its account at the sandbox. */
export type SendingBot = BenchBot & { account: BotAccount };

/** What is to be sent: where, what, and how urgent it is. */
export type ToSend = Pick<NewMessage, "chatId" | "text" | "priority" | "onUnknown">;

/** An installation that sends to a sandbox, whose limits it is not told. */
export interface Sending {
  sandbox: Sandbox;
  environment: Environment;
  /** Connects a bot of the workspace that is there, or of a new one. */
  addBot(workspace?: "new"): Promise<SendingBot>;
  /** So many people start the bot; answers their chats. */
  people(account: BotAccount, count: number): Promise<string[]>;
  /** So many supergroups with the bot in them. */
  groups(account: BotAccount, count: number): string[];
  submit: Submitter["submit"];
  close(): Promise<void>;
}

const BATCH = 5_000;
const RECORD_LIMIT = 2_000_000;

/** Accepts messages of bots. */
export interface Submitter {
  /** As the API does, in transactions of some thousand; answers their ids. */
  submit(bot: BenchBot, messages: readonly ToSend[]): Promise<string[]>;
  stop(): Promise<void>;
}

export function createSubmitter({ db, redisUrl }: Environment): Submitter {
  const redis = redisUrl === undefined ? undefined : parseRedisUrl(redisUrl);
  const jobs = createJobs({ db, log: silentLogger, redis });
  return {
    submit: async ({ workspaceId, connectorId }, messages) => {
      const ids: string[] = [];
      for (let from = 0; from < messages.length; from += BATCH) {
        const batch = messages
          .slice(from, from + BATCH)
          .map((message) => ({ workspaceId, connectorId, ...message }));
        const submitted = await db.transaction((tx) => submitMessages(tx, jobs, batch));
        ids.push(...submitted.map(({ id }) => id));
      }
      return ids;
    },
    stop: () => jobs.stop(),
  };
}

export async function openSending(limits: Partial<SandboxLimits> = {}): Promise<Sending> {
  const sandbox = await startSandbox({ limits, recordLimit: RECORD_LIMIT });
  const environment = await openEnvironment(sandbox.url);
  const submitter = createSubmitter(environment);
  let bots = 0;
  return {
    sandbox,
    environment,
    addBot: async (workspace) => {
      const account = sandbox.createBot({ name: "Bench", username: `bench_${++bots}_bot` });
      const [bot] = await environment.addBots(1, workspace, account);
      if (bot === undefined) throw new Error("no bot");
      return { ...bot, account };
    },
    people: async (account, count) => {
      const chatIds: string[] = [];
      for (let n = 0; n < count; n++) {
        const { id } = sandbox.createUser({ firstName: `P${n}` });
        await sandbox.send({ from: id, chatId: id, botId: account.id, text: "/start" });
        chatIds.push(String(id));
      }
      return chatIds;
    },
    groups: (account, count) => {
      const owner = sandbox.createUser({ firstName: "Owner" });
      return Array.from({ length: count }, (_, n) => {
        const memberIds = [owner.id, account.id];
        const { id } = sandbox.createChat({ type: "supergroup", title: `G${n}`, memberIds });
        return String(id);
      });
    },
    submit: submitter.submit,
    close: async () => {
      await submitter.stop();
      await environment.close();
      await sandbox.close();
    },
  };
}

/** `perChat` messages to each chat, the chats in turn; each text is one of its kind. */
export function inTurn(chatIds: readonly string[], perChat: number): ToSend[] {
  return Array.from({ length: perChat * chatIds.length }, (_, n) => ({
    chatId: chatIds[n % chatIds.length] ?? "",
    text: `m${n}`,
    priority: "low" as const,
  }));
}
