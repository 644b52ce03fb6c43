import { Discard, type Job, type LaneBatch, type TransactionalHandler } from "../jobs/index.ts";
import { holdsStartToken } from "../people/index.ts";
import { type Logger, sqlState } from "../platform/index.ts";
import type { PressSink } from "./approval-press.ts";
import { writeConsents } from "./broadcast-consent.ts";
import type { Handled, RequestSink } from "./chat-request.ts";
import { compact } from "./compact.ts";
import { advance, type Context } from "./context.ts";
import type { Effect } from "./effects.ts";
import { forgetsUpdate } from "./forget-update.ts";
import { holdConversations } from "./hold-conversations.ts";
import { type Incoming, interpret } from "./interpret.ts";
import { loadAccess } from "./load-access.ts";
import { loadContext } from "./load-context.ts";
import { mentionsOf } from "./mentions.ts";
import { writeLeftTurns } from "./offered-turns.ts";
import { parseUpdate } from "./parse-update.ts";
import { rekeyChat } from "./rekey-chat.ts";
import type { ReplySink } from "./reply.ts";
import { compactAccess, writeAccess, writeChatLinks } from "./write-access.ts";
import { writeBusinessConnections } from "./write-business.ts";
import { writeChats, writeContacts, writeMembers } from "./write-chats.ts";
import { writeMarks } from "./write-marks.ts";
import { writeMessages, writeVersions } from "./write-messages.ts";
import { writePolls } from "./write-polls.ts";
import { writeTopics } from "./write-topics.ts";

export interface IngestOptions {
  replies: ReplySink;
  /** Decides what approvers press. Default: nobody does, and such buttons do nothing. */
  presses?: PressSink;
  /** Acts on what people ask of the register. Default: nobody does, and it is not answered. */
  requests?: RequestSink;
  log: Logger;
}

/** Where nobody acts on requests. */
const NOBODY: Handled = { replies: [], taken: new Set() };

/**
 * Ingest: the thin shell around `interpret`. A batch of updates, of any lanes and workspaces, in one
 * transaction with a fixed number of statements: load what they mention, interpret them one after
 * the other, write what that comes to.
 *
 * Rows are taken in one order by everybody: chats, people with their links, codes, contacts,
 * conversations, sessions, messages, members, topics, polls, business connections, refusals, consents,
 * through `requests` dialogs, the register, evidence and its lanes, through `presses` messages to be sent
 * and their approvals, through `presses` and `replies` lanes of the bots, which are hot, and last the
 * engine's own, with the fence.
 *
 * A job carries the update's bytes as its body and `connectorId` in its payload.
 */
export function createIngestHandler({
  replies,
  presses,
  requests,
  log,
}: IngestOptions): TransactionalHandler {
  return {
    mode: "transactional",
    run: async (tx, lanes) => {
      const batch = lanes.flatMap(readLane);
      const context = await loadContext(tx, mentionsOf(batch));
      await loadAccess(tx, batch, context);
      const effects = fold(batch, context);
      const changes = compact(effects);
      const access = compactAccess(effects);
      try {
        // Rare, and a few statements each: as many as groups became supergroups in this moment.
        for (const { scope, fromChatId, toChatId } of changes.migrations) {
          await rekeyChat(tx, { ...scope, from: fromChatId, to: toChatId });
        }
        await writeChats(tx, changes.chats);
        await writeChatLinks(tx, access);
        await writeContacts(tx, changes.contacts);
        await holdConversations(tx, changes);
        await writeMessages(tx, changes.conversations, changes.messages);
        await writeVersions(tx, changes);
        await writeMarks(tx, changes);
        await writeMembers(tx, changes.members);
        await writeTopics(tx, changes.topics);
        await writePolls(tx, changes);
        await writeBusinessConnections(tx, changes.businessConnections);
        await writeAccess(tx, access);
        await writeConsents(tx, effects);
      } catch (error) {
        throw isOrphaned(error) ? new Discard("The connector of this update was removed.") : error;
      }
      const isAsked = requests !== undefined && changes.requests.length > 0;
      const handled = isAsked ? await requests(tx, changes.requests) : NOBODY;
      await writeLeftTurns(tx, changes.offeredTurns, handled.taken);
      const answers = changes.presses.length > 0 ? await presses?.(tx, changes.presses) : [];
      const said = [...changes.replies, ...(answers ?? []), ...handled.replies];
      if (said.length > 0) await replies(tx, said);
      log.debug(
        { updates: batch.length, messages: changes.messages.length, edits: changes.edits.length },
        "updates ingested",
      );
    },
  };
}

/** Interprets a batch in order, each update knowing what those before it did. */
export function fold(batch: readonly Incoming[], context: Context): Effect[] {
  const all: Effect[] = [];
  for (const incoming of batch) {
    const isForgotten = forgetsUpdate(incoming, context);
    const effects = interpret(incoming, context);
    advance(context, effects);
    all.push(...effects);
    const { scope, jobId } = incoming;
    if (isForgotten) all.push({ type: "update-forgotten", scope, jobId });
  }
  return all;
}

function readLane({ workspaceId, jobs }: LaneBatch): Incoming[] {
  return jobs.map((job) => readJob(workspaceId, job));
}

/** Throws `Discard` where the receiver cannot have made the job: trying again would not help. */
function readJob(workspaceId: string, job: Job): Incoming {
  const { connectorId } = job.payload;
  if (typeof connectorId !== "string") throw new Discard("The job names no connector.");
  if (job.body === null) throw new Discard("The update's bytes are gone.");
  return {
    scope: { workspaceId, connectorId },
    jobId: job.id,
    receivedAtMs: job.createdAt.getTime(),
    update: parseUpdate(parseJson(job.body)),
    holdsToken: holdsStartToken(job.body),
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    // The parser's own message would quote the update.
    throw new Discard("The update is not JSON.");
  }
}

const OWNERS: ReadonlySet<unknown> = new Set([
  "chats_connector",
  "contacts_workspace",
  "polls_connector",
  "poll_answers_connector",
  "business_connections_connector",
  "access_refusals_connector",
]);

/** True when a row's connector or workspace no longer exists. */
function isOrphaned(error: unknown): boolean {
  return sqlState(error) === "23503" && OWNERS.has((error as { constraint?: unknown }).constraint);
}
