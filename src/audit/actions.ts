/**
 * The closed list of what is recorded, with the kind of its subject and the names of what an entry may
 * say beside it. Ids, kinds, counts, times and names of fields: never their values, a text, a name, a
 * token or a number to call.
 */
const FILTER = [
  "queue",
  "states",
  "lane",
  "connectorId",
  "chatId",
  "updateId",
  "errorClass",
  "words",
  "createdFrom",
  "createdTo",
] as const;

export const AUDIT_ACTIONS = {
  "workspace.created": { subject: "workspace", details: [] },
  "workspace.updated": { subject: "workspace", details: ["fields"] },
  "key.created": { subject: "api_key", details: ["scopes", "expiresAt"] },
  "key.revoked": { subject: "api_key", details: [] },
  "encryption_keys.rotated": {
    subject: "encryption_key",
    details: ["keyVersion", "rewrapped", "unreadable", "left"],
  },
  // A row and a sealed token are here; Telegram is told next.
  "connector.added": { subject: "connector", details: ["adopted"] },
  "connector.connected": { subject: "connector", details: [] },
  // The connect failed, and the bot is free again.
  "connector.abandoned": { subject: "connector", details: [] },
  "connector.updated": { subject: "connector", details: ["fields"] },
  "connector.token_replaced": { subject: "connector", details: [] },
  "connector.tested": { subject: "connector", details: [] },
  // Somebody else changed the webhook at Telegram; it is registered again.
  "connector.webhook_drifted": { subject: "connector", details: ["isOfKinds"] },
  "connector.removed": { subject: "connector", details: ["webhookRemoved"] },
  "connector.disabled": { subject: "connector", details: [] },
  "connector.person_named": { subject: "connector", details: ["personId"] },
  "connector.person_unnamed": { subject: "connector", details: ["personId"] },
  // A code that links a group to it.
  "connector.code_created": { subject: "connector", details: ["purpose", "expiresAt"] },
  "person.created": { subject: "person", details: [] },
  "person.updated": { subject: "person", details: ["fields"] },
  "person.removed": { subject: "person", details: ["wasBound"] },
  "person.link_created": { subject: "person", details: ["connectorId", "expiresAt"] },
  // A Telegram account confirmed a link: it is that person from now on.
  "person.bound": { subject: "person", details: ["connectorId"] },
  // What it was stays on record; of so many files the content goes.
  "evidence.content_removed": { subject: "evidence", details: ["count", "why"] },
  // With a person: by a command in the group itself.
  "chat.linked": { subject: "chat", details: ["connectorId", "purpose", "personId"] },
  "chat.unlinked": { subject: "chat", details: ["connectorId", "purpose", "personId"] },
  // The group became a supergroup: the link goes with it.
  "chat.link_moved": { subject: "chat", details: ["connectorId", "from"] },
  // What it is where it is more than a text: a deletion, say; and which files of evidence it carries.
  "message.submitted": {
    subject: "message",
    details: ["connectorId", "conversationId", "content", "evidenceFileIds"],
  },
  "message.cancelled": { subject: "message", details: ["connectorId"] },
  "message.replaced": { subject: "message", details: ["connectorId", "fields"] },
  // What a person says became of one of which nobody knew.
  "message.resolved": { subject: "message", details: ["connectorId", "verdict"] },
  "approval_rule.created": { subject: "approval_rule", details: ["connectorId"] },
  "approval_rule.updated": { subject: "approval_rule", details: ["fields"] },
  "approval_rule.removed": { subject: "approval_rule", details: [] },
  // A message waits; versions are SHA-256 of all that is sent.
  "approval.requested": {
    subject: "message",
    details: ["ruleId", "needed", "version", "expiresAt"],
  },
  "approval.approved": { subject: "message", details: ["approver", "version", "missing"] },
  "approval.edited": { subject: "message", details: ["approver", "from", "to", "missing"] },
  "approval.rejected": { subject: "message", details: ["approver", "version"] },
  "approval.expired": { subject: "message", details: [] },
  // Somebody tried who may not, or too late, or who had seen something else.
  "approval.refused": { subject: "message", details: ["why", "approver", "connectorId"] },
  // By the person in their own chat, or by the workspace.
  "chat.broadcasts_refused": { subject: "chat", details: ["connectorId"] },
  "chat.broadcasts_allowed": { subject: "chat", details: ["connectorId"] },
  "chat.tagged": { subject: "chat", details: ["connectorId", "count"] },
  "broadcast.created": { subject: "broadcast", details: ["connectorId", "count"] },
  "broadcast.paused": { subject: "broadcast", details: ["connectorId"] },
  "broadcast.resumed": { subject: "broadcast", details: ["connectorId"] },
  "broadcast.cancelled": { subject: "broadcast", details: ["connectorId", "why"] },
  "template.saved": { subject: "template", details: ["version"] },
  // No message is made of it any more.
  "template.archived": { subject: "template", details: ["version"] },
  "evidence.created": { subject: "evidence", details: ["status", "controlId"] },
  "evidence.updated": { subject: "evidence", details: ["fields"] },
  "evidence.removed": { subject: "evidence", details: [] },
  "evidence.files_taken": {
    subject: "evidence",
    details: ["revision", "count", "by", "connectorId", "chatId"],
  },
  "evidence.submitted": { subject: "evidence", details: ["revision", "by"] },
  // `content`: SHA-256 over the ids, hashes and sizes of the files that were decided on.
  "evidence.approved": {
    subject: "evidence",
    details: ["revision", "by", "content", "expiresOn"],
  },
  "evidence.rejected": { subject: "evidence", details: ["revision", "by", "content"] },
  // Somebody tried who may not, or had seen another revision.
  "evidence.decision_refused": { subject: "evidence", details: ["revision", "by", "why"] },
  "evidence.expired": { subject: "evidence", details: ["revision"] },
  "evidence.held": { subject: "evidence", details: ["holdId"] },
  "evidence.released": { subject: "evidence", details: ["holdId"] },
  "evidence_settings.updated": { subject: "evidence_settings", details: ["fields"] },
  // What became of a file that was handed in; `sha256` of its content, in hex.
  "evidence.file_ended": {
    subject: "evidence",
    details: ["fileId", "state", "sha256", "sizeBytes"],
  },
  // By a member of the workspace; what the customer and the team said is in its events.
  "conversation.updated": { subject: "conversation", details: ["fields", "from", "to"] },
  "contact.updated": { subject: "contact", details: ["fields"] },
  "account.created": { subject: "account", details: [] },
  "account.updated": { subject: "account", details: ["fields"] },
  "account.removed": { subject: "account", details: [] },
  "account.rule_added": { subject: "account", details: ["kind", "ruleId", "connectorId"] },
  "account.rule_removed": { subject: "account", details: ["kind", "ruleId", "connectorId"] },
  // Of the register: a framework, a control, a risk.
  "entry.created": { subject: "entry", details: ["kind"] },
  "entry.updated": { subject: "entry", details: ["kind", "fields"] },
  "entry.removed": { subject: "entry", details: ["kind"] },
  "risk.accepted": { subject: "entry", details: ["acceptanceId"] },
  // A file of the register, in and out; `kind` is one of many, or all.
  "register.imported": { subject: "register", details: ["kind", "created", "changed"] },
  "register.exported": { subject: "register", details: ["kind", "count"] },
  "jobs.retried": { subject: "job", details: ["count", ...FILTER] },
  "jobs.discarded": { subject: "job", details: ["count", ...FILTER] },
  "jobs.cancelled": { subject: "job", details: ["count", ...FILTER] },
  "jobs.run_now": { subject: "job", details: ["count", ...FILTER] },
  "queue.paused": { subject: "queue", details: [] },
  "queue.resumed": { subject: "queue", details: [] },
  // Looks at what people wrote and who they are: one entry a call.
  "chats.listed": { subject: "connector", details: ["count"] },
  "broadcast.recipients_listed": { subject: "broadcast", details: ["count"] },
  "conversations.listed": {
    subject: "conversation",
    details: ["connectorId", "chatId", "status", "accountId", "count"],
  },
  "conversation.viewed": { subject: "conversation", details: [] },
  "contacts.listed": { subject: "contact", details: ["count"] },
  "contact.viewed": { subject: "contact", details: [] },
  "messages.listed": { subject: "conversation", details: ["count"] },
  // A file of a message, asked of Telegram for the caller; the size as Telegram tells it.
  "message.file_requested": {
    subject: "message",
    details: ["connectorId", "conversationId", "sizeBytes"],
  },
  // Without the words.
  "register.searched": { subject: "register", details: ["kinds", "count"] },
  // What was sent or is to be sent, to whom; not what it says.
  "sends.listed": { subject: "message", details: ["connectorId", "chatId", "states", "count"] },
  "sessions.listed": { subject: "conversation", details: ["count"] },
  "approvals.listed": { subject: "message", details: ["state", "count"] },
  "approval.viewed": { subject: "message", details: [] },
  "people.listed": { subject: "person", details: ["connectorId", "count"] },
  "evidence.listed": { subject: "evidence", details: ["status", "controlId", "count"] },
  "evidence.viewed": { subject: "evidence", details: [] },
  "evidence.file_read": { subject: "evidence", details: ["fileId", "from", "to"] },
  // A message carries it out: its bytes begin to go to Telegram. Who asked for that is in
  // `message.submitted`.
  "evidence.file_sent": { subject: "evidence", details: ["fileId", "messageId"] },
  // `manifest`: SHA-256 of the pack's manifest.json.
  "evidence.packed": { subject: "evidence", details: ["count", "files", "bytes", "manifest"] },
  "audit.listed": { subject: "audit", details: ["action", "from", "to", "count"] },
  "audit.exported": { subject: "audit", details: ["from", "to"] },
  "console.signed_in": { subject: "console", details: [] },
  "console.signed_out": { subject: "console", details: [] },
} as const;

