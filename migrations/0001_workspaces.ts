import type { Migration } from "../src/platform/migration.ts";

export const migration: Migration = {
  name: "0001_workspaces",
  async up(knex) {
    await knex.raw(`SELECT 1`);
  },
};
