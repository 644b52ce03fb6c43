import { createBullBoard } from "@bull-board/api";
import { BullMQAdapter } from "@bull-board/api/bullMQAdapter";
import { ExpressAdapter } from "@bull-board/express";
import { type Request, type Response, Router } from "express";
import type { Jobs } from "../jobs/index.ts";

const BASE_PATH = "/console/queues";

/**
 * The board styles its elements inline and asks another host for a font, which it does without;
 * its scripts are files.
 */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'self'",
  "frame-ancestors 'none'",
].join("; ");

/**
 * bull-board over the queues of wakes: the second opinion on the transport, while the ledger's own
 * pages show the jobs. Read-only twice: by its own setting, and because nothing but reading passes.
 */
export function createBoard(jobs: Jobs): Router {
  const serverAdapter = new ExpressAdapter().setBasePath(BASE_PATH);
  const queues = jobs.boardQueues().map(
    (queue) =>
      new BullMQAdapter(queue as ConstructorParameters<typeof BullMQAdapter>[0], {
        readOnlyMode: true,
        description: "Wakes: the news that lanes are due. The jobs are on the console's own pages.",
      }),
  );
  createBullBoard({ queues, serverAdapter, options: { uiConfig: { boardTitle: "Wakes" } } });
  const board = serverAdapter.getRouter() as Router;
  serverAdapter.getRouter().disable("x-powered-by");
  const router = Router();
  router.use((request: Request, response: Response, next) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.status(405).set("allow", "GET, HEAD").json({ error: "The board is read-only." });
      return;
    }
    response.set("content-security-policy", POLICY);
    next();
  });
  router.use(board);
  return router;
}
