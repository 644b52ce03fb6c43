/** Bytes `from` up to and without `to`. */
export interface ByteRange {
  from: number;
  to: number;
}

/**
 * What of a file of `sizeBytes` is asked for (RFC 9110, Range). Null: all of it, also where the header says
 * what cannot be read, another unit or several ranges at once, which need not be honoured.
 * `unsatisfiable`: nothing that the file has. Pure.
 *
 * @param condition the `If-Range` header: a range of another file than this is not asked for
 */
export function rangeOf(
  header: string | undefined,
  sizeBytes: number,
  { condition, etag }: { condition?: string; etag: string },
): ByteRange | null | "unsatisfiable" {
  if (header === undefined || (condition !== undefined && condition !== etag)) return null;
  const [, first = "", last = ""] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header.trim()) ?? [];
  if (first === "" && last === "") return null;
  if (first === "") {
    const from = Math.max(0, sizeBytes - Number(last));
    return Number(last) === 0 || sizeBytes === 0 ? "unsatisfiable" : { from, to: sizeBytes };
  }
  const from = Number(first);
  if (last !== "" && Number(last) < from) return null;
  if (from >= sizeBytes) return "unsatisfiable";
  return { from, to: last === "" ? sizeBytes : Math.min(Number(last) + 1, sizeBytes) };
}
