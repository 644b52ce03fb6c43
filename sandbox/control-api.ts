import type { IncomingMessage, ServerResponse } from "node:http";
import { isIP } from "node:net";
import { setImmediate } from "node:timers/promises";
import express from "express";
import * as shapes from "./control-schema.ts";
import type { Core } from "./core.ts";
import { BotApiRefusal, SandboxError } from "./errors.ts";
import { streamEvents } from "./event-stream.ts";
import type { Faults } from "./faults.ts";
import type { Outages } from "./outages.ts";
import { overview } from "./overview.ts";
import { servePage } from "./page.ts";
import type { RecordEntry } from "./record.ts";
import type { RecordFile } from "./record-file.ts";
import { readFileId } from "./render.ts";
import { readCall } from "./request-body.ts";
import type { Sandbox } from "./sandbox-types.ts";

/** People send larger files than bots may fetch: that is a case worth having. */
const uploadLimitBytes = 100 * 1024 * 1024;

/**
 * Everything the `Sandbox` object does, over HTTP and JSON: for the chat page, and for tests and
 * benchmarks in other processes. Errors are `{"error": "…"}` and say what was wrong.
 */
export function controlApi(
  core: Core,
  sandbox: Sandbox,
  parts: { faults: Faults; outages: Outages; recordFile: RecordFile | undefined },
): (request: IncomingMessage, response: ServerResponse) => void {
  const { faults, outages, recordFile } = parts;
  const app = express();
  app.disable("x-powered-by");
  app.set("etag", false);
  const api = express.Router();
  api.use(refuseOtherOrigins);

  api.get("/state", (_request, response) => {
    response.json(overview(core));
  });
  api.get("/messages", (request, response) => {
    const { last, ...place } = shapes.read(shapes.chatView, request.query);
    const messages = sandbox.messages(place);
    response.json(last === undefined ? messages : messages.slice(-last));
  });
  api.get("/webhooks/:botId", (request, response) => {
    response.json(sandbox.webhookInfo(Number(request.params.botId)));
  });
  api.get("/record", (request, response) => {
    const { after, limit, kinds } = shapes.read(shapes.recordRange, request.query);
    const wanted = kinds?.split(",");
    const entries = core.record.after(after, limit);
    response.json({
      entries: entries.filter((entry) => wanted === undefined || wanted.includes(entry.kind)),
      // Where to go on from, also when nothing of the wanted kinds was among them.
      next: entries.at(-1)?.seq ?? after,
      lastSeq: core.record.lastSeq,
      // What lies between `after` and this is no longer kept: the reader has missed it.
      firstSeq: core.record.firstSeq,
      ...(recordFile?.problem !== undefined && { recordFileProblem: recordFile.problem }),
      counts: core.record.counts,
    });
  });
  api.get("/inline/:queryId", (request, response) => {
    response.json(sandbox.inlineResults(request.params.queryId));
  });
  api.get("/faults", (_request, response) => {
    response.json(faults.list());
  });
  api.get("/limits", (_request, response) => {
    response.json(core.limitRules.view());
  });
  api.get("/events", (request, response) => {
    const { kinds } = shapes.read(shapes.recordRange, request.query);
    const last = request.headers["last-event-id"];
    streamEvents(core.record, response, {
      kinds: kinds?.split(",") as RecordEntry["kind"][] | undefined,
      afterSeq: typeof last === "string" && /^\d+$/.test(last) ? Number(last) : undefined,
    });
  });
  api.get("/files/:fileId", async (request, response) => {
    const key = readFileId(request.params.fileId)?.key ?? "";
    const file = core.fileIndex.get(key);
    const content = file === undefined ? undefined : await core.files.get(key);
    if (file === undefined || content === undefined)
      throw new SandboxError(`no file ${request.params.fileId}`, 404);
    const isImage = /^image\/(png|jpeg|gif|webp)$/.test(file.contentType);
    // What somebody sent is never run here, whatever it says it is.
    response.set({
      "content-type": isImage ? file.contentType : "application/octet-stream",
      "content-disposition": isImage
        ? "inline"
        : `attachment; filename*=UTF-8''${encodeURIComponent(file.name ?? `file_${file.key}`)}`,
      "x-content-type-options": "nosniff",
      "content-security-policy": "sandbox; default-src 'none'",
      "cache-control": "private, max-age=3600",
    });
    response.end(content);
  });

  const post = (path: string, act: (body: unknown, params: Record<string, string>) => unknown) =>
    api.post(path, async (request, response) => {
      const { params: body } = await readCall(request, new URLSearchParams(), uploadLimitBytes);
      const result = await act(body, request.params as Record<string, string>);
      response.status(result === undefined ? 204 : 200);
      if (result === undefined) response.end();
      else response.json(result);
    });
  post("/users", (body) => sandbox.createUser(shapes.read(shapes.newUser, body)));
  post("/bots", (body) => sandbox.createBot(shapes.read(shapes.newBot, body)));
  post("/bots/:botId/token", (_body, { botId }) => sandbox.revokeToken(Number(botId)));
  post("/chats", (body) => sandbox.createChat(shapes.read(shapes.newChat, body)));
  post("/chats/:chatId/members", (body, { chatId }) => {
    const { memberId, status } = shapes.read(shapes.newMember, body);
    sandbox.addMember(Number(chatId), memberId, status);
  });
  post("/block", (body) => {
    const { userId, botId } = shapes.read(shapes.userAndBot, body);
    sandbox.block(userId, botId);
  });
  post("/unblock", (body) => {
    const { userId, botId } = shapes.read(shapes.userAndBot, body);
    sandbox.unblock(userId, botId);
  });
  post("/deactivate", (body) => sandbox.deactivateUser(shapes.read(shapes.userOnly, body).userId));
  post("/edit", (body) => sandbox.edit(shapes.read(shapes.edit, body)));
  post("/press", (body) => sandbox.pressButton(shapes.read(shapes.press, body)));
  post("/sends", async (body) => {
    const { sends } = shapes.read(shapes.manySends, body);
    for (const [index, each] of sends.entries()) {
      // Deliveries and calls go on in between.
      if (index % 250 === 249) await setImmediate();
      await sandbox.send(each).catch((error: Error) => {
        throw new SandboxError(`sends.${index}: ${error.message}; those before it are sent`);
      });
    }
    return { sent: sends.length };
  });
  post("/delete", (body) => sandbox.deleteMessages(shapes.read(shapes.deletion, body)));
  post("/react", (body) => sandbox.react(shapes.read(shapes.reaction, body)));
  post("/vote", (body) => sandbox.vote(shapes.read(shapes.vote, body)));
  post("/pin", (body) => sandbox.pin(shapes.read(shapes.pin, body)));
  post("/inline", (body) => sandbox.inlineQuery(shapes.read(shapes.inlineQuestion, body)));
  post("/inline/:queryId/choose", (body, { queryId = "" }) =>
    sandbox.chooseInlineResult(queryId, shapes.read(shapes.inlineChoice, body).resultId),
  );
  post("/chats/:chatId/join-requests", (body, { chatId }) =>
    sandbox.requestToJoin(Number(chatId), shapes.read(shapes.userOnly, body).userId),
  );
  post("/business", (body) => ({
    id: sandbox.connectBusiness(shapes.read(shapes.newBusinessConnection, body)),
  }));
  post("/migrate", (body) => ({ id: sandbox.migrate(shapes.read(shapes.chatOnly, body).chatId) }));
  post("/updates", (body) => {
    const { botId, update } = shapes.read(shapes.rawUpdate, body);
    return { updateId: sandbox.pushUpdate(botId, update) };
  });
  post("/faults", (body) => ({ id: sandbox.fault(shapes.readFault(body)).id }));
  post("/outages", (body) => ({ id: sandbox.outage(shapes.read(shapes.newOutage, body)).id }));
  post("/limits", (body) => sandbox.setLimits(shapes.read(shapes.newLimits, body)));
  api.post("/send", async (request, response) => {
    const { params, files } = await readCall(request, new URLSearchParams(), uploadLimitBytes);
    const body = typeof params.send === "string" ? parse(params.send) : params;
    response.json(await sandbox.send(shapes.readSend(body, files)));
  });
  api.delete("/faults", (_request, response) => {
    sandbox.clearFaults();
    response.status(204).end();
  });
  api.delete("/outages", (_request, response) => {
    outages.clear();
    response.status(204).end();
  });
  api.delete("/outages/:id", (request, response) => {
    outages.clear(Number(request.params.id));
    response.status(204).end();
  });
  api.delete("/faults/:id", (request, response) => {
    faults.clear(Number(request.params.id));
    response.status(204).end();
  });
  api.delete("/business/:id", (request, response) => {
    sandbox.disconnectBusiness(request.params.id);
    response.status(204).end();
  });
  api.delete("/chats/:chatId/members/:memberId", (request, response) => {
    const { how } = shapes.read(shapes.removal, request.query);
    sandbox.removeMember(Number(request.params.chatId), Number(request.params.memberId), how);
    response.status(204).end();
  });

  app.use("/sandbox/api", api);
  servePage(app);
  app.use((request, response) => {
    response.status(404).json({ error: `nothing at ${request.method} ${request.path}` });
  });
  app.use(answerError);
  return app;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new SandboxError('part "send" is not JSON');
  }
}

/**
 * A page from elsewhere, open in the same browser, must not drive the sandbox. Its own page is
 * recognised by origin and host being one, and the host a number or localhost, never a name that
 * somebody may have pointed here.
 */
function refuseOtherOrigins(
  request: express.Request,
  _response: express.Response,
  next: express.NextFunction,
): void {
  const { origin, host = "" } = request.headers;
  if (origin !== undefined) {
    const hostname = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
    const known = hostname === "localhost" || isIP(hostname) !== 0;
    if (!known || origin !== `http://${host}`)
      throw new SandboxError(`a page of ${origin} may not use the sandbox`, 403);
  }
  next();
}

/** Express knows an error handler by its four parameters. */
function answerError(
  error: unknown,
  _request: express.Request,
  response: express.Response,
  _next: express.NextFunction,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const status =
    error instanceof SandboxError
      ? error.status
      : error instanceof BotApiRefusal
        ? error.errorCode
        : 500;
  const message = status === 500 ? "the sandbox failed; see its source" : (error as Error).message;
  response.status(status).json({ error: message });
}
