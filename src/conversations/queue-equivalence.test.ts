import { afterAll, beforeAll, expect, test } from "@jest/globals";
import { createWorld, type World } from "../../test/support/conversations-world.ts";
import { fc, runs } from "../../test/support/property.ts";
import { changeConversation } from "./conversation-change.ts";
import type { Scope } from "./effects.ts";
import {
  afterChange,
  afterRun,
  type HeardState,
  type QueueChange,
  runsOf,
  type Turn,
  UNHEARD,
} from "./queue-status.ts";
import { writeConversations } from "./write-conversations.ts";

/**
 * The rules of queue-status.ts are carried out twice: by themselves, and in SQL on rows of which
 * nothing is known beforehand. Random histories must come to the same, and leave an event for each
 * status that changed.
 */
let world: World;
let scope: Scope;
beforeAll(async () => {
  world = await createWorld();
  scope = await world.newScope();
});
afterAll(() => world.drop());

const NOW_MS = 50_000;
const turn = fc
  .tuple(
    fc.constantFrom("customer", "team"),
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 1, max: 3 }),
  )
  .map(([side, atS, id]): Turn => {
    const place = { atS, messageId: String(id) };
    return {
      side: side as Turn["side"],
      place,
      userId: side === "customer" ? "7" : null,
    };
  });
const change = fc.oneof(
  fc.constantFrom("open", "waiting", "closed").map((status) => ({ status }) as QueueChange),
  fc.integer({ min: 60, max: 70 }).map((s): QueueChange => ({ snoozedUntilMs: s * 1_000 })),
  fc.constantFrom("ada", null).map((assignee): QueueChange => ({ assignee })),
);
const step = fc.oneof(
  { weight: 2, arbitrary: fc.array(turn, { minLength: 0, maxLength: 4 }) },
  { weight: 1, arbitrary: change },
);

let lastChatId = 0;

/** Plays a history on a conversation of its own; answers its id. */
async function playInSql(steps: Array<Turn[] | QueueChange>): Promise<string> {
  lastChatId++;
  const chatId = String(lastChatId);
  await world.db.query(
    "INSERT INTO chats (workspace_id, connector_id, chat_id) VALUES ($1, $2, $3)",
    [scope.workspaceId, scope.connectorId, chatId],
  );
  const key = { scope, chatId, threadId: "0", businessConnectionId: "" };
  const write = (turns: Turn[]) =>
    world.db.transaction(async (tx) => {
      const ids = await writeConversations(tx, [
        {
          key,
          contactUserId: null,
          lastMessageAtS: 1,
          acknowledgedAtMs: null,
          denied: false,
          session: null,
          turns,
        },
      ]);
      return [...ids.values()][0] ?? "";
    });
  const id = await write([]);
  const by = { kind: "api_key", id: "k" } as const;
  for (const one of steps) {
    if (Array.isArray(one)) await write(one);
    else {
      const request = { workspaceId: scope.workspaceId, id, change: one, by, nowMs: NOW_MS };
      await world.db.transaction((tx) => changeConversation(tx, request));
    }
  }
  return id;
}

async function stateInSql(id: string): Promise<HeardState> {
  const [row] = await world.db.query<{ state: HeardState }>(
    `SELECT json_build_object(
       'status', status, 'assignee', nullif(assignee, ''), 'reopens', reopens,
       'snoozedUntilMs', extract(epoch FROM snoozed_until) * 1000,
       'waitingSinceMs', extract(epoch FROM waiting_since) * 1000,
       'openedAtMs', extract(epoch FROM opened_at) * 1000,
       'firstRespondedAtMs', extract(epoch FROM first_responded_at) * 1000,
       'resolvedAtMs', extract(epoch FROM resolved_at) * 1000,
       'lastCustomer', CASE WHEN customer_at > '-infinity' THEN json_build_object(
         'atS', extract(epoch FROM customer_at), 'messageId', customer_message::text) END,
       'lastTeam', CASE WHEN team_at > '-infinity' THEN json_build_object(
         'atS', extract(epoch FROM team_at), 'messageId', team_message::text) END) AS state
     FROM conversations WHERE workspace_id = $1 AND id = $2`,
    [scope.workspaceId, id],
  );
  if (row === undefined) throw new Error("the conversation is gone");
  return row.state;
}

test("what SQL makes of a history is what the rules make of it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      const statuses: string[] = [];
      let state = UNHEARD;
      const go = (next: HeardState) => {
        if (next.status !== state.status) statuses.push(`${state.status} ${next.status}`);
        state = next;
      };
      for (const one of steps) {
        if (Array.isArray(one)) for (const run of runsOf(one)) go(afterRun(state, run));
        else go({ ...state, ...afterChange(state, one, NOW_MS) });
      }
      const id = await playInSql(steps);
      expect(await stateInSql(id)).toEqual(state);
      const events = await world.db.query<{ change: string }>(
        `SELECT from_value || ' ' || to_value AS change FROM conversation_events
         WHERE workspace_id = $1 AND conversation_id = $2 AND what = 'status' ORDER BY id`,
        [scope.workspaceId, id],
      );
      expect(events.map((event) => event.change)).toEqual(statuses);
    }),
    { numRuns: runs(60) },
  );
});
