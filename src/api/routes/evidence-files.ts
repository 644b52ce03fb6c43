import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import {
  addUpload,
  FileNotGiven,
  findEvidence,
  findFile,
  givenFile,
  type KeptFile,
  type NotGivenReason,
  readSettings,
  type UploadFault,
  UploadRefused,
} from "../../evidence/index.ts";
import { sha256 as hashOf, Problem } from "../../platform/index.ts";
import { attachmentHeaders } from "../attachment.ts";
import { rangeOf } from "../byte-range.ts";
import { claimKey, storeAnswer } from "../idempotency.ts";
import { authorOf, defineRoute, text, uuid, workspaceOf } from "../route.ts";
import { evidenceSchema, noEvidence, evidenceParams as params } from "./evidence-shape.ts";

/** Types that a file may be said to be; others are bytes. */
const SAID: ReadonlySet<string> = new Set([
  "application/pdf",
  "application/zip",
  "audio/mpeg",
  "audio/ogg",
  "image/gif",
  "image/jpeg",
  "image/png",
  "image/webp",
  "text/plain",
  "video/mp4",
]);

const noFile = () => new Problem(404, "Not found", "This evidence has no such file.");

const NOT_GIVEN: Record<NotGivenReason, [status: number, title: string]> = {
  quarantined: [409, "Not given out"],
  "not-stored": [409, "Not stored"],
  gone: [410, "Not kept"],
  damaged: [500, "Damaged"],
};

/** A file whose content may be given out. Throws `Problem` 409 in words for any other. */
function given(file: KeptFile) {
  try {
    return givenFile(file);
  } catch (error) {
    if (!(error instanceof FileNotGiven)) throw error;
    const [status, title] = NOT_GIVEN[error.reason];
    throw new Problem(status, title, error.message);
  }
}

/** Of an upload, however large it is: the largest that may be taken at 4 Mbit/s. */
const UPLOAD_MS = 2.5 * 3_600_000;
const MAX_NAME = 1_000;
const CONTENT_TYPE = /^[a-z0-9!#$&^_.+-]{1,100}\/[a-z0-9!#$&^_.+-]{1,100}$/;

const REFUSED: Record<
  UploadFault,
  { status: number; title: string; headers?: Record<string, string> }
> = {
  "too-large": { status: 413, title: "File too large" },
  empty: { status: 422, title: "Not taken" },
  "type-not-taken": { status: 422, title: "Not taken" },
  "not-scanned": { status: 422, title: "Not taken" },
  "scanner-away": { status: 503, title: "Unavailable", headers: { "retry-after": "30" } },
};

/** As the client says; null: it does not, or what it says is none. */
function claimedTypeOf(header: string | undefined): string | null {
  const type = header?.split(";")[0]?.trim().toLowerCase() ?? "";
  return CONTENT_TYPE.test(type) ? type : null;
}

export const evidenceFileRoutes = [
  defineRoute({
    method: "post",
    path: "/v1/evidence/:id/files",
    auth: "workspace",
    scope: "manage",
    summary:
      "Hands a file in: the body is its bytes as they are. Its revision is made if none is open; a file that comes while one is looked at gives that another number.",
    params,
    query: z.strictObject({ name: text().max(MAX_NAME).optional().describe("of the file") }),
    bodyStream: { contentTypes: ["*/*"], deadlineMs: UPLOAD_MS },
    success: { status: 201, schema: evidenceSchema },
    handler: async ({ db, services, principal, params: { id }, query, headers, ...call }) => {
      const workspaceId = workspaceOf(principal);
      if ((await findEvidence(db, { workspaceId, id })) === null) throw noEvidence();
      const { maxBytes } = await readSettings(db, workspaceId);
      if (Number(headers["content-length"] ?? 0) > maxBytes) {
        const detail = `A file has at most ${maxBytes} bytes in this workspace.`;
        throw new Problem(413, "File too large", detail);
      }
      const received = await services.evidence.uploads
        .receive(workspaceId, call.incoming)
        .catch((error) => {
          if (!(error instanceof UploadRefused)) throw error;
          const { status, title, headers: more } = REFUSED[error.fault];
          throw new Problem(status, title, error.message, { headers: more });
        });
      const claimedType = claimedTypeOf(headers["content-type"]);
      const upload = {
        workspaceId,
        evidenceId: id,
        submittedBy: authorOf(principal),
        name: query.name ?? null,
        claimedType,
        ...received,
      };
      // What the key stands for is known now: the name, and the content.
      const said = JSON.stringify([
        query.name ?? null,
        claimedType,
        received.content.sha256.toString("hex"),
      ]);
      const key = call.idempotency && { workspaceId, ...call.idempotency, bodyHash: hashOf(said) };
      return db.transaction(async (tx) => {
        const known = key && (await claimKey(tx, key));
        if (known) return known;
        if (!(await addUpload(tx, upload))) throw noEvidence();
        const answer = { status: 201, body: await findEvidence(tx, { workspaceId, id }) };
        if (key) await storeAnswer(tx, key, answer);
        return answer;
      });
    },
  }),
  defineRoute({
    method: "get",
    path: "/v1/evidence/:id/files/:fileId",
    auth: "workspace",
    scope: "read",
    summary:
      "The bytes of a file, as an attachment; a range of them where one is asked for. 409 for one that is not stored, or in quarantine.",
    params: z.object({ id: uuid, fileId: uuid }),
    success: { status: 200, schema: z.unknown(), contentTypes: ["*/*"] },
    handler: async ({ db, services, principal, params: { id: evidenceId, fileId }, headers }) => {
      const workspaceId = workspaceOf(principal);
      const found = await findFile(db, { workspaceId, evidenceId, fileId });
      if (found === null) throw noFile();
      const { name, contentType, storedFileId, sizeBytes, sha256 } = given(found);
      const etag = `"${sha256}"`;
      const condition = headers["if-range"];
      const range = rangeOf(headers.range, sizeBytes, {
        condition: typeof condition === "string" ? condition : undefined,
        etag,
      });
      if (range === "unsatisfiable") {
        throw new Problem(416, "No such range", `The file has ${sizeBytes} bytes.`, {
          headers: { "content-range": `bytes */${sizeBytes}` },
        });
      }
      const { from, to } = range ?? { from: 0, to: sizeBytes };
      const { content } = await services.evidence.vault.open({
        workspaceId,
        storedFileId,
        from,
        to,
      });
      // Before the first byte: who asked for it is on record whatever becomes of the rest.
      const details = { fileId, ...(range === null ? {} : range) };
      const look = { action: "evidence.file_read", subjectId: evidenceId, details } as const;
      await recordAudit(db, { workspaceId, ...look });
      const isSaid = contentType !== null && SAID.has(contentType);
      return {
        status: range === null ? 200 : 206,
        body: null,
        headers: {
          ...attachmentHeaders({
            name,
            contentType: isSaid ? contentType : null,
            sizeBytes: to - from,
          }),
          "accept-ranges": "bytes",
          etag,
          ...(range === null ? {} : { "content-range": `bytes ${from}-${to - 1}/${sizeBytes}` }),
        },
        stream: content,
      };
    },
  }),
];
