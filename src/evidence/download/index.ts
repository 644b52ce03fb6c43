/**
 * download: fetches what people hand in from Telegram into the vault, whole or not at all, resumed where
 * it was cut off, looked at by a scanner where there is one; and tells their senders what became of it.
 */
export { createClamd } from "./clamd.ts";
export { createDownloadHandler, type DownloadOptions } from "./download-handler.ts";
export { DownloadFault, type FaultKind } from "./fault.ts";
export { createDownloadHooks } from "./hooks.ts";
export { type Scanner, ScannerAway, type ScanVerdict } from "./scanner.ts";
export type { FoundFile, LargeFileSource, OpenSource, WantedFile } from "./source.ts";
