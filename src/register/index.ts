/**
 * register: frameworks, requirements, controls, risks, audits, findings, tasks and policies of a
 * workspace, by one description of what each holds; and the search over those that people look for by
 * words, evidence among them. Stands on people, audit and platform.
 */
export {
  CONTROL_STATUSES,
  type Field,
  KIND_NAMES,
  KINDS,
  type Kind,
  type KindName,
  kindNamed,
  SEVERITIES,
  TREATMENTS,
} from "./kinds.ts";
export {
  type FoundEntry,
  MAX_FOUND,
  MAX_QUERY_LETTERS,
  type RegisterSearch,
  SEARCH_KINDS,
  type SearchKind,
  searchRegister,
} from "./search.ts";
