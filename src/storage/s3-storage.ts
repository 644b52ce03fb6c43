import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import type { S3StorageConfig } from "../platform/index.ts";
import {
  type PutOptions,
  partsOfKey,
  type Storage,
  StoredFileMissing,
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
const READ_BYTES = 256 * 1024;

/**
 * Files in a bucket of S3, or of what speaks its language. An object of several parts is there once its
 * upload is completed; parts of uploads that never were are let go of by `tidy`.
 */
export function openS3Storage(config: S3StorageConfig): Storage {
  const { bucket: Bucket, prefix } = config;
  const client = clientOf(config);
  const root = prefix === "" ? "" : `${prefix}/`;
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
    const upload = new Upload({
      client,
      partSize: PART_BYTES,
      queueSize: PARTS_AT_ONCE,
      params: { Bucket, Key, Body: Readable.from(counted(), { objectMode: false }) },
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
    }
    return { sizeBytes };
  }

  return {
    put,
    putPart: async (key, part, options) =>
      put(key, createReadStream(part, { highWaterMark: READ_BYTES }), options),
    read: async (key, from, to) => {
      const Key = keyOf(key);
      if (to <= from) return Readable.from([]);
      const Range = `bytes=${from}-${to - 1}`;
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key, Range }));
        if (!(Body instanceof Readable)) throw new Error("the storage answered without a body");
        return Body;
      } catch (error) {
        // A bucket that is not there is another matter.
        throw isNoSuchKey(error) ? new StoredFileMissing(key) : error;
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
    tidy: (olderThanMs) => abortUploads(client, Bucket, root, Date.now() - olderThanMs),
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

/** Aborts uploads that began before then: their parts are paid for, and nothing will complete them. */
async function abortUploads(
  client: S3Client,
  Bucket: string,
  Prefix: string,
  beforeMs: number,
): Promise<number> {
  let gone = 0;
  let KeyMarker: string | undefined;
  let UploadIdMarker: string | undefined;
  for (;;) {
    const page = await client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix, KeyMarker, UploadIdMarker }),
    );
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if ((Initiated?.getTime() ?? beforeMs) >= beforeMs) continue;
      await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
      gone++;
    }
    if (!page.IsTruncated || page.NextKeyMarker === undefined) return gone;
    KeyMarker = page.NextKeyMarker;
    UploadIdMarker = page.NextUploadIdMarker;
  }
}

const isNoSuchKey = (error: unknown) =>
  error instanceof S3ServiceException && error.name === "NoSuchKey";

const statusOf = (error: unknown): number | undefined =>
  error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
