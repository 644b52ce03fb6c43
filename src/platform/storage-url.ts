import { fileURLToPath } from "node:url";

/**
 * STORAGE_URL in its two forms:
 *
 *   file:///folder
 *   s3://bucket[/prefix][?region=…&endpoint=https://…]      prefix: heliograph, where none is named
 *
 * Credentials of S3 never stand in the address: they are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
 * AWS_SESSION_TOKEN, or what the machine itself is given (a role).
 */
export type StorageConfig = LocalStorageConfig | S3StorageConfig;

export interface LocalStorageConfig {
  kind: "local";
  folder: string;
}

export interface S3StorageConfig {
  kind: "s3";
  bucket: string;
  /** Without slashes at its ends; what lies under it is ours alone. */
  prefix: string;
  region: string;
  /** Undefined: Amazon's own. */
  endpoint?: string;
  /** Undefined: where S3's client looks for them by itself. */
  credentials?: S3Credentials;
}

export interface S3Credentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

const DEFAULT_REGION = "us-east-1";
/** A bucket may be others' as well: what we list and tidy up is never all of it. */
const DEFAULT_PREFIX = "heliograph";
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/;
const REGION = /^[a-z0-9-]{1,40}$/;

/** @throws with what is wrong, never with the address itself */
export function parseStorageUrl(text: string): StorageConfig {
  const url = addressOf(text);
  if (url === null) throw new Error("is no address: must begin with file:/// or s3://");
  if (url.username !== "" || url.password !== "") {
    throw new Error("must hold no credentials: they are AWS_ACCESS_KEY_ID and its like");
  }
  if (url.hash !== "") throw new Error("has something behind a #");
  if (url.protocol === "file:") return parseFolder(url);
  if (url.protocol !== "s3:") throw new Error("must begin with file:/// or s3://");
  return parseBucket(url);
}

function parseFolder(url: URL): LocalStorageConfig {
  if (url.search !== "") throw new Error("has something behind its folder");
  if (url.host !== "") throw new Error("names a host: a folder begins with three slashes");
  let folder: string;
  try {
    folder = fileURLToPath(url);
  } catch {
    throw new Error("names no folder");
  }
  if (folder.includes("\0")) throw new Error("names no folder");
  if (folder === "/") throw new Error("names the root of the disk: name a folder");
  return { kind: "local", folder: folder.replace(/\/+$/, "") };
}

function parseBucket(url: URL): S3StorageConfig {
  if (!BUCKET.test(url.hostname) || url.port !== "") throw new Error("names no bucket");
  const prefix = url.pathname.replace(/^\/|\/$/g, "");
  if (prefix !== "" && !PREFIX.test(prefix)) {
    throw new Error("has a prefix of other characters than letters, digits, -, _ and /");
  }
  for (const name of url.searchParams.keys()) {
    if (name !== "region" && name !== "endpoint") {
      throw new Error("has parameters other than region and endpoint");
    }
  }
  const region = url.searchParams.get("region") ?? DEFAULT_REGION;
  if (!REGION.test(region)) throw new Error("has a region that is none");
  const endpoint = url.searchParams.get("endpoint");
  return {
    kind: "s3",
    bucket: url.hostname,
    prefix: prefix === "" ? DEFAULT_PREFIX : prefix,
    region,
    ...(endpoint === null ? {} : { endpoint: parseEndpoint(endpoint) }),
  };
}

function parseEndpoint(text: string): string {
  const url = addressOf(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new Error("has an endpoint that is no http:// or https:// address");
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new Error("has an endpoint with more than a host and a path");
  }
  return url.toString().replace(/\/+$/, "");
}

function addressOf(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}
