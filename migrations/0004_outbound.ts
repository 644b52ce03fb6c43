import type { Migration } from "../src/platform/migration.ts";

export const migration: Migration = {
  name: "0004_outbound",
  async up(knex) {
    await knex.raw(`SELECT 1`);
  },
};
