import { afterEach, beforeEach, expect, test } from "@jest/globals";
import {
  type S3UploadsServer,
  startS3UploadsServer,
} from "../../test/support/s3-uploads-server.ts";
import { parseStorageUrl } from "../platform/index.ts";
import { openStorage } from "./index.ts";

const DAY_MS = 24 * 3_600_000;
const OLD_MS = 30 * DAY_MS;

let server: S3UploadsServer;
beforeEach(async () => {
  server = await startS3UploadsServer();
});
afterEach(() => server.close());

/** As it is named in STORAGE_URL. */
async function tidy(prefix: string): Promise<number> {
  const address = new URL(`s3://${server.config.bucket}/${prefix}`);
  const named = parseStorageUrl(address.href);
  if (named.kind !== "s3") throw new Error("a bucket");
  const storage = await openStorage({ ...server.config, prefix: named.prefix });
  try {
    return await storage.tidy(DAY_MS);
  } finally {
    storage.close();
  }
}

const OTHERS = [
  "backup.tar",
  "backups/monday",
  "logs/2024/01/01.gz",
  "heliograph",
  "heliograph.old/w1/a",
  "heliographs/w1",
  "heliograph/deep/er/still",
  "heliograph/report & figures/q1.pdf",
  "heliograph/w1/a.b",
  "a/heliograph/w1/a",
];

test("where no prefix is named, other programs' uploads in the bucket stay, however old", async () => {
  const ours = ["heliograph/w1/a", "heliograph/w1/b", "heliograph/w2/a"];
  for (const key of [...OTHERS, ...ours]) server.begin(key, OLD_MS);
  // Two of the same key, and one that is still being sent.
  server.begin("heliograph/w1/a", OLD_MS);
  server.begin("heliograph/w3/new", DAY_MS / 2);
  expect(await tidy("")).toBe(4);
  expect(server.left()).toEqual([...OTHERS, "heliograph/w3/new"].sort());
});

test("with a prefix it is what lies under it, in keys of ours; also where a server lists all", async () => {
  server.ignorePrefix();
  const others = [
    ...OTHERS,
    "heliograph/w1/a",
    "evidence/eu",
    "evidence/eu2/w1/a",
    "evidence/eu/w1",
  ];
  for (const key of [...others, "evidence/eu/w1/a"]) server.begin(key, OLD_MS);
  expect(await tidy("evidence/eu")).toBe(1);
  expect(server.left()).toEqual(others.sort());
});

test("one that ends by itself meanwhile keeps nobody from the next", async () => {
  server.endBeforeAbort(server.begin("heliograph/w1/a", OLD_MS));
  server.begin("heliograph/w1/b", OLD_MS);
  server.begin("heliograph/w1/c", OLD_MS);
  expect(await tidy("")).toBe(2);
  expect(server.left()).toEqual([]);
});
