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
import { assertKey, type Storage, StoredFileMissing } from "./storage.ts";
import type { StorageConfig } from "./storage-url.ts";

/** Parts of an upload: one is being sent while the next is read. */
const PART_BYTES = 8 * 1024 * 1024;
const PARTS_AT_ONCE = 2;
const CONNECT_TIMEOUT_MS = 5_000;
/** Without a byte for this long a request is over. */
const SILENCE_TIMEOUT_MS = 30_000;
const MAX_ATTEMPTS = 4;

export interface S3StorageOptions extends Omit<Extract<StorageConfig, { kind: "s3" }>, "kind"> {
  /** Default: where S3's clients look for them by themselves. */
  credentials?: { accessKeyId: string; secretAccessKey: string };
}

/**
 * Files in a bucket of S3, or of what speaks its language. An object of several parts is there once its
 * upload is completed; parts of uploads that never were are let go of by `tidy`.
 */
export function openS3Storage(options: S3StorageOptions): Storage {
  const { bucket: Bucket, prefix, region, endpoint, credentials } = options;
  const client = new S3Client({
    region,
    maxAttempts: MAX_ATTEMPTS,
    requestHandler: new NodeHttpHandler({
      connectionTimeout: CONNECT_TIMEOUT_MS,
      socketTimeout: SILENCE_TIMEOUT_MS,
    }),
    // Servers other than Amazon's have one name for all their buckets.
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
    // Checksums that came late are unknown to many servers; what is stored is authenticated anyway.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
  });
  const root = prefix === "" ? "" : `${prefix}/`;
  const keyOf = (key: string) => {
    assertKey(key);
    return `${root}${key}`;
  };
  return {
    put: async (key, content, { signal } = {}) => {
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
        leavePartsOnError: false,
        params: { Bucket, Key: keyOf(key), Body: Readable.from(counted(), { objectMode: false }) },
      });
      const abort = () => void upload.abort().catch(() => {});
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort, { once: true });
      try {
        await upload.done();
      } finally {
        signal?.removeEventListener("abort", abort);
      }
      return { sizeBytes };
    },
    read: async (key, from, to) => {
      if (to <= from) return Readable.from([]);
      const Range = `bytes=${from}-${to - 1}`;
      const request = new GetObjectCommand({ Bucket, Key: keyOf(key), Range });
      const { Body } = await client.send(request).catch((error) => {
        throw isMissing(error) ? new StoredFileMissing(key) : error;
      });
      return Body as Readable;
    },
    sizeBytes: async (key) => {
      try {
        const head = await client.send(new HeadObjectCommand({ Bucket, Key: keyOf(key) }));
        return head.ContentLength ?? 0;
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    },
    remove: async (key) => {
      await client.send(new DeleteObjectCommand({ Bucket, Key: keyOf(key) }));
    },
    list: async function* (begins) {
      let ContinuationToken: string | undefined;
      do {
        const Prefix = `${root}${begins}`;
        const page = await client.send(
          new ListObjectsV2Command({ Bucket, Prefix, ContinuationToken }),
        );
        for (const { Key = "", Size = 0, LastModified } of page.Contents ?? []) {
          yield {
            key: Key.slice(root.length),
            sizeBytes: Size,
            changedAt: LastModified ?? new Date(0),
          };
        }
        ContinuationToken = page.NextContinuationToken;
      } while (ContinuationToken !== undefined);
    },
    tidy: async (olderThanMs) => {
      const before = Date.now() - olderThanMs;
      let gone = 0;
      let KeyMarker: string | undefined;
      let UploadIdMarker: string | undefined;
      for (;;) {
        const page = await client.send(
          new ListMultipartUploadsCommand({ Bucket, Prefix: root, KeyMarker, UploadIdMarker }),
        );
        for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
          if ((Initiated?.getTime() ?? Number.POSITIVE_INFINITY) >= before) continue;
          await client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId }));
          gone++;
        }
        if (!page.IsTruncated) return gone;
        KeyMarker = page.NextKeyMarker;
        UploadIdMarker = page.NextUploadIdMarker;
      }
    },
  };
}

const isMissing = (error: unknown) =>
  error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404;
