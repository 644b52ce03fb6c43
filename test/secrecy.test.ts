import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type OwnRedis, startRedis } from "./support/redis.ts";
import { needs } from "./support/requirements.ts";
import type { RunningScript } from "./support/script.ts";
import {
  type Bot,
  careFromTerminal,
  connectBot,
  disconnect,
  hideDataKeys,
  makeWorkspace,
  rotate,
  sendRefusedTokens,
} from "./support/secrecy/bots.ts";
import { handIn, lookAtEvidence, searchInline } from "./support/secrecy/evidence.ts";
import { dumpTables } from "./support/secrecy/kept-rows.ts";
import { look, lookFromTerminal } from "./support/secrecy/operators.ts";
import {
  invite,
  sayWhatFails,
  send,
  sendNonsense,
  sharePolled,
  talk,
} from "./support/secrecy/people.ts";
import { type Needle, type Place, search } from "./support/secrecy/search.ts";
import { openWorld, type SecrecyWorld } from "./support/secrecy/world.ts";

/**
 * Nothing secret or personal leaves Postgres by accident, and no secret and no phone number is in it:
 * the whole system runs in processes of its own, loudly, does everything that it can do, and is made to
 * fail in many ways; then all that it wrote and said is searched. A new secret is `hide`n where it
 * comes to be, and then looked for everywhere.
 */

/** Where people's words and names are kept, and nowhere else: in plain, and as the bytes that came. */
const KEEPS_WORDS: Record<string, Needle["kind"][]> = Object.fromEntries(
  [
    ...["job_bodies", "chats", "contacts", "messages", "message_edits", "outbound_messages"],
    // What was handed in: a caption describes it, a file has its name.
    ...["evidence", "evidence_files", "evidence_revisions", "legal_holds", "dialogs"],
    // An answer that is given again to whoever repeats the call, for a day.
    "idempotency_keys",
    ...["topics", "polls", "people", "broadcasts", "chat_tags", "template_versions"],
  ].map((table) => [`public.${table}`, ["words"]]),
);

/** What came in what somebody wrote, and went when it was read. */
const KEPT_ONCE: Record<string, Needle["kind"][]> = { "public.job_bodies": ["invitation"] };

function searchEverything(withRedis: boolean): void {
  const planted = `planted-${randomBytes(9).toString("hex")}`;
  let redis: OwnRedis | undefined;
  let world: SecrecyWorld;
  let bot: Bot;
  const processes: RunningScript[] = [];
  const start = async (...command: Parameters<SecrecyWorld["start"]>) => {
    const process = await world.start(...command);
    processes.push(process);
    return process;
  };
  let web: RunningScript;

  beforeAll(async () => {
    if (withRedis) redis = await startRedis({ appendOnly: true });
    world = await openWorld(redis);
    const others = ["ingest", "outbound", "evidence"] as const;
    [web] = await Promise.all([start("web"), ...others.map((command) => start(command))]);
  });
  afterAll(async () => {
    await world.close();
    await redis?.stop();
  });

  test("a team connects its bots, wrongly and rightly", async () => {
    await makeWorkspace(world);
    const statuses = await sendRefusedTokens(world);
    expect(statuses.filter((status) => status < 400 || status >= 500)).toEqual([]);
    bot = await connectBot(world);
    await hideDataKeys(world);
  });

  test("people write, share their numbers, and are answered; much of it fails", async () => {
    await talk(world, bot);
    await invite(world, bot);
    expect(await sendNonsense(world, bot)).toEqual([
      ...[400, 400, 400, 413, 415],
      ...[401, 401, 401, 404, 404, 401],
    ]);
    await sayWhatFails(world, bot);
    await send(world, bot);
  });

  test("people hand in evidence, which is fetched, scanned, looked at and given out", async () => {
    await handIn(world, bot);
    await lookAtEvidence(world);
    await searchInline(world, bot);
    await world.cli(["evidence", "verify"]);
    await hideDataKeys(world);
  });

  test("operators look at all of it, and care for its keys and tokens", async () => {
    await look(world, bot);
    // It only reads, whatever carries the wakes, and each command is a process that has to start.
    if (!withRedis) await lookFromTerminal(world);
    await rotate(world, bot);
    await careFromTerminal(world);
    await disconnect(world);
    await plant();
  }, 120_000);

  test("Telegram is asked for updates instead of sending them", async () => {
    expect(await world.stop(web)).toBe(0);
    await start("poller", { updatesMode: "polling" });
    await sharePolled(world, bot);
  });

  test("no secret and no number is anywhere, and nobody's words but where they are kept", async () => {
    await hideDataKeys(world);
    world.noteArguments();
    const places = [
      ...(await dumpTables(world.database.owner, KEEPS_WORDS, KEPT_ONCE)),
      ...(await world.places()),
    ];
    if (redis !== undefined) places.push({ name: "Redis", text: await redis.written() });
    const doors = ["the answers", "the logs", "the arguments of processes", "the store of files"];
    if (redis !== undefined) doors.push("Redis");
    expect(whereFound(planted, places)).toEqual(
      expect.arrayContaining(["Postgres: public.connectors", ...doors]),
    );
    // The bot that is looked at closely was.
    const logs = places.find(({ name }) => name === "the logs")?.text;
    expect(logs).toContain("a call to Telegram sent");
    const needles = world.needles();
    for (const { name, text, may } of places) {
      // What may be there is there, and would be found.
      const allowed = needles.filter(({ kind }) => may?.includes(kind));
      if (may !== undefined && search([{ name, text }], allowed).length === 0) {
        throw new Error(`nothing of what may be in ${name} is found there`);
      }
    }
    expect(search(places, needles)).toEqual([]);
  });

  /** What would be a leak if it was secret, through each of the doors that are searched. */
  async function plant(): Promise<void> {
    const path = `/v1/connectors/${bot.connectorId}`;
    const body = { description: planted };
    await world.call("PATCH", path, { body });
    // What it does not know it names.
    await world.cli(["jobs", "show", planted], { code: 1 });
    await redis?.cli("SET", "planted", planted);
    const folder = join(world.storageFolder, "planted", "pl");
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "planted"), planted);
  }

  test("SIGTERM: every process stops by itself, with 0, within ten seconds", async () => {
    const stopping = processes.filter((process) => process !== web);
    const toldMs = performance.now();
    expect(await Promise.all(stopping.map(world.stop))).toEqual(stopping.map(() => 0));
    expect(performance.now() - toldMs).toBeLessThan(10_000);
  });
}

const whereFound = (value: string, places: Place[]) =>
  places
    .filter((place) => search([place], [{ what: "it", kind: "secret", value }]).length > 0)
    .map(({ name }) => name);

needs("redis-server")("what leaves Postgres, with Redis", () => searchEverything(true));
describe("what leaves Postgres, without Redis", () => searchEverything(false));
