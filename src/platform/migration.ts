import type { Knex } from "knex";

/** One numbered step of the schema. Its name is stored, so it never changes once released. */
export interface Migration {
  /** `NNNN_capability`, without a file extension: sources and compiled runs store the same name. */
  name: string;
  up(knex: Knex): Promise<void>;
}
