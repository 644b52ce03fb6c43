import { type Request, type Response, Router } from "express";
import { type ConnectorHealth, healthOfConnectors } from "../connectors/index.ts";
import { sendFigures } from "../outbound/index.ts";
import { createAuthentication } from "./authentication.ts";
import { createChecks } from "./health-checks.ts";
import type { Services } from "./services.ts";

/** So many of a workspace's connectors are told of at once. */
const MAX_CONNECTORS = 200;

/** How updates come in, of a connector that was looked at; `lastError` only when there is one. */
function connectorHealth(health: ConnectorHealth | undefined) {
  if (health === undefined) {
    return { pendingUpdates: null, gaps: { missing: 0, since: null, ranges: [] }, reasons: [] };
  }
  const { connectorId: _id, lastError, lastErrorAt, ...rest } = health;
  return { ...rest, ...(lastError === null ? {} : { lastError, lastErrorAt }) };
}

/** Alive, able to take work, figures for Prometheus, and the health of the integration. */
export function healthRoutes(services: Omit<Services, "evidence">): Router {
  const { db, metrics } = services;
  const { principalOf } = createAuthentication(services);
  const router = Router();

  const checks = createChecks(services);

  router.get("/healthz", (_request: Request, response: Response) => {
    response.json({ status: "alive" });
  });
  router.get("/readyz", async (_request: Request, response: Response) => {
    const found = await checks();
    // Without wakes the sweep carries the work: slower, but able.
    const ready = found.database.ok;
    response
      .status(ready ? 200 : 503)
      .json({ status: ready ? "ready" : "not ready", checks: found });
  });
  router.get("/metrics", async (_request: Request, response: Response) => {
    response.type("text/plain; version=0.0.4").send(await metrics.text());
  });
  router.get("/api/integrations/telegram/health", async (request: Request, response: Response) => {
    const found = await checks();
    const status = !found.database.ok ? "down" : found.wakes.ok ? "ok" : "degraded";
    const principal = await principalOf(request.headers.authorization).catch(() => null);
    if (principal?.kind !== "workspace" || !principal.scopes.includes("read")) {
      response.json({ status });
      return;
    }
    const { workspaceId } = principal;
    const own = db.asTenant(workspaceId);
    const listed = await services.connectors.list(workspaceId, { limit: MAX_CONNECTORS + 1 });
    const connectors = listed.slice(0, MAX_CONNECTORS);
    const ids = connectors.map(({ id }) => id);
    const health = await healthOfConnectors(own, workspaceId, ids);
    const isUnwell = [...health.values()].some(({ reasons }) => reasons.length > 0);
    const sending = await sendFigures(own, ids);
    response.json({
      status: status === "ok" && isUnwell ? "degraded" : status,
      checks: found,
      connectors: connectors.map(({ id, status: state }) => {
        const { sendRate = 0, learnedRate = null, heldUntil } = sending.get(id) ?? {};
        return {
          id,
          status: state,
          ...connectorHealth(health.get(id)),
          sendRate,
          ...(learnedRate === null ? {} : { learnedRate }),
          ...(heldUntil ? { heldUntil } : {}),
        };
      }),
      // The others are not looked at here: nobody may take this for all of them.
      ...(listed.length > MAX_CONNECTORS ? { more: true } : {}),
    });
  });
  return router;
}
