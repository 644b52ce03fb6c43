/**
 * connectors: workspaces and their API keys, bots with their credentials and webhooks. The only
 * room that opens a bot's token, and the one that says whose a webhook request is. It also looks
 * after the bots: which updates did not arrive, and what waits at Telegram.
 */
export {
  type ApiKeyView,
  createApiKey,
  findKeyHolder,
  type KeyHolder,
  listApiKeys,
  type NewApiKey,
  revokeApiKey,
} from "./api-keys.ts";
export { type BotApis, ConnectorRemoved, createBotApis, SEALED_COLUMNS } from "./bot-apis.ts";
export type { BotCommand, CommandList } from "./command-lists.ts";
export {
  type DirectoryEntry,
  listDirectory,
  workspaceOfConnector,
} from "./connector-directory.ts";
export {
  type ConnectorHealth,
  defineConnectorMetrics,
  healthOfConnectors,
} from "./connector-health.ts";
export {
  type ConnectorSettings,
  DEBUG_LEVELS,
  type DebugSettings,
  debugInForce,
  REGISTER_ACCESS,
  type RegisterAccess,
} from "./connector-settings.ts";
export {
  type ConnectorWatch,
  type ConnectorWatchOptions,
  startConnectorWatch,
} from "./connector-watch.ts";
export {
  type Connectors,
  type ConnectorsOptions,
  type ConnectorView,
  createConnectors,
  type NewConnector,
  type RemovedConnector,
} from "./connectors.ts";
export { KEY_SCOPES, type KeyScope } from "./key-scopes.ts";
export {
  type AskedFile,
  createMessageFiles,
  MAX_MESSAGE_FILE_BYTES,
  type MessageFile,
  type OpenMessageFile,
} from "./message-file.ts";
export { BOT_TOKEN_SHAPE } from "./prove-token.ts";
export { createSeenUpdates, type SeenUpdates } from "./seen-updates.ts";
export type { ConnectionTest } from "./test-connection.ts";
export type { WaitingSends } from "./waiting-sends.ts";
export {
  createWebhookDirectory,
  type WebhookDirectory,
  type WebhookOwner,
} from "./webhook-directory.ts";
export { changeWorkspace, createWorkspace, type NewWorkspace } from "./workspaces.ts";
