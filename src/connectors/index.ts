/**
 * connectors: workspaces and their API keys, bots with their credentials and webhooks. The only
 * room that opens a bot's token, and the one that says whose a webhook request is.
 */
export { type BotApis, ConnectorRemoved, createBotApis } from "./bot-apis.ts";
export { type DirectoryEntry, listDirectory } from "./connector-directory.ts";
export {
  type Connectors,
  type ConnectorsOptions,
  type ConnectorView,
  createConnectors,
  type NewConnector,
  type RemovedConnector,
} from "./connectors.ts";
export {
  createWebhookDirectory,
  type WebhookDirectory,
  type WebhookOwner,
} from "./webhook-directory.ts";
export { createWorkspace, findWorkspaceOfKey, type NewWorkspace } from "./workspaces.ts";
