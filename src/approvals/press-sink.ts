import { actAs, recordAudit } from "../audit/index.ts";
import type { ApprovalPress, PressSink, Reply } from "../conversations/index.ts";
import type { JobSink } from "../outbound/index.ts";
import { findTalkers } from "../people/index.ts";
import { fewRows, sha256, type Transaction } from "../platform/index.ts";
import { type Act, type Decided, decide } from "./decide.ts";
import type { Refused } from "./judge.ts";
import { ANSWERS } from "./notice.ts";

/** What a pressed button stands for, where the press is of one that there is. */
interface Button {
  n: number;
  message_id: string;
  verdict: "approve" | "reject";
  version: string;
  /** By this bot, in the chat where it was shown. */
  is_here: boolean;
}

/** The workspace is that of the update's own job: another's tokens are nobody's. */
const FIND = `/* approvals.find-buttons */
SELECT p.n, b.message_id, b.verdict, encode(b.version, 'hex') AS version,
  b.connector_id = p.connector_id AND (b.chat_id = p.chat_id OR EXISTS (
    SELECT FROM chats c WHERE c.workspace_id = b.workspace_id AND c.connector_id = b.connector_id
      AND c.chat_id = b.chat_id AND c.migrated_to = p.chat_id)) AS is_here
FROM (
  SELECT n, workspace_id, connector_id, chat_id, decode(token_hash, 'hex') AS token_hash
  FROM unnest($1::int[], $2::uuid[], $3::uuid[], $4::bigint[], $5::text[])
    AS p(n, workspace_id, connector_id, chat_id, token_hash) ${fewRows("$1")}
) p
JOIN approval_buttons b USING (workspace_id, token_hash)`;

const findButtons = async (tx: Transaction, presses: readonly ApprovalPress[]) => {
  const rows = await tx.query<Button>(FIND, [
    presses.map((_, n) => n),
    presses.map(({ workspaceId }) => workspaceId),
    presses.map(({ connectorId }) => connectorId),
    presses.map(({ chatId }) => chatId),
    presses.map(({ token }) => sha256(token).toString("hex")),
  ]);
  return new Map(rows.map((row) => [row.n, row]));
};

/** Whom of the workspace each account is; by `workspaceId/userId`. */
async function findPeople(
  tx: Transaction,
  presses: readonly ApprovalPress[],
): Promise<Map<string, string>> {
  const accounts = new Map(
    presses.map(({ workspaceId, userId }) => [
      accountOf({ workspaceId, userId }),
      { workspaceId, telegramUserId: userId },
    ]),
  );
  const asked = { accounts: [...accounts.values()], people: [], peers: [] };
  const { people } = await findTalkers(tx, asked);
  return new Map(
    people.map(({ workspaceId, telegramUserId: userId, personId }) => [
      accountOf({ workspaceId, userId }),
      personId,
    ]),
  );
}

const accountOf = ({ workspaceId, userId }: Pick<ApprovalPress, "workspaceId" | "userId">) =>
  `${workspaceId}/${userId}`;

/**
 * Applies presses of approvers' buttons, in the transaction of their updates. Nothing of a press is
 * believed: the token is looked up in the update's own workspace, counts at the bot and in the chat
 * where it was shown, from an account that is a person who may decide, about the text that was shown.
 * Whatever else is pressed is refused with a few words, and on record where it is about a real request.
 */
export function createPressSink({ jobs }: { jobs: JobSink }): PressSink {
  return async (tx, presses) => {
    const buttons = await findButtons(tx, presses);
    const people = await findPeople(tx, presses);
    const acts: Act[] = [];
    const said = new Map<number, string>();
    const decidedAs = new Map<number, number>();
    for (const [n, press] of presses.entries()) {
      const button = buttons.get(n);
      const personId = people.get(accountOf(press));
      if (button === undefined) said.set(n, ANSWERS.unknown);
      else if (!button.is_here) {
        said.set(n, ANSWERS.unknown);
        await refuse(tx, press, button, "elsewhere");
      } else if (personId === undefined) {
        said.set(n, ANSWERS["not-approver"]);
        await refuse(tx, press, button, "not-approver");
      } else {
        decidedAs.set(n, acts.length);
        acts.push(actOf(press, button, personId));
      }
    }
    const decided = await decide(tx, jobs, acts);
    return presses.map((press, n) => {
      const outcome = decided[decidedAs.get(n) ?? -1];
      return answer(press, said.get(n) ?? answerTo(outcome ?? null));
    });
  };
}

const actorOf = ({ userId: id }: ApprovalPress) => ({ kind: "telegram_user", id }) as const;

const actOf = (press: ApprovalPress, button: Button, personId: string): Act => ({
  workspaceId: press.workspaceId,
  messageId: button.message_id,
  verdict: button.verdict,
  approver: `person:${personId}`,
  version: button.version,
  actor: actorOf(press),
});

async function refuse(
  tx: Transaction,
  press: ApprovalPress,
  { message_id: subjectId }: Button,
  why: Refused | "elsewhere",
): Promise<void> {
  const { workspaceId, connectorId } = press;
  const refused = { action: "approval.refused", subjectId, details: { why, connectorId } } as const;
  await actAs(actorOf(press), null, () => recordAudit(tx, { workspaceId, ...refused }));
}

function answerTo(decided: Decided): string {
  if (decided === null) return ANSWERS.unknown;
  if (decided.refused !== null) return ANSWERS[decided.refused];
  return decided.state === "waiting" ? ANSWERS.noted : ANSWERS[decided.state];
}

function answer(press: ApprovalPress, text: string): Reply {
  const { workspaceId, connectorId, chatId, callbackQueryId, causeId } = press;
  return {
    kind: "callback-answer",
    workspaceId,
    connectorId,
    chatId,
    callbackQueryId,
    text,
    causeId,
  };
}
