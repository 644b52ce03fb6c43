import { execFile } from "node:child_process";
import { stat } from "node:fs/promises";
import { promisify } from "node:util";
import { SYSTEM_ENVIRONMENT } from "./system-environment.ts";

/**
 * Who Postgres runs as. It refuses to run as root, so a root process (a container, mostly) hands
 * it to another account; everybody else runs it as themselves.
 */

const run = promisify(execFile);
const COMMAND_TIMEOUT_MS = 30_000;

/** The account Postgres gets; undefined: the one we run as. */
export interface PostgresAccount {
  uid: number;
  gid: number;
}

/** A command as it must be spawned for an account. */
export interface AccountCommand {
  file: string;
  args: string[];
  options: { uid?: number; gid?: number };
}

/**
 * Decides who runs the Postgres of `dataFolder`: ourselves, unless we are root. Then whoever owns
 * the folder already (Postgres insists on owning it), else the user `postgres`, made if it is
 * missing, else `nobody`.
 */
export async function chooseAccount(dataFolder: string): Promise<PostgresAccount | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(dataFolder).catch(() => undefined);
  if (owner !== undefined && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const known = await lookUp("postgres");
  if (known !== undefined) return known;
  for (const [file, args] of USER_TOOLS) {
    try {
      await run(file, args, { timeout: COMMAND_TIMEOUT_MS, env: SYSTEM_ENVIRONMENT });
      const made = await lookUp("postgres");
      if (made !== undefined) return made;
    } catch {
      // another system's tool; the next one may be this one's
    }
  }
  const nobody = await lookUp("nobody");
  if (nobody !== undefined) return nobody;
  throw new Error(
    "Postgres does not run as root, and no user for it could be found or made: run as another user, or set DATABASE_URL",
  );
}

/** Debian and most others; busybox (Alpine). */
const USER_TOOLS: Array<[string, string[]]> = [
  [
    "useradd",
    ["--system", "--user-group", "--no-create-home", "--shell", "/bin/false", "postgres"],
  ],
  ["adduser", ["-S", "-D", "-H", "-s", "/bin/false", "postgres"]],
];

async function lookUp(user: string): Promise<PostgresAccount | undefined> {
  try {
    const [uid, gid] = await Promise.all(
      ["-u", "-g"].map(async (flag) => {
        const { stdout } = await run("id", [flag, user], {
          timeout: COMMAND_TIMEOUT_MS,
          env: SYSTEM_ENVIRONMENT,
        });
        return Number(stdout.trim());
      }),
    );
    return Number.isInteger(uid) && Number.isInteger(gid)
      ? ({ uid, gid } as PostgresAccount)
      : undefined;
  } catch {
    return undefined;
  }
}

/** Says how to run a program as the account, once it is known what that takes. */
export type AsAccount = (file: string, args: readonly string[]) => AccountCommand;

/**
 * Finds out how to run `postgresBinary` as `account` inside `folder`. Usually a plain change of user
 * is enough. A project below a folder that the account may not enter (/root, mode 0700) takes the
 * capability that lets root pass: setpriv hands CAP_DAC_OVERRIDE on, alone, through the ambient
 * set. Each way is tried for real before it is chosen.
 *
 * @throws when neither works: the message names the folder and what to do
 */
export async function findWayToRun(
  account: PostgresAccount | undefined,
  postgresBinary: string,
  folder: string,
): Promise<AsAccount> {
  const ways: AsAccount[] =
    account === undefined ? [asOurselves] : [plainly(account), passing(account)];
  const reasons: string[] = [];
  for (const way of ways) {
    try {
      await runAs(way, postgresBinary, ["--version"]);
      await runAs(way, "/bin/sh", ["-c", 'cd "$0" && : > .write-probe && rm .write-probe', folder]);
      return way;
    } catch (error) {
      const { stderr, message } = error as { stderr?: string; message: string };
      reasons.push((stderr?.trim() || message).split("\n")[0] ?? "");
    }
  }
  const who = account === undefined ? "this user" : `the user with id ${account.uid}`;
  throw new Error(
    `Postgres cannot run as ${who} in ${folder} (${reasons.join("; ")}): make the folders above it enterable (chmod o+x), move the project, or set DATABASE_URL`,
  );
}

const asOurselves: AsAccount = (file, args) => ({ file, args: [...args], options: {} });

/** libuv drops the supplementary groups along with the user. */
function plainly({ uid, gid }: PostgresAccount): AsAccount {
  return (file, args) => ({ file, args: [...args], options: { uid, gid } });
}

function passing({ uid, gid }: PostgresAccount): AsAccount {
  const flags = [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    // Without it access(2), which initdb asks before it runs postgres, forgets the capability.
    "--securebits=+no_setuid_fixup",
    "--inh-caps=-all,+dac_override",
    "--ambient-caps=-all,+dac_override",
    "--",
  ];
  return (file, args) => ({ file: "setpriv", args: [...flags, file, ...args], options: {} });
}

async function runAs(way: AsAccount, file: string, args: string[]): Promise<void> {
  const command = way(file, args);
  await run(command.file, command.args, {
    ...command.options,
    cwd: "/",
    env: SYSTEM_ENVIRONMENT,
    timeout: COMMAND_TIMEOUT_MS,
  });
}
