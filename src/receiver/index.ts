/**
 * receiver: the webhook endpoint. It proves whose a request is, commits the update and answers
 * 200; everything else is somebody else's work. `Intake` is how an update is committed, and is the
 * same for those that polling brings.
 */
export { createIntake, type Intake, type Taken, type UpdateOwner } from "./intake.ts";
export { type ChatLinks, createLinkedChats } from "./linked-chats.ts";
export { NotAnUpdate, type RawUpdate, rewriteUpdate, updateIdOf } from "./raw-update.ts";
export { createReceiver, type Receiver, type ReceiverOptions } from "./receiver.ts";
