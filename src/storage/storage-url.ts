import { fileURLToPath } from "node:url";

/**
 * STORAGE_URL in its two forms:
 *
 *   file:///folder
 *   s3://bucket[/prefix][?region=…&endpoint=https://…]
 *
 * Credentials of S3 come from where its clients look for them by themselves (AWS_ACCESS_KEY_ID and
 * AWS_SECRET_ACCESS_KEY, a profile, a role of the machine), never from the address.
 */
export type StorageConfig =
  | { kind: "local"; folder: string }
  | { kind: "s3"; bucket: string; prefix: string; region: string; endpoint?: string };

const DEFAULT_REGION = "us-east-1";
const BUCKET = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/;
const PREFIX = /^[A-Za-z0-9_-]+(\/[A-Za-z0-9_-]+)*$/;

/** @throws with what is wrong, never with the address itself */
export function parseStorageUrl(text: string): StorageConfig {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Error("is no address: must begin with file:/// or s3://");
  }
  if (url.username !== "" || url.password !== "") {
    throw new Error("must hold no credentials: they come from the environment of S3's own clients");
  }
  if (url.protocol === "file:") {
    if (url.search !== "" || url.hash !== "") throw new Error("has something behind its folder");
    if (url.host !== "") throw new Error("names a host: a folder begins with three slashes");
    const folder = fileURLToPath(url);
    if (folder === "/") throw new Error("names the root of the disk: name a folder");
    return { kind: "local", folder };
  }
  if (url.protocol !== "s3:") throw new Error("must begin with file:/// or s3://");
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
  const endpoint = url.searchParams.get("endpoint") ?? undefined;
  if (endpoint !== undefined && !/^https?:$/.test(URL.parse(endpoint)?.protocol ?? "")) {
    throw new Error("has an endpoint that is no http:// or https:// address");
  }
  const region = url.searchParams.get("region") ?? DEFAULT_REGION;
  return { kind: "s3", bucket: url.hostname, prefix, region, ...(endpoint ? { endpoint } : {}) };
}
