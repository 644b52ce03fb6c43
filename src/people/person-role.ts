/** What a person may do with the workspace's register in chats, beside what everybody may. */
export const ROLES = ["employee", "officer", "auditor"] as const;
export type Role = (typeof ROLES)[number];
