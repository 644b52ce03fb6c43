import type pg from "pg";
import type { Queryable, Transaction, TransactionOptions } from "./database.ts";
import { ENGINE_ROLE, TENANT_ROLE } from "./database-roles.ts";
import { statementOf } from "./prepared-statements.ts";

/**
 * Under whose role the statements of a transaction run. The engine's is the connection's own. A
 * workspace's transaction takes the tenant's with `SET LOCAL`, which ends with the transaction,
 * however that ends, and may go back to the engine's for some of its statements.
 */

const UUID_SHAPE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
export const isUuid = (text: string): boolean => UUID_SHAPE.test(text);

/** All that a transaction begins with, in one turn to the server. `tenant`: a UUID; undefined: the engine. */
export function beginning(
  { lockTimeoutMs }: TransactionOptions,
  tenant: string | undefined,
): string {
  const statements = ["BEGIN"];
  if (lockTimeoutMs !== undefined) {
    statements.push(`SET LOCAL lock_timeout = ${Math.ceil(lockTimeoutMs)}`);
  }
  if (tenant !== undefined) {
    statements.push(`SET LOCAL ROLE ${TENANT_ROLE}`, `SET LOCAL app.workspace_id = '${tenant}'`);
  }
  return statements.join("; ");
}

/** The statements of one transaction. */
interface TransactionQueries extends Pick<Transaction, "query" | "engine"> {
  /** Called before it commits or rolls back: what has not been sent by then never is. */
  end(): void;
}

/**
 * The statements of the transaction that `client` is in. A role is taken when a statement needs
 * another than the one before it had; statements that are asked for at once wait for each other, so
 * that none comes between a role and the statement it was taken for. A workspace's transaction has no
 * savepoints: going back to one would take the role back with it, unseen here.
 *
 * One that still waits when the transaction ends, because another beside it failed, is refused: sent
 * later it would commit by itself, as the engine, on a connection that may be somebody else's by then.
 */
export function queriesOf(client: pg.PoolClient, tenant: string | undefined): TransactionQueries {
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  const query = async <Row extends object>(sql: string, params?: readonly unknown[]) => {
    if (isOver) throw new Error("the transaction of this statement is over");
    return (await client.query(statementOf(sql, params))).rows as Row[];
  };
  if (tenant === undefined) return { query, engine: { query }, end };
  /** Undefined: a change of it failed, so that it is not known. */
  let current: string | undefined = TENANT_ROLE;
  let before: Promise<unknown> = Promise.resolve();
  const queryAs =
    (role: string): Queryable["query"] =>
    <Row extends object>(sql: string, params?: readonly unknown[]) => {
      const run = async () => {
        if (role !== current) {
          current = undefined;
          await query(`SET LOCAL ROLE ${role}`);
          current = role;
        }
        return query<Row>(sql, params);
      };
      const rows = before.then(run, run);
      before = rows;
      return rows;
    };
  return { query: queryAs(TENANT_ROLE), engine: { query: queryAs(ENGINE_ROLE) }, end };
}
