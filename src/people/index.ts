/**
 * people: who belongs to a workspace, which Telegram account each of them is, and who may talk to a
 * bot. An account is bound by a one-time link that its owner confirms; groups are linked by one-time
 * codes. Links and codes are made here and kept as hashes; what is said about them in chats, and when
 * they count, is decided in conversations, which asks and writes here inside the transaction of the
 * update. Stands on audit and platform.
 */
export { bindPeople, type NewBinding, type NewOffer, type OldOffer, writeOffers } from "./bind.ts";
export {
  createLinkCode,
  type HeldCode,
  holdLinkCodes,
  linkCodeHash,
  type NewLinkCode,
  useLinkCodes,
} from "./link-codes.ts";
export { ACCESS_LEVELS, type AccessLevel, mayTalk } from "./may-talk.ts";
export { listNamed, namePerson, unnamePerson } from "./named-people.ts";
export {
  changePerson,
  createPerson,
  getPerson,
  listPeople,
  type PersonView,
  removePerson,
} from "./people.ts";
export {
  createPersonLink,
  type HeldLink,
  holdPersonLinks,
  MAX_LINK_HOURS,
  type NewPersonLink,
} from "./person-links.ts";
export { ROLES, type Role } from "./person-role.ts";
export { dropRefusals, type PeerRefusal, type Refusal, writeRefusals } from "./refusals.ts";
export { findStartToken, holdsStartToken, withoutStartTokens } from "./start-token.ts";
export { findTalkers, type Talker, type Talkers } from "./talkers.ts";
