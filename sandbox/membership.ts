import { type Core, unixTime } from "./core.ts";
import { SandboxError } from "./errors.ts";
import { post } from "./post.ts";
import { renderChat, renderMember } from "./render.ts";
import type { ChatInfo, NewChat } from "./sandbox-types.ts";
import type { MemberStatus } from "./telegram-objects.ts";
import { type Chat, isPresent, newChat } from "./world.ts";

/**
 * Who is in which chat, and what Telegram says when that changes: `my_chat_member` to the bot it is
 * about, `chat_member` to bots that administer the chat, a service message to all in a group.
 */

/** Bot API: ChatMember. */
export function renderChatMember(core: Core, id: number, status: MemberStatus) {
  const user = renderMember(core.world, id);
  if (status === "kicked") return { user, status, until_date: 0 };
  if (status !== "administrator") return { user, status };
  return {
    user,
    status,
    can_be_edited: false,
    is_anonymous: false,
    can_manage_chat: true,
    can_delete_messages: true,
    can_manage_video_chats: true,
    can_restrict_members: true,
    can_promote_members: false,
    can_change_info: true,
    can_invite_users: true,
    can_post_messages: true,
    can_edit_messages: true,
  };
}

/** Changes a member's status and tells the bots; does nothing when it has that status already. */
export function setStatus(
  core: Core,
  chat: Chat,
  memberId: number,
  status: MemberStatus,
  byId: number,
): boolean {
  const { world } = core;
  const before = chat.members.get(memberId) ?? "left";
  if (before === status) return false;
  chat.members.set(memberId, status);
  core.changed();
  const change = {
    chat: renderChat(world, chat),
    from: renderMember(world, byId),
    date: unixTime(core),
    old_chat_member: renderChatMember(core, memberId, before),
    new_chat_member: renderChatMember(core, memberId, status),
  };
  if (world.bots.has(memberId)) core.updatesOf(memberId).push({ my_chat_member: change });
  for (const [otherId, otherStatus] of chat.members)
    if (otherId !== memberId && otherStatus === "administrator" && world.bots.has(otherId))
      core.updatesOf(otherId).push({ chat_member: change });
  core.record.add({ kind: "changed", what: "members", chatId: chat.id });
  return true;
}

/** Who does the inviting and removing: the chat's creator. */
function ownerOf(core: Core, chat: Chat): number {
  for (const [id, status] of chat.members) if (status === "creator") return id;
  throw new SandboxError(
    `chat ${chat.id} has no creator among its ${core.world.people.size} users`,
  );
}

export function createChat(core: Core, chat: NewChat): ChatInfo {
  const { world } = core;
  const people = chat.memberIds.filter((id) => !world.bots.has(id)).map((id) => world.person(id));
  const botIds = chat.memberIds.filter((id) => world.bots.has(id));
  const creator = people[0];
  if (creator === undefined)
    throw new SandboxError("a chat needs a user among its members: its creator");
  if (chat.title.trim() === "") throw new SandboxError("a chat needs a title");
  if (chat.topics !== undefined && chat.topics.length > 0 && chat.type !== "supergroup")
    throw new SandboxError("only a supergroup can have topics");
  const id = chat.type === "group" ? world.next.group-- : world.next.channel--;
  const made = newChat({
    key: String(id),
    id,
    type: chat.type,
    title: chat.title,
    ...(chat.username !== undefined && { username: chat.username }),
  });
  world.chats.set(made.key, made);
  made.members.set(creator.id, "creator");
  for (const person of people.slice(1)) made.members.set(person.id, "member");
  const topics: Record<string, number> = {};
  for (const name of chat.topics ?? []) {
    // The message that opens a topic is its first, and gives the thread its id.
    const threadId = made.nextMessageId;
    made.topics.set(threadId, name);
    post(core, made, { from: creator.id, threadId, service: { kind: "topic", name } });
    topics[name] = threadId;
  }
  // A basic group's first bots find it created; elsewhere a bot is always added to what exists.
  if (chat.type === "group") {
    for (const botId of botIds) setStatus(core, made, botId, "member", creator.id);
    post(core, made, { from: creator.id, service: { kind: "created" } });
  } else {
    for (const botId of botIds) addMember(core, id, botId);
  }
  core.changed();
  core.record.add({ kind: "changed", what: "chats", chatId: id });
  return { id, type: chat.type, title: chat.title, topics };
}

