/** Who may talk to a bot: everyone, or those of the workspace that are meant. */
export const ACCESS_LEVELS = ["everyone", "members", "agents", "named"] as const;
export type AccessLevel = (typeof ACCESS_LEVELS)[number];

/**
 * Whether an account may talk to a bot. `person`: whom of the workspace the account is bound to, null
 * for nobody; `named`: by this very connector. Levels don't include each other: who is named need not
 * be an agent.
 */
export function mayTalk(
  level: AccessLevel,
  person: { agentEnabled: boolean; named: boolean } | null,
): boolean {
  switch (level) {
    case "everyone":
      return true;
    case "members":
      return person !== null;
    case "agents":
      return person?.agentEnabled === true;
    case "named":
      return person?.named === true;
  }
}
