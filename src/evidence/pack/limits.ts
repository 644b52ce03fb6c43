/** What one pack may hold. It is told before the first byte is written. */
export interface PackLimits {
  evidence: number;
  /** Files that its evidence has, also those whose content is not here. */
  files: number;
  /** Of all files together. */
  bytes: number;
  /** Of the audit log, from the first that is about its evidence to the last. */
  entries: number;
}

export const PACK_LIMITS: PackLimits = {
  evidence: 1_000,
  files: 2_000,
  bytes: 20 * 1024 ** 3,
  entries: 1_000_000,
};

/** Says how a manifest is to be read: see docs/evidence.md. */
export const MANIFEST_FORMAT = "heliograph-evidence-pack-1";

export type PackFault = "nothing" | "too-much" | "unsealed";

/** No pack is made, and why, in words for who asked. */
export class PackRefused extends Error {
  override name = "PackRefused";
  readonly fault: PackFault;

  constructor(fault: PackFault, message: string) {
    super(message);
    this.fault = fault;
  }
}
