import type { Side } from "./side.ts";

/**
 * Where a conversation stands once another (`twin`) has joined it (`c`), as assignments of an UPDATE:
 * what is open in either is open, and waits since the earlier time; else the one that goes on keeps
 * its status. What is open in a twin of a closed conversation begins an opening.
 */
const REOPENS = "(c.status = 'closed' AND twin.status = 'open')";

const laterOf = (side: Side) => `
  ${side}_at = greatest(c.${side}_at, twin.${side}_at),
  ${side}_message = CASE
    WHEN (twin.${side}_at, twin.${side}_message) > (c.${side}_at, c.${side}_message)
    THEN twin.${side}_message ELSE c.${side}_message END`;

export const JOINED_QUEUE = `
  status = CASE WHEN twin.status = 'open' THEN 'open' ELSE c.status END,
  waiting_since = least(c.waiting_since, twin.waiting_since),
  snoozed_until = CASE WHEN twin.status = 'open' THEN NULL ELSE c.snoozed_until END,
  resolved_at = CASE WHEN twin.status = 'open' THEN NULL ELSE c.resolved_at END,
  opened_at = CASE
    WHEN ${REOPENS} THEN twin.opened_at WHEN c.status = 'closed' THEN c.opened_at
    ELSE least(c.opened_at, twin.opened_at) END,
  first_responded_at = CASE
    WHEN ${REOPENS} THEN twin.first_responded_at
    WHEN c.status = 'closed' THEN c.first_responded_at
    ELSE least(c.first_responded_at, twin.first_responded_at) END,
  reopens = c.reopens + CASE WHEN ${REOPENS} AND c.opened_at IS NOT NULL THEN 1 ELSE 0 END,
  assignee = CASE WHEN c.assignee = '' THEN twin.assignee ELSE c.assignee END,
  last_actor_kind = 'system', last_actor = NULL,${laterOf("customer")},${laterOf("team")}`;
