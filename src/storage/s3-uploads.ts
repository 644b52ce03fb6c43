import {
  AbortMultipartUploadCommand,
  ListMultipartUploadsCommand,
  type S3Client,
  S3ServiceException,
} from "@aws-sdk/client-s3";
import { isKey } from "./storage.ts";

export interface OldUploads {
  bucket: string;
  /** What our keys in the bucket begin with. */
  root: string;
  /** Those that began before it, in ms since the epoch. */
  beforeMs: number;
}

/**
 * Aborts uploads that nobody ended: their parts are paid for, and nothing will complete them. Only under
 * keys of ours, whatever the server lists: a bucket may be others' as well, and their uploads may take
 * longer. Answers how many.
 */
export async function abortUploads(
  client: S3Client,
  { bucket: Bucket, root: Prefix, beforeMs }: OldUploads,
): Promise<number> {
  const isOurs = (key: string) => key.startsWith(Prefix) && isKey(key.slice(Prefix.length));
  let gone = 0;
  let KeyMarker: string | undefined;
  let UploadIdMarker: string | undefined;
  for (;;) {
    const page = await client.send(
      new ListMultipartUploadsCommand({ Bucket, Prefix, KeyMarker, UploadIdMarker }),
    );
    for (const { Key = "", UploadId, Initiated } of page.Uploads ?? []) {
      if (!isOurs(Key) || (Initiated?.getTime() ?? beforeMs) >= beforeMs) continue;
      if (await abortUpload(client, { Bucket, Key, UploadId })) gone++;
    }
    if (!page.IsTruncated || page.NextKeyMarker === undefined) return gone;
    // A server that gives the same page for ever.
    if (page.NextKeyMarker === KeyMarker && page.NextUploadIdMarker === UploadIdMarker) return gone;
    KeyMarker = page.NextKeyMarker;
    UploadIdMarker = page.NextUploadIdMarker;
  }
}

/** False: it has ended by itself meanwhile. */
async function abortUpload(
  client: S3Client,
  upload: { Bucket: string; Key: string; UploadId: string | undefined },
): Promise<boolean> {
  try {
    await client.send(new AbortMultipartUploadCommand(upload));
    return true;
  } catch (error) {
    if (error instanceof S3ServiceException && error.$metadata.httpStatusCode === 404) return false;
    throw error;
  }
}
