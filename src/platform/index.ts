/**
 * platform: what every room stands on. Configuration, database, crypto, logging, metrics,
 * the HTTP error type, embedded services. It knows nothing about Telegram or jobs.
 */
export * from "./clock.ts";
export * from "./database.ts";
export * from "./log.ts";
