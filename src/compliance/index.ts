/**
 * compliance: what people do with the workspace's register in chats: commands, evidence they hand in,
 * workflows by buttons, searches while they type. Conversations recognises what is asked and hands it on
 * (`createRequestSink`); what is there to be asked about is in register and evidence.
 */
export { commandLists, LIST_DATA } from "./commands/index.ts";
export {
  assessData,
  createDialogKeeper,
  createDialogs,
  DIALOG_DATA,
  type DialogKeeper,
  type DialogKeeperOptions,
  type Dialogs,
  dropDialogs,
} from "./dialogs/index.ts";
export { type GatheredJobs, gatherJobs } from "./gathered-jobs.ts";
export { createHandlers, type HandlersOptions } from "./handlers.ts";
export { createInlineQueryHandler } from "./inline/index.ts";
export {
  type Asker,
  createRequestSink,
  type Offered,
  type OfferHandler,
  type RequestHandler,
  type RequestHandlers,
  type RequestOf,
} from "./request-sink.ts";
export {
  type Deed,
  may,
  REGISTER_ACCESS,
  type RegisterAccess,
  ROLES,
  type Role,
  type Viewer,
} from "./rights.ts";
