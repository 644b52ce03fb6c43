import type { Transaction } from "../platform/index.ts";
import type { Changes } from "./compact.ts";

/**
 * The counts that arrived last count, and those that came alone before those of a message; a closed
 * poll stays closed, and a question once known is kept.
 */
const IS_NEWER = `CASE WHEN excluded.live = p.live THEN excluded.counted_at >= p.counted_at
    ELSE excluded.live END`;

const UPSERT_POLLS = `/* ingest.upsert-polls */
INSERT INTO polls AS p (workspace_id, connector_id, poll_id, question, options, votes, voters,
  closed, live, counted_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[],
    $7::bigint[], $8::boolean[], $9::boolean[], $10::timestamptz[])
  AS i(workspace_id, connector_id, poll_id, question, options, votes, voters, closed, live,
    counted_at)
ORDER BY 1, 2, 3
ON CONFLICT (workspace_id, connector_id, poll_id) DO UPDATE SET
  question = coalesce(excluded.question, p.question),
  options = coalesce(excluded.options, p.options),
  votes = CASE WHEN ${IS_NEWER} THEN excluded.votes ELSE p.votes END,
  voters = CASE WHEN ${IS_NEWER} THEN excluded.voters ELSE p.voters END,
  closed = p.closed OR excluded.closed,
  live = p.live OR excluded.live,
  counted_at = CASE WHEN ${IS_NEWER} THEN excluded.counted_at ELSE p.counted_at END`;

const UPSERT_ANSWERS = `/* ingest.upsert-poll-answers */
INSERT INTO poll_answers AS a (workspace_id, connector_id, poll_id, voter_id, options, answered_at)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::jsonb[],
    $6::timestamptz[])
  AS i(workspace_id, connector_id, poll_id, voter_id, options, answered_at)
ORDER BY 1, 2, 3, 4
ON CONFLICT (workspace_id, connector_id, poll_id, voter_id) DO UPDATE SET
  options = excluded.options, answered_at = excluded.answered_at
WHERE a.answered_at <= excluded.answered_at`;

export async function writePolls(
  tx: Transaction,
  { polls, pollAnswers }: Pick<Changes, "polls" | "pollAnswers">,
): Promise<void> {
  if (polls.length > 0) {
    await tx.query(UPSERT_POLLS, [
      polls.map(({ scope }) => scope.workspaceId),
      polls.map(({ scope }) => scope.connectorId),
      polls.map(({ pollId }) => pollId),
      polls.map(({ asked }) => asked?.question ?? null),
      polls.map(({ asked }) => (asked === null ? null : JSON.stringify(asked.options))),
      polls.map(({ counts }) => JSON.stringify(counts.votes)),
      polls.map(({ counts }) => counts.voters),
      polls.map(({ counts }) => counts.closed),
      polls.map(({ live }) => live),
      polls.map(({ atMs }) => new Date(atMs).toISOString()),
    ]);
  }
  if (pollAnswers.length > 0) {
    await tx.query(UPSERT_ANSWERS, [
      pollAnswers.map(({ scope }) => scope.workspaceId),
      pollAnswers.map(({ scope }) => scope.connectorId),
      pollAnswers.map(({ pollId }) => pollId),
      pollAnswers.map(({ voterId }) => voterId),
      pollAnswers.map(({ options }) => JSON.stringify(options)),
      pollAnswers.map(({ atMs }) => new Date(atMs).toISOString()),
    ]);
  }
}
