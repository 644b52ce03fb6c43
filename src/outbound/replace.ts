import type { WaitingJobs } from "../jobs/index.ts";
import type { Transaction } from "../platform/index.ts";
import { contentFaults, MAX_CAPTION, targetIdOf } from "./content/index.ts";
import { columnsOf, formatMessage } from "./formatted-message.ts";
import { MAY_BE_SENT } from "./may-be-sent.ts";
import { type Button, type NewMessage, PRIORITY_NUMBERS, priorityNamed } from "./new-message.ts";
import { MAX_PART_ENTITIES, type MessageEntity } from "./text/index.ts";
import {
  changeWaiting,
  findWaiting,
  holdLaneOf,
  IS_WHOLE,
  type MessageRef,
  NotWaiting,
  type WaitingMessage,
} from "./waiting-message.ts";

/** What is said instead; what is left out stays as it is. */
export interface Replacement extends Pick<NewMessage, "priority"> {
  /** Formatted: literal, with what marks it up. */
  said?: Required<Pick<NewMessage, "text" | "entities" | "partLength">>;
  /** Null: without buttons. */
  buttons?: NewMessage["buttons"] | null;
  /** Null: at once. */
  sendAt?: Date | null;
  /** Null: it waits as long as it must. */
  expiresAt?: Date | null;
}

/** A message with what was replaced. */
export interface Replaced {
  /** The names of what was changed. */
  fields: string[];
  isApproved: boolean;
  /** What rules of approval look at, as it is now. */
  message: NewMessage;
}

