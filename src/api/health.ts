import { type Request, type Response, Router } from "express";
import { type ConnectorHealth, healthOfConnectors } from "../connectors/index.ts";
import { sendFigures } from "../outbound/index.ts";
import { createAuthentication } from "./authentication.ts";
import type { Services } from "./services.ts";

const CHECK_TIMEOUT_MS = 2_000;

type Checks = Record<string, { ok: boolean; detail?: string }>;

async function checked(work: Promise<unknown>): Promise<Checks[string]> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), CHECK_TIMEOUT_MS);
  });
  try {
    await Promise.race([work, timeout]);
    return { ok: true };
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message.slice(0, 200) : "failed" };
  } finally {
    clearTimeout(timer);
  }
}

/** How updates come in, of a connector that was looked at; `lastError` only when there is one. */
function connectorHealth(health: ConnectorHealth | undefined) {
  if (health === undefined) {
    return { pendingUpdates: null, gaps: { missing: 0, since: null, ranges: [] }, reasons: [] };
  }
  const { connectorId: _id, lastError, lastErrorAt, ...rest } = health;
  return { ...rest, ...(lastError === null ? {} : { lastError, lastErrorAt }) };
}

/** Alive, able to take work, figures for Prometheus, and the health of the integration. */
export function healthRoutes(services: Services): Router {
  const { db, jobs, metrics } = services;
  const { principalOf } = createAuthentication(services);
  const router = Router();

  const checks = async (): Promise<Checks> => {
    const [database, wakes] = await Promise.all([
      checked(db.query("SELECT 1 FROM jobs LIMIT 1")),
      checked(jobs.check()),
    ]);
    return { database, wakes };
  };

  router.get("/healthz", (_request: Request, response: Response) => {
    response.json({ status: "alive" });
  });
  router.get("/readyz", async (_request: Request, response: Response) => {
    const found = await checks();
    // Without wakes the sweep carries the work: slower, but able.
    const ready = found.database?.ok === true;
    response
      .status(ready ? 200 : 503)
      .json({ status: ready ? "ready" : "not ready", checks: found });
  });
  router.get("/metrics", async (_request: Request, response: Response) => {
    response.type("text/plain; version=0.0.4").send(await metrics.text());
  });
  router.get("/api/integrations/telegram/health", async (request: Request, response: Response) => {
    const found = await checks();
    const status = !found.database?.ok ? "down" : found.wakes?.ok ? "ok" : "degraded";
    const principal = await principalOf(request.headers.authorization).catch(() => null);
    if (principal?.kind !== "workspace") {
      response.json({ status });
      return;
    }
    const { workspaceId } = principal;
    const connectors = await services.connectors.list(workspaceId, { limit: 200 });
    const ids = connectors.map(({ id }) => id);
    const health = await healthOfConnectors(db, workspaceId, ids);
    const isUnwell = [...health.values()].some(({ reasons }) => reasons.length > 0);
    const sending = await sendFigures(db, ids);
    response.json({
      status: status === "ok" && isUnwell ? "degraded" : status,
      checks: found,
      connectors: connectors.map(({ id, status: state }) => {
        const { sendRate = 0, heldUntil } = sending.get(id) ?? {};
        return {
          id,
          status: state,
          ...connectorHealth(health.get(id)),
          sendRate,
          ...(heldUntil ? { heldUntil } : {}),
        };
      }),
    });
  });
  return router;
}
