/**
 * platform: what every room stands on. Configuration, database, crypto, logging, metrics,
 * the HTTP error type, embedded services. It knows nothing about Telegram or jobs.
 */
export * from "./batcher.ts";
export {
  clientAddress,
  clientNetwork,
  networkOf,
  type TrustsProxy,
} from "./client-network.ts";
export * from "./clock.ts";
export * from "./clock-watch.ts";
export * from "./config.ts";
export { ConfigError, fail, missingSetting, oneLine } from "./config-error.ts";
export * from "./database.ts";
export { assertDatabaseReady, DatabaseNotReady } from "./database-ready.ts";
export { ENGINE_ROLE, TENANT_ROLE } from "./database-roles.ts";
export { DownloadError, type DownloadFault } from "./download-error.ts";
export { syncFolder } from "./durable-file.ts";
export * from "./embedded-postgres.ts";
export * from "./embedded-secrets.ts";
export * from "./encryption-keys.ts";
export {
  createFailureStore,
  type FailureStore,
  failureCountRetention,
} from "./failure-count.ts";
export * from "./failure-limit.ts";
export * from "./file-name.ts";
export * from "./folder-lock.ts";
export { groupBy } from "./group-by.ts";
export * from "./keyring.ts";
export { LANGUAGES, type Language, languageOf } from "./language.ts";
export * from "./log.ts";
export { withoutQuotes } from "./loggable.ts";
export { createLookup } from "./lookup.ts";
export * from "./metrics.ts";
export { migrate } from "./migrate.ts";
export type { Migration } from "./migration.ts";
export { nearestOf, nearestWord } from "./nearest-word.ts";
export * from "./problem.ts";
export * from "./project-root.ts";
export { isPublicAddress } from "./public-address.ts";
export * from "./redis-url.ts";
export * from "./retention.ts";
export {
  checkedUrl,
  type Download,
  openDownload,
  type SafeDownloadOptions,
} from "./safe-download.ts";
export type { ScannerConfig } from "./scanner-url.ts";
export { scrub } from "./scrub.ts";
export {
  findUnreadable,
  type Rewrapped,
  rewrapSealed,
  type SealedColumn,
  type UnreadableRecord,
} from "./sealed-records.ts";
export * from "./secrets.ts";
export { exactSize, shownSize } from "./shown-size.ts";
export * from "./software-version.ts";
export * from "./storage-url.ts";
export { createTurns, inBatches, takeTurn, warnUnlessAway } from "./turn.ts";
export { startWatchdog, type Watchdog } from "./watchdog.ts";
