import { dropBySql, type RetentionRule } from "../../platform/index.ts";

/** What became of submitted evidence is told by its dialog, however late: such a one stays. */
const DROP_OLD = `/* dialogs.drop-old */
DELETE FROM dialogs WHERE ctid = ANY (ARRAY(
  SELECT ctid FROM dialogs
  WHERE ended_at < now() - interval '30 days' AND state <> 'submitted'
  ORDER BY ended_at LIMIT $1 FOR UPDATE SKIP LOCKED))
RETURNING 1`;

/** A month after its end a press on a card is told that it does nothing any more. */
export const dropDialogs: RetentionRule = {
  name: "dialogs that are over",
  dropBatch: (tx, limit) => dropBySql(tx, DROP_OLD, limit),
};
