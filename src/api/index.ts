/**
 * api: REST for workspaces, its OpenAPI description, health, metrics, and the web server that
 * carries them together with the receiver. Routes are data: what is described is what is served.
 */
export { idempotencyRetention } from "./idempotency.ts";
export { newConnector } from "./routes/connectors.ts";
export type { Services } from "./services.ts";
export { createWebServer, type WebServer, type WebServerOptions } from "./web-server.ts";
