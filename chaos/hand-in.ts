import { createHash, randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Installation } from "./installation.ts";
import type { ChaosBot } from "./load.ts";
import type { Random } from "./random.ts";
import type { Place, SentFile } from "./telegram.ts";
import type { HandedIn } from "./verdict-files.ts";

/** People who hand in evidence: documents and photos, alone and in albums, some of them large. */

const EVERY_MS = { min: 1_000, max: 4_000 };
const ALBUM_SHARE = 0.15;
const PHOTO_SHARE = 0.15;
const COMMAND_SHARE = 0.25;
/** What somebody else of the workspace has handed in already. */
const SAME_SHARE = 0.1;
const PRESS_SHARE = 0.4;
const LARGE_SHARE = 0.12;
const SMALL_BYTES = { min: 1_000, max: 200_000 };
const LARGE_BYTES = { min: 2_000_000, max: 6_000_000 };
/** Files that come so slowly that something happens to them on their way. */
const SLOW_SHARE = 0.35;
const SLOW_BYTES_PER_SECOND = 400_000;

/** The smallest image: what follows in the file is nobody's business. */
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** What takes a dialog further, as its buttons say. */
const FURTHER = new Set(["Skip", "Submit for review"]);

export interface HandingIn {
  handedIn: HandedIn[];
  /** Ends it; resolves once what was begun is sent. */
  stop(): Promise<void>;
}

export async function startHandingIn(
  { telegram }: Installation,
  bots: ChaosBot[],
  random: Random,
): Promise<HandingIn> {
  const handedIn: HandedIn[] = [];
  let stopping = false;
  /** By workspace, what was handed in last, and by whom. */
  const latest = new Map<string, { file: SentFile; from: number }>();
  await telegram.fault({
    on: "calls",
    method: "file",
    seed: Math.floor(random.next() * 1e9),
    probability: SLOW_SHARE,
    answer: { bytesPerSecond: SLOW_BYTES_PER_SECOND },
  });

  const newFile = (kind: SentFile["kind"], size: { min: number; max: number }): SentFile => {
    const content = randomBytes(Math.round(random.between(size.min, size.max)));
    const bytes = kind === "photo" ? Buffer.concat([PIXEL, content]) : content;
    const name = `chaos-${randomBytes(4).toString("hex")}.bin`;
    return { kind, name, content: Uint8Array.from(bytes) };
  };

  function chooseFiles({ apiKey }: ChaosBot, from: number): SentFile[] {
    const kindOf = () => (random.next() < PHOTO_SHARE ? "photo" : "document");
    if (random.next() < ALBUM_SHARE) {
      const count = Math.floor(random.between(2, 5));
      return Array.from({ length: count }, () => newFile(kindOf(), SMALL_BYTES));
    }
    const same = random.next() < SAME_SHARE ? latest.get(apiKey) : undefined;
    latest.delete(apiKey);
    // Twice in one chat it could not be told of which of the two somebody was told.
    if (same !== undefined && same.from !== from) return [same.file];
    const file = newFile(kindOf(), random.next() < LARGE_SHARE ? LARGE_BYTES : SMALL_BYTES);
    latest.set(apiKey, { file, from });
    return [file];
  }

  async function handIn(bot: ChaosBot, from: number): Promise<void> {
    const place = { chatId: from, botId: bot.id };
    if (random.next() < COMMAND_SHARE) {
      await telegram.say(from, place, `/evidence document "Report of ${Date.now()}"`);
    }
    const files = chooseFiles(bot, from);
    const messages = await telegram.sendFiles(from, place, files, "as it was asked for");
    for (const [n, { content }] of files.entries()) {
      handedIn.push({
        connectorId: bot.connectorId,
        chatId: String(from),
        messageId: messages[n]?.message_id ?? 0,
        sha256: createHash("sha256").update(content).digest("hex"),
        sizeBytes: content.length,
      });
    }
    if (random.next() < PRESS_SHARE) await goFurther(from, place);
  }

  /** Presses a button of the newest card that has one. What it showed may have changed by then. */
  async function goFurther(from: number, place: Place): Promise<void> {
    for (const { message_id: messageId, reply_markup: markup } of (
      await telegram.lastMessages(place, 10)
    ).reverse()) {
      const buttons = markup?.inline_keyboard?.flat() ?? [];
      const data = buttons.find(({ text }) => FURTHER.has(text))?.callback_data;
      if (data === undefined) continue;
      await telegram.press(from, place, messageId, data);
      return;
    }
  }

  const handing = (async () => {
    while (!stopping) {
      const bot = random.pick(bots);
      await handIn(bot, random.pick(bot.senders));
      const endsAtMs = Date.now() + random.between(EVERY_MS.min, EVERY_MS.max);
      while (!stopping && Date.now() < endsAtMs) await sleep(100);
    }
  })();

  return {
    handedIn,
    stop: async () => {
      stopping = true;
      await handing;
    },
  };
}
