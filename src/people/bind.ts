import { actAs, recordAudit } from "../audit/index.ts";
import { fewRows, type Transaction } from "../platform/index.ts";

/** What accounts answered to the links they opened, written in the transaction of the update. */

/** The account is asked whether it is that person. */
export interface NewOffer {
  workspaceId: string;
  linkId: string;
  telegramUserId: string;
  atMs: number;
}

/** The account said no. */
export type OldOffer = Omit<NewOffer, "atMs">;

/** The account said yes; the link is held (`holdPersonLinks`) and was found good. */
export interface NewBinding {
  workspaceId: string;
  connectorId: string;
  linkId: string;
  personId: string;
  telegramUserId: string;
  atMs: number;
}

const OFFER = `/* people.offer */
INSERT INTO person_link_offers (workspace_id, link_id, telegram_user_id, offered_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[])
ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING`;

const WITHDRAW = `/* people.withdraw-offer */
DELETE FROM person_link_offers o
USING (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[])
    AS t(workspace_id, link_id, telegram_user_id) ${fewRows("$1")}
) t
WHERE o.workspace_id = t.workspace_id AND o.link_id = t.link_id
  AND o.telegram_user_id = t.telegram_user_id`;

/** Writes offers, then takes those back that were declined. */
export async function writeOffers(
  tx: Transaction,
  offers: readonly NewOffer[],
  declined: readonly OldOffer[],
): Promise<void> {
  if (offers.length > 0) {
    await tx.query(OFFER, [
      ...offerColumns(offers),
      offers.map(({ atMs }) => new Date(atMs).toISOString()),
    ]);
  }
  if (declined.length > 0) await tx.query(WITHDRAW, offerColumns(declined));
}

const offerColumns = (offers: readonly OldOffer[]) => [
  offers.map(({ workspaceId }) => workspaceId),
  offers.map(({ linkId }) => linkId),
  offers.map(({ telegramUserId }) => telegramUserId),
];

const USE = `/* people.use-links */
UPDATE person_links l SET used_at = t.used_at, used_by = t.telegram_user_id
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[])
    AS t(workspace_id, id, telegram_user_id, used_at) ${fewRows("$1")}
) t
WHERE l.workspace_id = t.workspace_id AND l.id = t.id AND l.used_at IS NULL`;

const BIND = `/* people.bind */
UPDATE people p SET telegram_user_id = t.telegram_user_id, bound_at = t.bound_at, updated_at = now()
FROM (
  SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::timestamptz[])
    AS t(workspace_id, id, telegram_user_id, bound_at) ${fewRows("$1")}
) t
WHERE p.workspace_id = t.workspace_id AND p.id = t.id`;

/**
 * Binds accounts to people and uses their links up, with an entry each that names the account as who
 * acted. Throws a unique violation (23505) when the account became another person's at another bot in
 * this very moment: the update is then tried again, and told so.
 */
export async function bindPeople(tx: Transaction, bindings: readonly NewBinding[]): Promise<void> {
  if (bindings.length === 0) return;
  const accounts = bindings.map(({ telegramUserId }) => telegramUserId);
  const times = bindings.map(({ atMs }) => new Date(atMs).toISOString());
  const workspaces = bindings.map(({ workspaceId }) => workspaceId);
  const ids = (of: "linkId" | "personId") => bindings.map((binding) => binding[of]);
  await tx.query(BIND, [workspaces, ids("personId"), accounts, times]);
  await tx.query(USE, [workspaces, ids("linkId"), accounts, times]);
  for (const { workspaceId, connectorId, personId, telegramUserId } of bindings) {
    await actAs({ kind: "telegram_user", id: telegramUserId }, null, () =>
      recordAudit(tx, {
        workspaceId,
        action: "person.bound",
        subjectId: personId,
        details: { connectorId },
      }),
    );
  }
}
