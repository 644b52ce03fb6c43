import type { Migration } from "../src/platform/migration.ts";

export const migration: Migration = {
  name: "0003_conversations",
  async up(knex) {
    await knex.raw(`SELECT 1`);
  },
};
