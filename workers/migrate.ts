import { migrations } from "../migrations/index.ts";
import { migrateTransport } from "../src/jobs/index.ts";
import { migrate, openDatabase } from "../src/platform/index.ts";

/** Brings the schema, and what BullMQ keeps in Postgres, up to date. Answers what was applied. */
export async function migrateAll(databaseUrl: string): Promise<string[]> {
  const applied = await migrate(databaseUrl, migrations);
  const db = openDatabase({ url: databaseUrl, max: 2, applicationName: "heliograph migrate" });
  try {
    await migrateTransport(db);
  } finally {
    await db.close();
  }
  return applied;
}
