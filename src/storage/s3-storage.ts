import { Readable } from "node:stream";
import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { S3StorageConfig } from "../platform/index.ts";
import { contentOfFile } from "./file-content.ts";
import { abortUploads } from "./s3-uploads.ts";
import {
  type PutOptions,
  partsOfKey,
  type Storage,
  StoredFileMissing,
  StoredFileRefused,
  type StoredObject,
} from "./storage.ts";

/** Parts of an upload: one is being sent while the next is read. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 2;
const CONNECT_TIMEOUT_MS = 5_000;
/** Without a byte for this long a request is over. */
const SILENCE_TIMEOUT_MS = 30_000;
/** Until the answer begins, a part's upload included; its content may then take what it takes. */
const ANSWER_TIMEOUT_MS = 120_000;
const MAX_ATTEMPTS = 4;

/**
 * Files in a bucket of S3, or of what speaks its language. An object of several parts is there once its
 * upload is completed; parts of uploads that never were are let go of by `tidy`.
 */
export function openS3Storage(config: S3StorageConfig): Storage {
  const { bucket: Bucket, prefix } = config;
  const client = clientOf(config);
  if (prefix === "") throw new Error("files in a bucket have a prefix: it may be others' as well");
  const root = `${prefix}/`;
  const keyOf = (key: string) => {
    partsOfKey(key);
    return `${root}${key}`;
  };

  async function put(key: string, content: AsyncIterable<Uint8Array>, { signal }: PutOptions = {}) {
    const Key = keyOf(key);
    signal?.throwIfAborted();
    let sizeBytes = 0;
    const counted = async function* () {
      for await (const part of content) {
        sizeBytes += part.length;
        yield part;
      }
    };
    const Body = Readable.from(counted(), { objectMode: false });
    const upload = new Upload({
      client,
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
      params: { Bucket, Key, Body },
    });
    const abort = () => void upload.abort();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      await upload.done();
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
      // Of an upload that ended early nobody reads the rest; a file would stay open for it.
      Body.destroy();
    }
    return { sizeBytes };
  }

  return {
    put,
    putPart: (key, part, options) => put(key, contentOfFile(part), options),
    read: async (key, from, to) => {
      const Key = keyOf(key);
      if (to <= from) return Readable.from([]);
      const Range = `bytes=${from}-${to - 1}`;
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
        if (!(Body instanceof Readable)) throw new Error("the storage answered without a body");
        return Body;
      } catch (error) {
        // A bucket that is not there is another matter, and so is one that refuses everything.
        if (isCalled("NoSuchKey", error)) throw new StoredFileMissing(key);
        if (!isCalled("InvalidObjectState", error)) throw error;
        throw new StoredFileRefused(key, "it was moved to an archive", { cause: error });
      }
    },
    sizeBytes: async (key) => {
      try {
        const head = await client.send(new HeadObjectCommand({ Bucket, Key: keyOf(key) }));
        return head.ContentLength ?? 0;
      } catch (error) {
        if (statusOf(error) === 404) return null;
        throw error;
      }
    },
    remove: async (key) => {
      await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(key) }));
    },
    list: (begins) => listObjects(client, Bucket, root, begins),
    tidy: (olderThanMs) =>
      abortUploads(client, { bucket: Bucket, root, beforeMs: Date.now() - olderThanMs }),
    close: () => client.destroy(),
  };
}

function clientOf({ region, endpoint, credentials }: S3StorageConfig): S3Client {
  return new S3Client({
    region,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_TIMEOUT_MS,
      requestTimeout: ANSWER_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    }),
    // Servers other than Amazon's have one name for all their buckets.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    // Checksums that came late are unknown to many servers; what is stored is authenticated anyway.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
}

async function* listObjects(
  client: S3Client,
  Bucket: string,
  root: string,
  begins: string,
): AsyncGenerator<StoredObject> {
  let ContinuationToken: string | undefined;
  do {
    const Prefix = `${root}${begins}`;
    const page = await client.send(new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }));
    for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
      const changedAt = LastModified ?? new Date();
      yield { key: Key.slice(root.length), sizeBytes: Size, changedAt };
    }
    ContinuationToken = page.NextContinuationToken;
  } while (ContinuationToken !== undefined);
}

const isCalled = (name: string, error: unknown) =>
  error instanceof S3ServiceException && error.name === name;

const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
