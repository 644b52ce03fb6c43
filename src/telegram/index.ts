/**
 * telegram: the only room that talks to Telegram, and the only one that knows with which library.
 * One call with a deadline (`BotApi`), and one error type with everything a decision needs
 * (`BotApiError`). Files travel piece by piece, there (`UploadFile`) and back (`BotApi.download`). Tokens go in; neither they nor the
 * content of a call come out in an error.
 */
export { type BotApiClientOptions, createBotApiFactory } from "./bot-api-client.ts";
export {
  BotApiError,
  type BotApiErrorFields,
  type BotApiErrorKind,
  type Sent,
  type UnreachableReason,
} from "./bot-api-error.ts";
export * from "./types.ts";
