import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { type Context, emptyContext } from "../src/conversations/context.ts";
import type { Effect, Scope } from "../src/conversations/effects.ts";
import { fold } from "../src/conversations/ingest-handler.ts";
import type { Incoming } from "../src/conversations/interpret.ts";
import { chatKeyOf } from "../src/conversations/keys.ts";
import { mentionsOf } from "../src/conversations/mentions.ts";
import { parseUpdate, UPDATE_KINDS } from "../src/conversations/parse-update.ts";
import { reducedForLinking, routeUpdate } from "../src/receiver/route-update.ts";
import { accessWorld } from "./support/access-world.ts";
import {
  ALL_UPDATE_KINDS,
  anyUpdate,
  fieldsOf,
  MESSAGE_FIELDS,
  mutilated,
  pool,
} from "./support/any-update.ts";
import { contentsOf } from "./support/conversations-contents.ts";
import { createWorld, type World } from "./support/conversations-world.ts";
import { fc, runs } from "./support/property.ts";
import type { Wire } from "./support/telegram-updates.ts";

/**
 * Whatever Telegram may send, and what nobody should: interpreting is total and stays at home, what
 * it comes to can be written, and happens once. A longer run by hand: PROPERTY_RUNS=100 npx jest …
 */

const ONE = pool(1);
const allowed = anyUpdate(ONE);
const anything = fc.oneof(allowed, mutilated(allowed));

/** As it comes over the wire. */
const received = (update: Wire): Wire => JSON.parse(JSON.stringify(update)) as Wire;

test("the kinds we ask Telegram for are all there are", () => {
  expect([...UPDATE_KINDS].sort()).toEqual([...ALL_UPDATE_KINDS].sort());
});

test("every field that says what a message is, is recognised", () => {
  const anyField = fieldsOf(ONE);
  // What comes with any message, whatever it is.
  const aside = new Set(
    [
      "author_signature business_connection_id caption caption_entities direct_messages_topic",
      "edit_date effect_id entities external_reply forward_origin from guest_bot_caller_chat",
      "guest_bot_caller_user guest_query_id has_media_spoiler has_protected_content",
      "is_automatic_forward is_from_offline is_paid_post is_topic_message link_preview_options",
      "media_group_id message_thread_id paid_star_count quote reply_markup reply_to_message",
      "reply_to_checklist_task_id reply_to_poll_option_id reply_to_story sender_boost_count",
      "sender_business_bot sender_chat sender_tag show_caption_above_media suggested_post_info",
      "via_bot",
    ].flatMap((line) => line.split(" ")),
  );
  for (const name of MESSAGE_FIELDS) {
    const one = anyField("Message", name).filter(
      (value) => value !== false && !(Array.isArray(value) && value.length === 0),
    );
    for (const value of fc.sample(one, 5)) {
      const wire = { message_id: 1, date: 1, chat: { id: 1, type: "private" }, [name]: value };
      const update = parseUpdate(received({ message: wire }));
      if (update.kind !== "message") throw new Error(`${name} made the message unreadable`);
      const isAside = update.message.content.kind === "other";
      expect([name, isAside]).toEqual([name, aside.has(name)]);
    }
  }
});

