import type { AccessLevel } from "../people/index.ts";
import { fewRows, type Queryable } from "../platform/index.ts";

export const DEBUG_LEVELS = ["error", "warn", "info", "debug"] as const;

/** To look closely at one bot for a while. */
export interface DebugSettings {
  /** Lines about this bot's calls are logged from this level on, whatever the process logs. */
  level: (typeof DEBUG_LEVELS)[number];
  /** Deadline of one call to Telegram, in seconds. */
  apiTimeout: number;
  /** A message is given up after so many attempts. */
  retryAttempts: number;
  /** Each call is logged, not only those that fail; never what is said in it. */
  detailedLogs: boolean;
  /** ISO 8601; after it, everything is as if there were none of this. */
  until: string;
}

/** To whom a bot speaks of the workspace's register: all it hears, or people of the workspace only. */
export const REGISTER_ACCESS = ["heard", "members"] as const;
export type RegisterAccess = (typeof REGISTER_ACCESS)[number];

/** What a team decides about its bot. */
export interface ConnectorSettings {
  accessLevel: AccessLevel;
  registerAccess: RegisterAccess;
  /** What people write who may not is kept. */
  saveDenied: boolean;
  /** −1: there are no sessions; 0: they never end. */
  sessionHours: number;
  /** A decimal id, or @name of a public group or channel. */
  defaultChatId: string | null;
  /** By kind: critical, reports, … */
  notificationChats: Record<string, string>;
  /** In UTF-16 units, as Telegram counts: a longer text goes out in parts of that length. */
  maxMessageLength: number;
  /** Messages a second at most. Telegram's documented limit is 30; some bots may do more. */
  maxSendRate: number;
  paidBroadcasts: PaidBroadcasts | null;
  debug: DebugSettings | null;
}

/**
 * What a bot's broadcasts may cost beside the free rate (Bot API: allow_paid_broadcast; 0.1 Telegram
 * Stars a message).
 */
export interface PaidBroadcasts {
  /** Messages a second beside the free ones. */
  perSecond: number;
  /** Messages a day, of UTC, at most. */
  perDay: number;
}

export interface SettingsRow {
  access_level: AccessLevel;
  register_access: RegisterAccess;
  save_denied: boolean;
  session_hours: number;
  default_chat_id: string | null;
  notification_chats: Record<string, string>;
  max_message_length: number;
  max_send_rate: number;
  paid_broadcasts: PaidBroadcasts | null;
  debug: DebugSettings | null;
}

export const SETTINGS_COLUMNS = `access_level, register_access, save_denied, session_hours,
  default_chat_id, notification_chats, max_message_length, max_send_rate, paid_broadcasts,
  CASE WHEN (debug ->> 'until')::timestamptz > now() THEN debug END AS debug`;

export const settingsView = (row: SettingsRow): ConnectorSettings => ({
  accessLevel: row.access_level,
  registerAccess: row.register_access,
  saveDenied: row.save_denied,
  sessionHours: row.session_hours,
  defaultChatId: row.default_chat_id,
  notificationChats: row.notification_chats,
  maxMessageLength: row.max_message_length,
  maxSendRate: row.max_send_rate,
  paidBroadcasts: row.paid_broadcasts,
  debug: row.debug,
});

const DEFAULTS: ConnectorSettings = {
  accessLevel: "everyone",
  registerAccess: "heard",
  saveDenied: false,
  sessionHours: 0,
  defaultChatId: null,
  notificationChats: {},
  maxMessageLength: 4_096,
  maxSendRate: 30,
  paidBroadcasts: null,
  debug: null,
};

/** Assignments of an UPDATE: what the settings of `param` name, the rest stays. */
export const settingsFrom = (param: string) => `
  access_level = coalesce(${param}::jsonb ->> 'accessLevel', access_level),
  register_access = coalesce(${param}::jsonb ->> 'registerAccess', register_access),
  save_denied = coalesce((${param}::jsonb ->> 'saveDenied')::boolean, save_denied),
  session_hours = coalesce((${param}::jsonb ->> 'sessionHours')::integer, session_hours),
  default_chat_id = CASE WHEN ${param}::jsonb ? 'defaultChatId'
    THEN ${param}::jsonb ->> 'defaultChatId' ELSE default_chat_id END,
  notification_chats = coalesce(${param}::jsonb -> 'notificationChats', notification_chats),
  max_message_length = coalesce((${param}::jsonb ->> 'maxMessageLength')::integer, max_message_length),
  max_send_rate = coalesce((${param}::jsonb ->> 'maxSendRate')::integer, max_send_rate),
  paid_broadcasts = CASE WHEN ${param}::jsonb ? 'paidBroadcasts'
    THEN nullif(${param}::jsonb -> 'paidBroadcasts', 'null'::jsonb) ELSE paid_broadcasts END,
  debug = CASE WHEN ${param}::jsonb ? 'debug'
    THEN nullif(${param}::jsonb -> 'debug', 'null'::jsonb) ELSE debug END`;

/** The parameter of `settingsFrom`: the settings among what was given, and nothing else of it. */
export function settingsParam(given: Partial<ConnectorSettings>): string {
  const names = Object.keys(DEFAULTS) as (keyof ConnectorSettings)[];
  return JSON.stringify(Object.fromEntries(names.map((name) => [name, given[name]])));
}

const BEGIN = `/* connectors.begin-settings */
UPDATE connectors SET ${settingsFrom("$3")} WHERE workspace_id = $1 AND id = $2`;

/** The settings of a connector that is being connected: what was not given has its default. */
export async function beginSettings(
  db: Queryable,
  { workspaceId, id }: { workspaceId: string; id: string },
  given: Partial<ConnectorSettings>,
): Promise<void> {
  const known = Object.entries(given).filter(([, value]) => value !== undefined);
  const settings = { ...DEFAULTS, ...Object.fromEntries(known) };
  await db.query(BEGIN, [workspaceId, id, settingsParam(settings)]);
}

const DEBUG = `/* connectors.debug */
SELECT c.id, c.debug FROM (SELECT id FROM unnest($1::uuid[]) AS a(id) ${fewRows("$1")}) a
JOIN connectors c ON c.id = a.id AND (c.debug ->> 'until')::timestamptz > now()`;

/** The debug settings that are in force for bots, by connector; of the others nothing. */
export async function debugInForce(
  db: Queryable,
  connectorIds: string[],
): Promise<Map<string, DebugSettings>> {
  const rows = await db.query<{ id: string; debug: DebugSettings }>(DEBUG, [connectorIds]);
  return new Map(rows.map(({ id, debug }) => [id, debug]));
}
