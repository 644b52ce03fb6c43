/**
 * What the register holds, as data: each kind with its table, its path and its fields. Calls, imports,
 * exports and searches are made from this list, and do not know the kinds one by one.
 */

/** A field besides `code`, `title` and `description`, which every kind has. */
export type Field = {
  /** As the API and files name it. */
  name: string;
  column: string;
  /** An entry cannot be made without it. */
  isRequired?: true;
} /** `default`: what an entry has that is made without it, as its column says. None: null. */ & (
  | { type: "text"; maxLength: number; default: string }
  | { type: "choice"; values: readonly string[]; default?: string }
  /** From 1 to 5. */
  | { type: "scale" }
  | { type: "date" }
  /** A person of the workspace, by id; files name them by name. */
  | { type: "person" }
  /** Another entry, by id; files name it by its code. */
  | { type: "entry"; of: KindName }
  /** Other entries, in a table of their own: `(workspace_id, ownColumn, column)`. */
  | { type: "entries"; of: KindName; table: string; ownColumn: string }
);

export interface Kind {
  name: KindName;
  /** Of many: in paths, file names and the word for them. */
  plural: string;
  table: string;
  /** The field inside whose entry its code means something; most codes mean it in the workspace. */
  codeWithin?: string;
  fields: readonly Field[];
}

export const KIND_NAMES = [
  "framework",
  "requirement",
  "control",
  "risk",
  "audit",
  "finding",
  "task",
  "policy",
] as const;
export type KindName = (typeof KIND_NAMES)[number];

export const CONTROL_STATUSES = [
  "to_do",
  "in_progress",
  "active",
  "degraded",
  "deprecated",
] as const;
export const TREATMENTS = ["mitigate", "accept", "avoid", "transfer"] as const;
export const SEVERITIES = ["critical", "high", "medium", "low"] as const;

/** In the order in which they stand on each other: what is named by another comes before it. */
export const KINDS: readonly Kind[] = [
  { name: "framework", plural: "frameworks", table: "frameworks", fields: [] },
  {
    name: "requirement",
    plural: "requirements",
    table: "requirements",
    codeWithin: "framework",
    fields: [
      {
        name: "framework",
        column: "framework_id",
        type: "entry",
        of: "framework",
        isRequired: true,
      },
    ],
  },
  {
    name: "control",
    plural: "controls",
    table: "controls",
    fields: [
      {
        name: "status",
        column: "status",
        type: "choice",
        values: CONTROL_STATUSES,
        default: "to_do",
      },
      { name: "owner", column: "owner_id", type: "person" },
      { name: "dueOn", column: "due_on", type: "date" },
      {
        name: "requirements",
        column: "requirement_id",
        type: "entries",
        of: "requirement",
        table: "control_requirements",
        ownColumn: "control_id",
      },
    ],
  },
  {
    name: "risk",
    plural: "risks",
    table: "risks",
    fields: [
      { name: "category", column: "category", type: "text", maxLength: 100, default: "" },
      {
        name: "status",
        column: "status",
        type: "choice",
        values: ["open", "closed"],
        default: "open",
      },
      { name: "inherentLikelihood", column: "inherent_likelihood", type: "scale" },
      { name: "inherentImpact", column: "inherent_impact", type: "scale" },
      { name: "residualLikelihood", column: "residual_likelihood", type: "scale" },
      { name: "residualImpact", column: "residual_impact", type: "scale" },
      { name: "treatment", column: "treatment", type: "choice", values: TREATMENTS },
      { name: "owner", column: "owner_id", type: "person" },
      { name: "dueOn", column: "due_on", type: "date" },
      {
        name: "controls",
        column: "control_id",
        type: "entries",
        of: "control",
        table: "risk_controls",
        ownColumn: "risk_id",
      },
    ],
  },
  {
    name: "audit",
    plural: "audits",
    table: "audits",
    fields: [
      { name: "type", column: "type", type: "text", maxLength: 100, default: "internal" },
      {
        name: "status",
        column: "status",
        type: "choice",
        values: ["planned", "in_progress", "completed", "cancelled"],
        default: "planned",
      },
      { name: "framework", column: "framework_id", type: "entry", of: "framework" },
      { name: "lead", column: "lead_id", type: "person" },
      { name: "startsOn", column: "starts_on", type: "date" },
      { name: "endsOn", column: "ends_on", type: "date" },
    ],
  },
  {
    name: "finding",
    plural: "findings",
    table: "findings",
    fields: [
      {
        name: "severity",
        column: "severity",
        type: "choice",
        values: SEVERITIES,
        isRequired: true,
      },
      {
        name: "status",
        column: "status",
        type: "choice",
        values: ["open", "resolved", "accepted"],
        default: "open",
      },
      { name: "audit", column: "audit_id", type: "entry", of: "audit" },
      { name: "control", column: "control_id", type: "entry", of: "control" },
      { name: "owner", column: "owner_id", type: "person" },
      { name: "dueOn", column: "due_on", type: "date" },
    ],
  },
  {
    name: "task",
    plural: "tasks",
    table: "tasks",
    fields: [
      {
        name: "status",
        column: "status",
        type: "choice",
        values: ["open", "in_progress", "done", "cancelled"],
        default: "open",
      },
      { name: "assignee", column: "assignee_id", type: "person" },
      { name: "dueOn", column: "due_on", type: "date" },
      { name: "control", column: "control_id", type: "entry", of: "control" },
      { name: "risk", column: "risk_id", type: "entry", of: "risk" },
      { name: "finding", column: "finding_id", type: "entry", of: "finding" },
    ],
  },
  {
    name: "policy",
    plural: "policies",
    table: "policies",
    fields: [
      {
        name: "status",
        column: "status",
        type: "choice",
        values: ["draft", "active", "retired"],
        default: "draft",
      },
      { name: "owner", column: "owner_id", type: "person" },
      { name: "reviewOn", column: "review_on", type: "date" },
    ],
  },
];

/** Throws for a name that is none: types end where names come from outside. */
export function kindNamed(name: KindName): Kind {
  const kind = KINDS.find((one) => one.name === name);
  if (kind === undefined) throw new Error(`no kind of entry is called ${name}`);
  return kind;
}
