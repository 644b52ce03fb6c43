import { z } from "zod";
import { recordAudit } from "../../audit/index.ts";
import { findFileOfMessage } from "../../conversations/index.ts";
import { Problem } from "../../platform/index.ts";
import { attachmentHeaders } from "../attachment.ts";
import { defineRoute, workspaceOf } from "../route.ts";

const noMessage = () =>
  new Problem(404, "Not found", "This workspace has no such message in this conversation.");

export const messageFileRoutes = [
  defineRoute({
    method: "get",
    path: "/v1/conversations/:id/messages/:messageId/file",
    auth: "workspace",
    scope: "read",
    summary:
      "The file of a message, as an attachment, straight from Telegram: it is not stored here. 409 where it is too big or its bot is disconnected, 410 where Telegram does not give it any more.",
    params: z.object({ id: z.string().max(40), messageId: z.string().max(40) }),
    success: {
      status: 200,
      schema: z.unknown(),
      contentTypes: ["*/*"],
    },
    handler: async ({ db, services, principal, params }) => {
      const workspaceId = workspaceOf(principal);
      const which = { workspaceId, conversationId: params.id, id: params.messageId };
      const { connectorId, telegramMessageId, media } = await db.transaction(async (tx) => {
        const found = await findFileOfMessage(tx, which);
        if (found === null) throw noMessage();
        const { media: file, ...message } = found;
        if (file === null) throw new Problem(404, "No file", "The message holds no file.");
        const { sizeBytes } = file;
        const details = { connectorId: message.connectorId, conversationId: params.id, sizeBytes };
        const entry = { subjectId: params.messageId, details };
        await recordAudit(tx, { workspaceId, action: "message.file_requested", ...entry });
        return { ...message, media: file };
      });
      const asked = { workspaceId, connectorId, fileId: media.fileId };
      const file = await services.openMessageFile({
        ...asked,
        sizeBytes: media.sizeBytes ?? null,
      });
      const headers = attachmentHeaders({
        name: media.name ?? `${media.kind}-${telegramMessageId}${file.ending}`,
        contentType: media.contentType ?? null,
        sizeBytes: file.sizeBytes,
      });
      return { status: 200, body: null, headers, stream: file.content };
    },
  }),
];
