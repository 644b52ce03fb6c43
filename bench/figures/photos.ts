import { createHash, randomBytes } from "node:crypto";
import type { CallEntry } from "../../sandbox/index.ts";
import type { Figure } from "../figure.ts";
import { round } from "../numbers.ts";
import { openSending, type SendingBot } from "../sending.ts";
import { SendRecord } from "../sends.ts";
import { until } from "../until.ts";

/** One bot may send thirty messages a second, so that what people are told is spread over several. */
const BOTS = 5;
const PEOPLE_A_BOT = 10;
/** As apps send twenty photos that are chosen at once. */
const ALBUMS = 2;
const PHOTOS_AN_ALBUM = 10;
const PHOTOS = BOTS * PEOPLE_A_BOT * ALBUMS * PHOTOS_AN_ALBUM;
const PHOTO_BYTES = 100_000;
const WITHIN_MS = 30_000;
const GIVE_UP_MS = 180_000;
const HASH = /\b[0-9a-f]{64}\b/g;

/** 1,000 photos by 50 people at the same moment, from their apps to what they are told. */
export async function photos(): Promise<Figure> {
  const sending = await openSending();
  const { sandbox, environment } = sending;
  const { db } = environment;
  try {
    const bots: { bot: SendingBot; people: string[] }[] = [];
    for (let n = 0; n < BOTS; n++) {
      const bot = await sending.addBot();
      await setWebhook(sandbox.url, environment.url, bot);
      bots.push({ bot, people: await sending.people(bot.account, PEOPLE_A_BOT) });
    }
    for (const command of ["web", "ingest", "evidence", "outbound"] as const) {
      await environment.start(command);
    }
    const record = new SendRecord(sandbox.record);
    const callsOf = ({ account }: SendingBot) => record.callsOf(account.id);
    const answered = () =>
      bots.every(({ bot, people }) => tookEffect(callsOf(bot)).length >= people.length);
    await until(async () => answered(), { everyMs: 100 });

    const hashes = new Set<string>();
    const sentMs = Date.now();
    await Promise.all(
      bots.flatMap(({ bot, people }) =>
        people.map(async (person) => {
          for (let n = 0; n < ALBUMS; n++) {
            const album = Array.from({ length: PHOTOS_AN_ALBUM }, () => {
              const content = photo();
              hashes.add(createHash("sha256").update(content).digest("hex"));
              return { kind: "photo" as const, file: { content } };
            });
            await sandbox.send({
              from: Number(person),
              chatId: Number(person),
              botId: bot.account.id,
              album,
            });
          }
        }),
      ),
    );
    const confirmed = () => {
      const atMs = new Map<string, number>();
      for (const { bot } of bots) {
        for (const call of tookEffect(callsOf(bot))) {
          for (const hash of String(call.params.text).match(HASH) ?? []) {
            if (hashes.has(hash) && !atMs.has(hash)) atMs.set(hash, call.at);
          }
        }
      }
      return atMs;
    };
    const isOver = async () => confirmed().size === PHOTOS;
    await until(isOver, { withinMs: GIVE_UP_MS, everyMs: 200 }).catch(() => {});
    const times = [...confirmed().values()].map((atMs) => atMs - sentMs).sort((a, b) => a - b);
    const inTime = times.filter((ms) => ms <= WITHIN_MS).length / PHOTOS;
    const stored = await db.query<{ sha256: string }>(
      "SELECT encode(sha256, 'hex') AS sha256 FROM stored_files WHERE state = 'stored'",
    );
    const isRight = stored.length === PHOTOS && stored.every(({ sha256 }) => hashes.has(sha256));
    const failures = await db.query(
      `SELECT state, error, count(*)::int AS files FROM evidence_files WHERE state <> 'stored'
       GROUP BY state, error ORDER BY files DESC`,
    );
    const limited = bots.reduce((sum, { bot }) => sum + record.sendsOf(bot.account.id).limited, 0);
    return {
      figure: `1,000 photos by 50 people at once, in albums of ten, through ${BOTS} bots, documented limits`,
      value: round(inTime * 100),
      unit: "% confirmed within 30 s",
      p50Ms: round(times[Math.floor(times.length / 2)] ?? Number.NaN),
      lastMs: round(times.at(-1) ?? Number.NaN),
      confirmed: times.length,
      stored: stored.length,
      storedOnceAndRight: isRight,
      failures,
      answered429: limited,
      baseline: null,
      target: "> 95 %, each stored once with the right hash",
      reached: inTime > 0.95 && isRight,
    };
  } finally {
    await sending.close();
  }
}

const tookEffect = (calls: readonly CallEntry[]) => calls.filter((call) => call.tookEffect);

async function setWebhook(apiRoot: string, ownUrl: string, bot: SendingBot): Promise<void> {
  await fetch(`${apiRoot}/bot${bot.account.token}/setWebhook`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      url: ownUrl + bot.webhookPath,
      secret_token: bot.secret,
      max_connections: 100,
    }),
  });
}

/** A picture of noise: a PNG by its parts, each another. */
function photo(): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(800, 0);
  header.writeUInt32BE(600, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const parts = [chunk("IHDR", header), chunk("IDAT", randomBytes(PHOTO_BYTES)), chunk("IEND")];
  return Buffer.concat([signature, ...parts]);
}

/** Nobody checks its sum here. */
function chunk(type: string, content: Buffer = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, Buffer.from(type), content, Buffer.alloc(4)]);
}
