import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import { type PackFault, PackRefused } from "../../evidence/index.ts";
import { Problem } from "../../platform/index.ts";
import { attachmentHeaders } from "../attachment.ts";
import { FewAtOnce } from "../few-at-once.ts";
import { defineRoute, text, uuid, workspaceOf } from "../route.ts";

const ANSWERS: Record<
  PackFault,
  { status: number; title: string; headers?: Record<string, string> }
> = {
  nothing: { status: 404, title: "Not found" },
  "too-much": { status: 409, title: "Too much for one pack" },
  unsealed: { status: 503, title: "Not sealed yet", headers: { "retry-after": "5" } },
};

/** Each holds a connection to the database, also while it waits for others of its workspace. */
const plansInHand = new FewAtOnce({
  most: 3,
  mostOfOne: 2,
  busy: "Other packs are being made; ask for this one again shortly.",
});

export const evidencePackRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/evidence-packs",
    auth: "workspace",
    scope: "audit",
    summary:
      "A zip file with evidence, everything that is known of how it came to be, and the piece of the audit log that speaks of it; to be checked without this system. Holds bounds, of which it is told before it begins.",
    query: z.strictObject({
      evidenceId: uuid.optional(),
      controlId: uuid.optional(),
      framework: text().min(1).max(60).optional().describe("its code, or its id"),
    }),
    success: { status: 200, schema: z.unknown(), contentTypes: ["application/zip"] },
    handler: async ({ db, services, principal, query }) => {
      const workspaceId = workspaceOf(principal);
      const leave = plansInHand.enter(workspaceId);
      const planned = services.evidence.packs.plan(workspaceId, query).finally(leave);
      const plan = await planned.catch((error) => {
        if (!(error instanceof PackRefused)) throw error;
        const { status, title, headers } = ANSWERS[error.fault];
        throw new Problem(status, title, error.message, { headers });
      });
      const details = {
        count: plan.count,
        files: plan.files.length,
        bytes: plan.sizeBytes,
        manifest: plan.manifestSha256,
      };
      await recordAudit(db, { workspaceId, action: "evidence.packed", details });
      const made = plan.madeAt.toISOString().slice(0, 10);
      return {
        status: 200,
        body: null,
        headers: attachmentHeaders({
          name: `evidence-pack-${made}.zip`,
          contentType: "application/zip",
          sizeBytes: null,
        }),
        stream: services.evidence.packs.write(plan),
      };
    },
  }),
];
