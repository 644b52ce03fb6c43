import type { CommandList } from "../../connectors/index.ts";
import { type Deed, may, type RegisterAccess, type Viewer } from "../rights.ts";
import { OTHER_LANGUAGES, type Texts, textsFor } from "./texts.ts";

export type CommandName =
  | "compliance"
  | "evidence"
  | "risk"
  | "audit"
  | "reports"
  | "help"
  | "start"
  | "stop";

interface Known {
  name: CommandName;
  /** As it is written, in every language. */
  usage: string;
  example?: string;
  /** What its sender has to be allowed; null: everybody may. */
  deed: Deed | null;
  isForGroups: boolean;
}

/** In the order in which people see them. */
export const COMMANDS: readonly Known[] = [
  {
    name: "compliance",
    usage: "/compliance [framework]",
    example: "/compliance ISO27001",
    deed: "see-register",
    isForGroups: true,
  },
  {
    name: "evidence",
    usage: "/evidence [type] [description]",
    example: '/evidence document "Quarterly compliance report"',
    deed: "submit-evidence",
    isForGroups: true,
  },
  {
    name: "risk",
    usage: "/risk [level]",
    example: "/risk critical",
    deed: "see-register",
    isForGroups: true,
  },
  {
    name: "audit",
    usage: "/audit [type]",
    example: "/audit security",
    deed: "request-audit",
    isForGroups: true,
  },
  {
    name: "reports",
    usage: "/reports [type] [period]",
    example: "/reports compliance month",
    deed: "see-register",
    isForGroups: true,
  },
  { name: "help", usage: "/help", deed: null, isForGroups: true },
  { name: "start", usage: "/start", deed: null, isForGroups: false },
  { name: "stop", usage: "/stop", deed: null, isForGroups: false },
];

/** Undefined where there is no such command. */
export const commandNamed = (name: string): Known | undefined =>
  COMMANDS.find((command) => command.name === name);

/** Those that this person may use there. */
export const commandsFor = (
  viewer: Viewer,
  access: RegisterAccess,
  { isPrivate }: { isPrivate: boolean },
): Known[] =>
  COMMANDS.filter(
    ({ deed, isForGroups }) =>
      (isPrivate || isForGroups) && (deed === null || may(viewer, deed, access)),
  );

/**
 * What a bot's menu offers, to be registered with Telegram (Bot API: setMyCommands): groups have a
 * shorter list, and each language a list of its own, English serving the rest.
 */
export function commandLists(): CommandList[] {
  return [undefined, ...OTHER_LANGUAGES].flatMap((languageCode) => {
    const texts = textsFor(languageCode ?? null);
    const language = languageCode === undefined ? {} : { languageCode };
    return [
      { ...language, commands: listed(COMMANDS, texts) },
      {
        ...language,
        scope: { type: "all_group_chats" as const },
        commands: listed(
          COMMANDS.filter(({ isForGroups }) => isForGroups),
          texts,
        ),
      },
    ];
  });
}

const listed = (commands: readonly Known[], texts: Texts) =>
  commands.map(({ name }) => ({ command: name, description: texts.commands[name] }));
