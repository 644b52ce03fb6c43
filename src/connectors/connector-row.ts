import { SETTINGS_COLUMNS, type SettingsRow } from "./connector-settings.ts";

/** A connector as it is read, without its secrets. */
export interface ConnectorRow extends SettingsRow {
  workspace_id: string;
  id: string;
  name: string;
  description: string | null;
  status: "pending" | "active" | "disabled";
  status_detail: string | null;
  bot_id: string;
  username: string;
  can_read_all_group_messages: boolean;
  webhook_key: string;
  webhook_url: string | null;
}

export const COLUMNS = `workspace_id, id, name, description, status, status_detail, bot_id, username,
  can_read_all_group_messages, webhook_key, webhook_url, ${SETTINGS_COLUMNS}`;