describe("without a database", () => {
  const scopes: Scope[] = [
    { workspaceId: "w1", connectorId: "c1" },
    { workspaceId: "w2", connectorId: "c2" },
    { workspaceId: "w1", connectorId: "c3" },
  ];

  /** Groups of the pool are linked by the first two connectors, and not by the third. */
  function context(): Context {
    const known = emptyContext();
    const groups = [...ONE.groups, ...ONE.supergroups, ...ONE.channels];
    for (const scope of scopes.slice(0, 2)) {
      for (const id of groups) {
        known.chats.set(chatKeyOf(scope, String(id)), {
          type: null,
          title: null,
          username: null,
          isForum: false,
          linked: true,
          purpose: null,
          reachableAtS: 0,
        });
      }
    }
    return known;
  }

  /** Workspaces and connectors that an effect names, wherever it does. */
  function owners(value: unknown, found = new Set<string>()): Set<string> {
    if (typeof value !== "object" || value === null) return found;
    for (const [name, inner] of Object.entries(value)) {
      if (name === "workspaceId" || name === "connectorId") found.add(String(inner));
      else owners(inner, found);
    }
    return found;
  }

  const isOfUnlinked = (effect: Effect) =>
    effect.type === "message-stored" && Number(effect.message.key.chatId) < 0;

  test("no throw, no effect outside the update's own workspace and connector", () => {
    const one = fc.tuple(anything, fc.nat({ max: 2 }));
    fc.assert(
      fc.property(fc.array(one, { minLength: 1, maxLength: 6 }), (updates) => {
        const batch = updates.flatMap(([wire, n]): Incoming[] => {
          const scope = scopes[n];
          const update = received(wire);
          if (scope === undefined) return [];
          const { lane, groupId } = routeUpdate(update, "c");
          if (groupId === null) expect(lane).not.toMatch(/^c\/c-/);
          expect(lane).toMatch(/^c\/[A-Za-z0-9_/-]{1,100}$/);
          expect(Object.keys(reducedForLinking(update))).toContain("update_id");
          return [
            { scope, jobId: "1", receivedAtMs: 1_767_225_700_000, update: parseUpdate(update) },
          ];
        });
        mentionsOf(batch);
        const known = context();
        for (const incoming of batch) {
          for (const effect of fold([incoming], known)) {
            const { workspaceId, connectorId } = incoming.scope;
            expect([...owners(effect)].sort()).toEqual([connectorId, workspaceId]);
            if (connectorId === "c3") expect(isOfUnlinked(effect)).toBe(false);
          }
        }
      }),
      { numRuns: runs(400) },
    );
  }, 3_600_000);
});

describe("with Postgres", () => {
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
  });
  afterAll(() => world.drop());

  async function newScope(...pools: Array<ReturnType<typeof pool>>): Promise<Scope> {
    const scope = await world.newScope();
    for (const { groups, supergroups, channels } of pools) {
      // One supergroup stays unlinked.
      for (const id of [...groups, ...supergroups.slice(1), ...channels])
        await world.link(scope, id);
    }
    return scope;
  }

  /** Whatever the connector says of those who talk to it. */
  const settings = fc.record({
    level: fc.constantFrom("everyone", "members", "agents", "named"),
    saveDenied: fc.boolean(),
    sessionHours: fc.constantFrom(-1, 0, 1),
  });

  test("what any updates come to can be written, in one batch or by themselves", async () => {
    const batch = fc.array(anything, { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(batch, settings, async (updates, given) => {
        const scope = await newScope(ONE);
        await accessWorld(world).set(scope, given);
        await world.ingest(scope, ...updates.map(received));
      }),
      { numRuns: runs(25) },
    );
  }, 3_600_000);

  test("an update that comes twice has the effect of one", async () => {
    const batch = fc.array(anything, { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(batch, settings, async (updates, given) => {
        const once = await newScope(ONE);
        const twice = await newScope(ONE);
        for (const scope of [once, twice]) await accessWorld(world).set(scope, given);
        for (const update of updates) {
          await world.ingest(once, received(update));
          await world.ingest(twice, received(update));
          await world.ingest(twice, received(update));
        }
        expect(await contentsOf(world.db, twice)).toEqual(await contentsOf(world.db, once));
      }),
      { numRuns: runs(8) },
    );
  }, 3_600_000);

  test("the order of updates that have nothing to do with each other plays no part", async () => {
    const TWO = pool(2);
    const other = anyUpdate(TWO);
    const sorted = (tables: unknown[][]) =>
      tables.map((rows) => rows.map((row) => JSON.stringify(row)).sort());
    await fc.assert(
      fc.asyncProperty(
        fc.array(allowed, { minLength: 1, maxLength: 10 }),
        fc.array(other, { minLength: 1, maxLength: 10 }),
        fc.infiniteStream(fc.boolean()),
        async (ours, theirs, turns) => {
          const after = await newScope(ONE, TWO);
          const mixed = await newScope(ONE, TWO);
          for (const update of [...ours, ...theirs]) await world.ingest(after, update);
          const [left, right] = [[...ours], [...theirs]];
          while (left.length + right.length > 0) {
            const [first, second] = turns.next().value ? [left, right] : [right, left];
            const update = first.shift() ?? second.shift();
            if (update) await world.ingest(mixed, update);
          }
          expect(sorted(await contentsOf(world.db, mixed))).toEqual(
            sorted(await contentsOf(world.db, after)),
          );
        },
      ),
      { numRuns: runs(8) },
    );
  }, 3_600_000);
});