/** What is to be replaced contradicts what is there: where, and in which words. */
export class ImpossibleReplacement extends Error {
  override name = "ImpossibleReplacement";
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

const REPLACE = `/* outbound.replace */
UPDATE outbound_messages m SET
  text = coalesce($4, m.text),
  entities = CASE WHEN $4 IS NULL THEN m.entities ELSE $5::jsonb END,
  cuts = CASE WHEN $4 IS NULL THEN m.cuts ELSE $6::jsonb END,
  template = CASE WHEN $4 IS NULL THEN m.template END,
  template_version = CASE WHEN $4 IS NULL THEN m.template_version END,
  buttons = CASE WHEN $7 THEN $8::jsonb ELSE m.buttons END,
  priority = coalesce($9::smallint, m.priority),
  send_at = CASE WHEN $10 THEN $11::timestamptz ELSE m.send_at END,
  expires_at = CASE WHEN $12 THEN $13::timestamptz ELSE m.expires_at END
WHERE m.workspace_id = $1 AND m.id = $2 AND m.state = $3 AND ${IS_WHOLE} AND NOT ${MAY_BE_SENT}
RETURNING m.chat_id, m.text, m.entities, m.buttons, m.priority, m.submitted_by`;

interface ReplacedRow {
  chat_id: string;
  text: string;
  entities: MessageEntity[] | null;
  buttons: Button[][] | null;
  priority: number;
  submitted_by: string | null;
}

const AWAITS =
  "It awaits approval as it is: an approver may edit it. To change it yourself, cancel it and submit it anew.";
const CHANGES =
  "It is a change of another message, or an action, which has nothing to be replaced: cancel it and submit it anew.";
const OF_BROADCAST =
  "It is one of a broadcast's, which says the same to all: cancel it and submit one of its own.";
const OWN =
  "Nobody wrote it, it is the bot's own: under a request for approval stand buttons that are about what it says.";
const APPROVED = "It was approved as it is; to change it, cancel it and submit it anew.";

/**
 * Replaces what is given of a message that waits, with its job's time and priority, in the caller's
 * transaction. It keeps its place among those that are due. Null when the workspace has no such
 * message. Throws `NotWaiting` when it was begun, and `ImpossibleReplacement`.
 *
 * What is one of a broadcast's is not replaced at all. What somebody is asked to approve, or has
 * approved, is not replaced under their hands (`NotWaiting`); of what is approved time and priority are
 * not part. Whether the message would have to be approved as it is now is for the caller to ask, who
 * knows the rules.
 */
export async function replaceMessage(
  tx: Transaction,
  jobs: WaitingJobs,
  ref: MessageRef,
  change: Replacement,
): Promise<Replaced | null> {
  const { workspaceId, id } = ref;
  const { said, buttons, priority, sendAt, expiresAt } = change;
  const written = said === undefined ? null : columnsOf(formatMessage(said));
  const number = priority === undefined ? undefined : PRIORITY_NUMBERS[priority];
  const movesJob = sendAt !== undefined || number !== undefined;
  const fields = Object.entries(change).flatMap(([name, value]) =>
    value === undefined ? [] : [name === "said" ? "text" : name],
  );
  return changeWaiting(
    () => findWaiting(tx, ref, { refuseMaybeSent: true }),
    async (found) => {
      if (found.state === "awaiting_approval") throw new NotWaiting(found.state, AWAITS);
      // A pause takes it back, and what is made of it again is what the broadcast says.
      if (found.isOfBroadcast) throw new NotWaiting(found.state, OF_BROADCAST);
      if (found.isOwn && isSaid(change)) throw new NotWaiting(found.state, OWN);
      if (found.isApproved && isSaid(change)) throw new NotWaiting(found.state, APPROVED);
      mustSuit(found, change);
      mustFit(found, change);
      const urgent = number !== undefined && number <= PRIORITY_NUMBERS.high;
      const held = movesJob ? await holdLaneOf(tx, jobs, ref, found, { urgent }) : null;
      const [row] = await tx.engine.query<ReplacedRow>(REPLACE, [
        workspaceId,
        id,
        found.state,
        written?.text ?? null,
        written?.entities ?? null,
        // A caption has no parts.
        found.content === null ? (written?.cuts ?? null) : null,
        buttons !== undefined,
        buttons ? JSON.stringify(buttons) : null,
        number ?? null,
        sendAt !== undefined,
        sendAt ?? null,
        expiresAt !== undefined,
        expiresAt ?? null,
      ]);
      if (row === undefined) return null;
      if (held !== null) {
        const job = { workspaceId, id: found.jobId ?? "0" };
        // Whoever ends its job ends the message too, and under the same lane's row.
        if (!(await held.move(job, { runAt: sendAt, priority: number }))) {
          throw new Error(`message ${id} is queued, and no job of it waits`);
        }
      }
      const { connectorId, isApproved } = found;
      const content = found.content ?? undefined;
      const message = messageOf(row, { workspaceId, connectorId, content });
      return { fields, isApproved, message };
    },
  );
}

/** Something that is sent is replaced. */
const isSaid = ({ said, buttons }: Replacement) => said !== undefined || buttons !== undefined;

const messageOf = (
  row: ReplacedRow,
  of: Pick<NewMessage, "workspaceId" | "connectorId" | "content">,
): NewMessage => ({
  ...of,
  chatId: row.chat_id,
  text: row.text,
  entities: row.entities ?? [],
  buttons: row.buttons ?? undefined,
  priority: priorityNamed(row.priority),
  submittedBy: row.submitted_by ?? undefined,
});

/**
 * What a message is decides what may be said with it. Of one that changes another neither the words are
 * replaced, which are judged by that one, nor the priority, which keeps it behind that one.
 */
function mustSuit({ content, state }: WaitingMessage, change: Replacement): void {
  if (content === null) return;
  const isOfAnother = targetIdOf(content) !== null || content.type === "chat-action";
  if (isOfAnother && (isSaid(change) || change.priority !== undefined)) {
    throw new NotWaiting(state, CHANGES);
  }
  if (!isSaid(change)) return;
  const { said, buttons } = change;
  const [fault] = contentFaults({ content, text: said?.text, buttons: buttons ?? undefined });
  if (fault !== undefined) throw new ImpossibleReplacement(fault.path, fault.message);
  if (said === undefined) return;
  if (said.text.length > MAX_CAPTION) {
    throw new ImpossibleReplacement("text", `has at most ${MAX_CAPTION} characters as a caption`);
  }
  if ((said.entities?.length ?? 0) > MAX_PART_ENTITIES) {
    const words = `has at most ${MAX_PART_ENTITIES} formatted places as a caption`;
    throw new ImpossibleReplacement("text", words);
  }
}

/** Also where only one of the two times is given, and the other stands already. */
function mustFit(found: WaitingMessage, change: Replacement): void {
  const sendAt = change.sendAt === undefined ? found.sendAt : change.sendAt;
  const expiresAt = change.expiresAt === undefined ? found.expiresAt : change.expiresAt;
  if (sendAt !== null && expiresAt !== null && expiresAt <= sendAt) {
    throw new ImpossibleReplacement("expiresAt", "is later than sendAt");
  }
}
