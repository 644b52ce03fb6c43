/**
 * Why a file could not be downloaded:
 *
 * bad-url          no http(s) address, or one with a user or a password in it
 * private-address  it lies, or its name leads, where only this machine or its network reaches
 * refused          its server says no (4xx), or leads in circles: the same again the next time
 * too-large        larger than was asked for
 * unavailable      its server cannot be reached, fails, or breaks off: perhaps later
 * late             not over in time
 * aborted          the caller's signal ended it
 */
export type DownloadFault =
  | "bad-url"
  | "private-address"
  | "refused"
  | "too-large"
  | "unavailable"
  | "late"
  | "aborted";

const MAY_PASS: readonly DownloadFault[] = ["unavailable", "late", "aborted"];

/** Neither it nor a cause holds the URL: what is signed into it opens the file for anybody. */
export class DownloadError extends Error {
  override name = "DownloadError";
  readonly fault: DownloadFault;

  /** `detail`: in words, without the URL and without what the server said. */
  constructor(fault: DownloadFault, detail: string) {
    super(detail);
    this.fault = fault;
  }

  /** True where the same download would fail again. */
  get isFinal(): boolean {
    return !MAY_PASS.includes(this.fault);
  }
}
