import type { MessageEntity } from "../outbound/index.ts";

/** Words that stand for something else than themselves, and for what. */
export interface Lead {
  label: string;
  /** An address, or in our words what readers see there. */
  to: string;
}

/** What readers get of a text beside its words: where they lead, and what is shown in their place. */
export function leadsOf(text: string, entities: readonly MessageEntity[]): Lead[] {
  return entities.flatMap((entity) => {
    const to = leadOf(entity);
    const label = text.slice(entity.offset, entity.offset + entity.length);
    return to === undefined ? [] : [{ label, to }];
  });
}

function leadOf(entity: MessageEntity): string | undefined {
  if (entity.url !== undefined) return entity.url;
  if (entity.user !== undefined) return `tg://user?id=${entity.user.id}`;
  if (entity.custom_emoji_id !== undefined) return `custom emoji ${entity.custom_emoji_id}`;
  if (entity.unix_time === undefined) return undefined;
  return `shown as the time ${new Date(entity.unix_time * 1_000).toISOString()}`;
}
