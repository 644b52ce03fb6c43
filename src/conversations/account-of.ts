/**
 * The account that a conversation belongs to, found when it is read: the one of its chat's rule, else
 * its contact's own, else the one of its contact's domain. So rules are true of what there is and of
 * what comes at once, and ingest knows nothing of them (docs/decisions/0018).
 *
 * Joins to `conversations c` of workspace `$1`; `ACCOUNT_ID` is the answer, null for none. Every table
 * is given its workspace as the parameter: said as a join, beside row-level security's own condition,
 * it would count twice, and without statistics any index that begins with it looks as good as the key.
 */
export const ACCOUNT_JOINS = `
LEFT JOIN account_rules of_chat ON of_chat.workspace_id = $1
  AND of_chat.connector_id = c.connector_id AND of_chat.chat_id = c.chat_id
LEFT JOIN contacts person ON person.workspace_id = $1 AND person.id = c.contact_id
LEFT JOIN account_rules of_domain ON of_domain.workspace_id = $1
  AND of_domain.domain = person.domain`;
export const ACCOUNT_ID = "coalesce(of_chat.account_id, person.account_id, of_domain.account_id)";

const HAS_NO_CHAT_RULE = `NOT EXISTS (
    SELECT 1 FROM account_rules other WHERE other.workspace_id = $1
      AND other.connector_id = c.connector_id AND other.chat_id = c.chat_id)`;

/**
 * The other way round: a relation of the conversations of account `account` (a parameter, e.g. `$2`)
 * in workspace `$1`, each once. It reads the account's conversations and contacts.
 */
export const conversationsOfAccount = (account: string): string => `(
  SELECT c.* FROM account_rules r
  JOIN conversations c ON c.workspace_id = $1 AND c.connector_id = r.connector_id
    AND c.chat_id = r.chat_id
  WHERE r.workspace_id = $1 AND r.account_id = ${account}
  UNION ALL
  SELECT c.* FROM contacts p
  JOIN conversations c ON c.contact_id = p.id AND c.workspace_id = $1
  WHERE p.workspace_id = $1 AND p.account_id = ${account} AND ${HAS_NO_CHAT_RULE}
  UNION ALL
  SELECT c.* FROM account_rules r
  JOIN contacts p ON p.workspace_id = $1 AND p.domain = r.domain AND p.account_id IS NULL
  JOIN conversations c ON c.contact_id = p.id AND c.workspace_id = $1
  WHERE r.workspace_id = $1 AND r.account_id = ${account} AND ${HAS_NO_CHAT_RULE}
)`;