export function addMember(
  core: Core,
  chatId: number,
  memberId: number,
  status?: "member" | "administrator",
): void {
  const chat = livingGroup(core, chatId);
  const isBot = core.world.bots.has(memberId);
  if (!isBot) core.world.person(memberId);
  const wasPresent = isPresent(chat.members.get(memberId));
  const given = status ?? (isBot && chat.type === "channel" ? "administrator" : "member");
  if (isBot && chat.type === "channel" && given === "member")
    throw new SandboxError("a bot can only be an administrator of a channel");
  const byId = ownerOf(core, chat);
  if (!setStatus(core, chat, memberId, given, byId)) return;
  if (!wasPresent && chat.type !== "channel")
    post(core, chat, { from: byId, service: { kind: "joined", memberIds: [memberId] } });
}

export function removeMember(
  core: Core,
  chatId: number,
  memberId: number,
  how: "left" | "kicked",
  byId?: number,
): void {
  const chat = livingGroup(core, chatId);
  const status = chat.members.get(memberId);
  if (status === "creator") throw new SandboxError("the creator cannot be taken out of a chat");
  const wasPresent = isPresent(status);
  const actorId = byId ?? (how === "left" ? memberId : ownerOf(core, chat));
  // The service message first: a bot that was put out hears of that, and then nothing more.
  if (wasPresent && chat.type !== "channel")
    post(core, chat, { from: actorId, service: { kind: "left", memberId } });
  setStatus(core, chat, memberId, how, actorId);
}

/** A group that has not become a supergroup. */
export function livingGroup(core: Core, chatId: number): Chat {
  const chat = core.world.group(chatId);
  if (chat.migratedTo !== undefined)
    throw new SandboxError(`group ${chatId} has become supergroup ${chat.migratedTo}`);
  return chat;
}

/** A user blocks a bot, or takes it back: for the bot, its status in their private chat. */
export function setBlocked(core: Core, userId: number, botId: number, blocked: boolean): void {
  const { world } = core;
  world.person(userId);
  const bot = world.bot(botId);
  const chat = world.openPrivateChat(userId, botId);
  const before: MemberStatus = bot.contacts.get(userId) === "blocked" ? "kicked" : "member";
  const after: MemberStatus = blocked ? "kicked" : "member";
  if (before === after) return;
  bot.contacts.set(userId, blocked ? "blocked" : "started");
  core.changed();
  core.updatesOf(botId).push({
    my_chat_member: {
      chat: renderChat(world, chat),
      from: renderMember(world, userId),
      date: unixTime(core),
      old_chat_member: renderChatMember(core, botId, before),
      new_chat_member: renderChatMember(core, botId, after),
    },
  });
  core.record.add({ kind: "changed", what: "blocked", chatId: userId, botId });
}

/**
 * A group becomes a supergroup: a new id, message ids from one again, the members carried over,
 * and a service message on either side.
 */
export function migrate(core: Core, chatId: number): number {
  const group = livingGroup(core, chatId);
  if (group.type !== "group")
    throw new SandboxError(`chat ${chatId} is a ${group.type}, not a group`);
  const id = core.world.next.channel--;
  const supergroup = newChat({
    key: String(id),
    id,
    type: "supergroup",
    title: group.title ?? "",
    members: new Map(group.members),
  });
  core.world.chats.set(supergroup.key, supergroup);
  const owner = ownerOf(core, group);
  post(core, group, { from: owner, service: { kind: "migratedTo", chatId: id } });
  group.migratedTo = id;
  post(core, supergroup, { from: owner, service: { kind: "migratedFrom", chatId } });
  core.record.add({ kind: "changed", what: "chats", chatId: id });
  return id;
}