export type AuditAction = keyof typeof AUDIT_ACTIONS;
export const AUDIT_ACTION_NAMES = Object.keys(AUDIT_ACTIONS) as AuditAction[];

export type AuditValue = string | number | boolean | null | readonly string[] | undefined;

type DetailName<Action extends AuditAction> = (typeof AUDIT_ACTIONS)[Action]["details"][number];

/** The chain of what concerns no workspace, or all of them. */
export const INSTALLATION = "00000000-0000-0000-0000-000000000000";

/** What is to be recorded; who did it is known from `actAs`. */
export type NewAuditEntry = {
  [Action in AuditAction]: {
    /** Whose chain; `INSTALLATION` for what concerns no workspace, or all of them. */
    workspaceId: string;
    action: Action;
    /** Left out where it is about many, or about no row. */
    subjectId?: string;
    /** What is undefined is left out. */
    details?: { readonly [Name in DetailName<Action>]?: AuditValue };
  };
}[AuditAction];

/** Throws for a detail that the list does not know: types end where objects are built by hand. */
export function assertKnownDetails({ action, details = {} }: NewAuditEntry): void {
  const known: readonly string[] = AUDIT_ACTIONS[action].details;
  const strange = Object.keys(details).find((name) => !known.includes(name));
  if (strange !== undefined) throw new Error(`${action} says nothing called ${strange}`);
}
