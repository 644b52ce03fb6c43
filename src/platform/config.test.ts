import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "@jest/globals";
import express from "express";
import { loadConfig } from "./config.ts";
import { ConfigError, missingSetting } from "./config-error.ts";

const folder = mkdtempSync(path.join(tmpdir(), "heliograph-config-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const key = (fill: number) => Buffer.alloc(32, fill).toString("base64");

function errorOf(env: Record<string, string>): ConfigError {
  try {
    loadConfig(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return error as ConfigError;
  }
  throw new Error(`accepted ${Object.keys(env).join(", ")}`);
}

describe("loadConfig", () => {
  test("an empty environment is enough: embedded everything, port 3000", () => {
    expect(loadConfig({})).toEqual({
      port: 3000,
      telegramApiRoot: "https://api.telegram.org",
      logLevel: "info",
      updatesMode: "webhook",
      retention: {},
    });
    expect(loadConfig({ PORT: "", DATABASE_URL: " ", REDIS_URL: "" })).toEqual(loadConfig({}));
  });

  test("reads every setting", () => {
    const config = loadConfig({
      PORT: "8080",
      DATABASE_URL: "postgres://me:pw@db.example.com:5433/helio",
      REDIS_URL: "rediss://:pw@cache.example.com:6380/2",
      PUBLIC_URL: "https://bots.example.com/telegram/",
      TRUSTED_PROXIES: "10.0.0.0/8, 2001:db8::/32,192.0.2.7,loopback",
      TELEGRAM_API_ROOT: "http://127.0.0.1:8081/",
      TELEGRAM_LOCAL_FILES: "/var/lib/telegram-bot-api/",
      SCANNER_URL: "clamd://[::1]:3311",
      ENCRYPTION_KEYS: `v2:${key(2)},v1:${key(1)}`,
      ADMIN_TOKEN: "let-me-in",
      LOG_LEVEL: "WARN",
      UPDATES_MODE: "polling",
      SEND_FILES_DISK_MB: "600",
      STORAGE_URL: "s3://files?region=eu-west-1",
      AWS_ACCESS_KEY_ID: "AKIAEXAMPLE",
      AWS_SECRET_ACCESS_KEY: "hunter2",
      RETENTION_FINISHED_DAYS: "2",
      RETENTION_DISCARDED_DAYS: "90",
      RETENTION_ATTEMPTS_DAYS: "3",
      RETENTION_RAW_UPDATES_DAYS: "1",
      RETENTION_UPDATE_KEYS_HOURS: "48",
    });
    expect(config).toEqual({
      port: 8080,
      databaseUrl: "postgres://me:pw@db.example.com:5433/helio",
      redis: {
        kind: "single",
        host: "cache.example.com",
        port: 6380,
        db: 2,
        password: "pw",
        tls: true,
      },
      redisUrl: "rediss://:pw@cache.example.com:6380/2",
      publicUrl: "https://bots.example.com/telegram",
      trustedProxies: ["10.0.0.0/8", "2001:db8::/32", "192.0.2.7", "loopback"],
      telegramApiRoot: "http://127.0.0.1:8081",
      telegramApiRootGiven: true,
      telegramLocalFiles: { folder: "/var/lib/telegram-bot-api" },
      scanner: { kind: "clamd", host: "::1", port: 3311 },
      encryptionKeys: [
        { version: 2, key: Buffer.alloc(32, 2) },
        { version: 1, key: Buffer.alloc(32, 1) },
      ],
      adminToken: "let-me-in",
      logLevel: "warn",
      updatesMode: "polling",
      sendFilesMaxBytes: 600 * 2 ** 20,
      storage: {
        kind: "s3",
        bucket: "files",
        prefix: "heliograph",
        region: "eu-west-1",
        credentials: { accessKeyId: "AKIAEXAMPLE", secretAccessKey: "hunter2" },
      },
      retention: {
        finishedMs: 172_800_000,
        discardedMs: 7_776_000_000,
        attemptsMs: 259_200_000,
        bodiesMs: 86_400_000,
        updateKeysMs: 172_800_000,
      },
    });
  });

  const wrong: Array<[variable: string, value: string, says: RegExp]> = [
    // Telegram delivers again for a day, and its ids begin anew after a silent week.
    ["RETENTION_UPDATE_KEYS_HOURS", "24", /from 48 to 167/],
    ["RETENTION_UPDATE_KEYS_HOURS", "168", /from 48 to 167/],
    ["RETENTION_FINISHED_DAYS", "0", /from 1 to 3650/],
    ["RETENTION_DISCARDED_DAYS", "a month", /whole number/],
    ["PORT", "web", /whole number from 0 to 65535/],
    ["PORT", "65536", /whole number/],
    ["PORT", "-1", /whole number/],
    ["PORT", "3000.5", /whole number/],
    ["DATABASE_URL", "db.example.com/helio", /not a URL/],
    ["DATABASE_URL", "mysql://u:hunter2@h/d", /postgres:\/\//],
    ["DATABASE_URL", "postgres://u:hunter2@h", /names no database/],
    ["DATABASE_URL", "postgres:///d", /names no host/],
    ["DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=prefer", /leaves open/],
    ["DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=strict", /sslmode that is none of/],
    ["DATABASE_URL", "postgres://u:hunter2@h/d?sslmode=verify-ca", /needs sslrootcert/],
    [
      "DATABASE_URL",
      "postgres://u:hunter2@h/d?sslmode=verify-full&sslrootcert=/nowhere/ca.pem",
      /sslrootcert=\/nowhere\/ca.pem, which cannot be read \(ENOENT\)/,
    ],
    ["REDIS_URL", "http://:hunter2@cache", /must begin with redis:/],
    ["REDIS_URL", "redis://:hunter2@", /needs a host/],
    ["REDIS_URL", "redis://:hunter2@h:99999", /port outside/],
    ["REDIS_URL", "redis://:hunter2@h/jobs", /database that is not a number/],
    ["REDIS_URL", "redis://:hunter2@h1,h2", /names several hosts/],
    ["REDIS_URL", "redis+sentinel://:hunter2@h1,h2", /lacks the master's name/],
    ["REDIS_URL", "redis+cluster://:hunter2@h1,h2/3", /cluster does not have/],
    ["REDIS_URL", "redis://h?pasword=hunter2", /"pasword" that is not known/],
    ["REDIS_URL", "redis://:100%hunter2@h", /write it as %25/],
    ["PUBLIC_URL", "http://bots.example.com", /must be https/],
    ["PUBLIC_URL", "bots.example.com", /must be a URL/],
    ["PUBLIC_URL", "https://u:hunter2@bots.example.com", /user or a password/],
    ["PUBLIC_URL", "https://bots.example.com:9000", /443, 80, 88, 8443/],
    ["PUBLIC_URL", "https://bots.example.com/?a=b", /end with its host or path/],
    ["TRUSTED_PROXIES", "true", /"true": must be addresses or networks/],
    ["TRUSTED_PROXIES", "1", /"1"/],
    ["TRUSTED_PROXIES", "10.0.0.1,,10.0.0.2", /"": must be/],
    ["TRUSTED_PROXIES", "proxy.example.com", /"proxy.example.com"/],
    ["TRUSTED_PROXIES", "10.0.0.0/33", /"10.0.0.0\/33"/],
    ["TRUSTED_PROXIES", "0.0.0.0/0", /"0.0.0.0\/0"/],
    ["TRUSTED_PROXIES", "::/0", /"::\/0"/],
    ["TRUSTED_PROXIES", "10.0.0.0/255.0.0.0", /255/],
    ["TRUSTED_PROXIES", "fe80::1%eth0", /eth0/],
    ["TRUSTED_PROXIES", "10.1/16", /"10.1\/16"/],
    ["TELEGRAM_API_ROOT", "ftp://bots.example.com", /begin with https/],
    ["TELEGRAM_LOCAL_FILES", "yes", /"yes": must be 1, or/],
    ["TELEGRAM_LOCAL_FILES", "files/of/bots", /absolute path/],
    ["TELEGRAM_LOCAL_FILES", "/", /absolute path/],
    ["SCANNER_URL", "127.0.0.1:3310", /must be clamd:\/\/host:port/],
    ["SCANNER_URL", "clamd://", /must be clamd/],
    ["SCANNER_URL", "clamd://u:hunter2@scanner", /a host and a port only/],
    ["ENCRYPTION_KEYS", "hunter2", /entry 1 that is not of the form v1:base64/],
    ["ENCRYPTION_KEYS", `v1:${Buffer.alloc(16).toString("base64")}`, /v1 that is not 32 bytes/],
    ["ENCRYPTION_KEYS", `v1:${key(1)},v1:${key(2)}`, /names v1 twice/],
    ["ENCRYPTION_KEYS", `v2:${key(1)},v1:${key(1)}`, /same key as v2 and v1/],
    ["ENCRYPTION_KEYS", `v1:${key(1)},v2:${key(2)}`, /begin with the newest/],
    ["ENCRYPTION_KEYS", `v0:${key(1)}`, /entry 1/],
    ["ENCRYPTION_KEYS", `v70000:${key(1)}`, /entry 1/],
    ["ADMIN_TOKEN", "hunter2 and\nmore", /visible ASCII/],
    ["LOG_LEVEL", "loud", /one of fatal, error/],
    ["UPDATES_MODE", "push", /must be webhook or polling/],
    ["STORAGE_URL", "/var/files", /must begin with file/],
    ["STORAGE_URL", "s3://key:hunter2@files", /must hold no credentials/],
    ["AWS_SECRET_ACCESS_KEY", "hunter2 and more", /visible ASCII/],
  ];
  test.each(wrong)("%s=%s is refused in one line with an example", (variable, value, says) => {
    const { message, variable: named } = errorOf({ [variable]: value });
    expect(named).toBe(variable);
    expect(message).toMatch(says);
    expect(message.startsWith(`${variable} `)).toBe(true);
    expect(message).toMatch(new RegExp(`, e\\.g\\. ${variable}=\\S`));
    expect(message).not.toContain("\n");
    expect(message).not.toContain("hunter2");
    for (const fill of [1, 2]) expect(message).not.toContain(key(fill).slice(0, 12));
  });

  test("what is taken for a trusted proxy is taken by Express, too", () => {
    const trustedProxies =
      loadConfig({
        TRUSTED_PROXIES:
          "loopback,linklocal,uniquelocal,10.0.0.0/8,10.1.2.3/32,0.0.0.0/1,::/1,::1,2001:DB8::/128,::ffff:10.0.0.1,::ffff:10.0.0.0/104",
      }).trustedProxies ?? [];
    expect(trustedProxies).toHaveLength(11);
    for (const entry of trustedProxies) {
      expect(() => express().set("trust proxy", [entry])).not.toThrow();
    }
  });

  test("half of a key of S3 is asked for the other half, and neither is where there is no S3", () => {
    const half = { AWS_SECRET_ACCESS_KEY: "hunter2" };
    const { message } = errorOf({ ...half, STORAGE_URL: "s3://files" });
    expect(message).toMatch(/^AWS_ACCESS_KEY_ID is not set, e\.g\. AWS_ACCESS_KEY_ID=/);
    expect(loadConfig({ ...half, STORAGE_URL: "file:///files" }).storage).toEqual({
      kind: "local",
      folder: "/files",
    });
  });

  test("a long value is shown cut, so that a line stays a line", () => {
    expect(errorOf({ LOG_LEVEL: "x".repeat(5_000) }).message.length).toBeLessThan(250);
  });

  test("every example is itself accepted", () => {
    const ca = path.join(folder, "not-a-certificate.pem");
    writeFileSync(ca, "hello");
    expect(errorOf({ DATABASE_URL: `postgres://h/d?sslrootcert=${ca}` }).message).toMatch(
      /holds no certificate/,
    );
    expect(() => loadConfig({ PUBLIC_URL: "https://bots.example.com" })).not.toThrow();
    expect(() =>
      loadConfig({ REDIS_URL: "redis://:password@redis.example.com:6379/0" }),
    ).not.toThrow();
  });

  test("loopback may be plain http on any port; so may a Bot API server of one's own call any port", () => {
    for (const host of ["127.0.0.1", "localhost", "[::1]"]) {
      expect(loadConfig({ PUBLIC_URL: `http://${host}:3000` }).publicUrl).toBe(
        `http://${host}:3000`,
      );
    }
    expect(() =>
      loadConfig({
        PUBLIC_URL: "https://bots.internal:9000",
        TELEGRAM_API_ROOT: "http://bot-api.internal:8081",
      }),
    ).not.toThrow();
  });

  test("TLS modes mean to the driver what they mean to psql", () => {
    const url = (query: string) =>
      loadConfig({ DATABASE_URL: `postgres://h/d${query}` }).databaseUrl;
    expect(url("?sslmode=require")).toContain("uselibpqcompat=true");
    expect(url("?sslmode=no-verify")).not.toContain("uselibpqcompat");
    expect(url("?sslmode=verify-full&sslrootcert=system")).not.toContain("sslrootcert");
  });

  test("a setting that a command needs is asked for in the same way", () => {
    expect(missingSetting("ADMIN_TOKEN").message).toMatch(
      /^ADMIN_TOKEN is not set, e\.g\. ADMIN_TOKEN=/,
    );
  });
});
