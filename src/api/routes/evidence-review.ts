import { z } from "zod";
import {
  type DecisionRefused,
  decide,
  EVIDENCE_STATES,
  placeHold,
  releaseHold,
  submitForReview,
} from "../../evidence/index.ts";
import { Problem } from "../../platform/index.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import {
  type Answer,
  authorOf,
  type Call,
  defineRoute,
  text,
  uuid,
  workspaceOf,
} from "../route.ts";
import { day, holdSchema, noEvidence, evidenceParams as params, reason } from "./evidence-shape.ts";

const revision = z.number().int().min(1).max(2_147_483_647).describe("the one that was seen");

const standingSchema = z.object({
  id: z.string(),
  status: z.enum(EVIDENCE_STATES),
  revision: z.number(),
});

const REFUSALS: Record<Exclude<DecisionRefused, "unknown">, string> = {
  own: "Whoever handed evidence in does not approve it: somebody else has to.",
  "not-in-review": "It is not being looked at: it was decided already, or not submitted yet.",
  superseded: "There is a newer revision than that. Look at it first.",
  incomplete: "Not all of its files are here yet, or none is: it cannot be approved now.",
  over: "The last day on which it counts is over: say another one (expiresOn).",
};

/** What is refused is on record too, so it is answered once that is committed. */
async function decideOnce(
  {
    db,
    principal,
    params: { id },
  }: Pick<Call<{ id: string }, unknown, unknown>, "db" | "principal" | "params">,
  said: Pick<Parameters<typeof decide>[1], "decision" | "revision" | "reason" | "expiresOn">,
): Promise<Answer> {
  const decision = {
    workspaceId: workspaceOf(principal),
    evidenceId: id,
    by: authorOf(principal),
    ...said,
  };
  const decided = await db.transaction((tx) => decide(tx, decision));
  if ("state" in decided) {
    return { status: 200, body: { id, status: decided.state, revision: decided.revision } };
  }
  if (decided.refused === "unknown") throw noEvidence();
  const detail = REFUSALS[decided.refused];
  throw decided.refused === "own"
    ? new Problem(403, "Not allowed", detail)
    : new Problem(409, "Not decided", detail);
}

export const evidenceReviewRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/evidence/:id/submit",
    auth: "workspace",
    scope: "manage",
    summary: "Hands a draft over to those who review: it is `in_review` then.",
    params,
    success: { status: 200, schema: standingSchema },
    handler: async ({ db, principal, params: { id } }) => {
      const handed = {
        workspaceId: workspaceOf(principal),
        evidenceId: id,
        by: authorOf(principal),
      };
      const submitted = await db.transaction((tx) => submitForReview(tx, handed));
      if ("state" in submitted) {
        const { state: status, revision: number } = submitted;
        return { status: 200, body: { id, status, revision: number } };
      }
      if (submitted.refused === "unknown") throw noEvidence();
      const detail =
        submitted.refused === "no-content"
          ? "None of its files could be kept: hand in another one first."
          : "Only a draft that has a file is submitted.";
      throw new Problem(409, "Not submitted", detail);
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/evidence/:id/approve",
    auth: "workspace",
    scope: "approve",
    summary:
      "Approves the revision that was seen; 409 where there is a newer one. Whoever handed it in does not: 403.",
    params,
    body: z.strictObject({
      revision,
      expiresOn: day.optional().describe("the last day on which it counts"),
    }),
    success: { status: 200, schema: standingSchema },
    handler: (call) => decideOnce(call, { decision: "approved", ...call.body }),
  }),
  defineRoute({
    method: "post",
    path: "/v1/evidence/:id/reject",
    auth: "workspace",
    scope: "approve",
    summary: "Rejects the revision that was seen, with the reason; a new file is another draft.",
    params,
    body: z.strictObject({ revision, reason }),
    success: { status: 200, schema: standingSchema },
    handler: (call) => decideOnce(call, { decision: "rejected", ...call.body }),
  }),
  defineRoute({
    method: "post",
    path: "/v1/evidence/:id/hold",
    auth: "workspace",
    scope: "manage",
    summary: "Places a legal hold: until it is released nothing of this evidence is deleted.",
    params,
    body: z.strictObject({ reason: text().trim().min(1).max(500) }),
    success: { status: 201, schema: holdSchema },
    handler: ({ db, principal, params: { id }, body, idempotency }) => {
      const workspaceId = workspaceOf(principal);
      const hold = { workspaceId, evidenceId: id, by: authorOf(principal), ...body };
      return db.transaction(async (tx) => {
        const key = idempotency && { workspaceId, ...idempotency };
        const known = key && (await claimKey(tx, key));
        if (known) return known;
        const placed = await placeHold(tx, hold);
        if (placed === null) throw noEvidence();
        const answer = { status: 201, body: placed };
        if (key) await storeAnswer(tx, key, answer);
        return answer;
      });
    },
  }),
  defineRoute({
    method: "post",
    path: "/v1/evidence/:id/release",
    auth: "workspace",
    scope: "manage",
    summary: "Releases a legal hold; others on the same evidence stand.",
    params,
    body: z.strictObject({ holdId: uuid }),
    success: { status: 200, schema: holdSchema },
    handler: async ({ db, principal, params: { id }, body }) => {
      const hold = { workspaceId: workspaceOf(principal), evidenceId: id, by: authorOf(principal) };
      const released = await db.transaction((tx) => releaseHold(tx, { ...hold, ...body }));
      if (released === null) {
        throw new Problem(404, "Not found", "No such hold stands on this evidence.");
      }
      return { status: 200, body: released };
    },
  }),
];
