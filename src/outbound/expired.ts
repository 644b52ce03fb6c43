/** The class of what was not sent before the time it was good for. */
export const EXPIRED = "expired";

export const expiredWords = (expiresAt: Date) =>
  `It was not sent before ${expiresAt.toISOString()}, the time it was good for.`;

/** Of what an earlier attempt may have sent (`unknownWords`). */
export const EXPIRED_UNKNOWN = "the time it was good for was over before it was sent again";
