/**
 * receiver: the webhook endpoint. It proves whose a request is, commits the update and answers
 * 200; everything else is somebody else's work.
 */
export { type ChatLinks, createLinkedChats } from "./linked-chats.ts";
export { createReceiver, type ReceiverOptions } from "./receiver.ts";
