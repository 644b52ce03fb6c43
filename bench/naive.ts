import type { AddressInfo } from "node:net";
import { Queue, Worker } from "bullmq";
import express from "express";
import { Redis } from "ioredis";
import pg from "pg";

/**
 * What one would write first: a BullMQ job an update, concurrency 50, a pool of 16, a state row
 * written at each step, chat upsert and message insert by single statements. Prints its port.
 */
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 16 });
await pool.query(`
  CREATE SCHEMA IF NOT EXISTS naive;
  CREATE TABLE IF NOT EXISTS naive.jobs (id text PRIMARY KEY, state text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now());
  CREATE TABLE IF NOT EXISTS naive.chats (id bigint PRIMARY KEY, first_name text, username text);
  CREATE TABLE IF NOT EXISTS naive.messages (chat_id bigint NOT NULL, message_id bigint NOT NULL, text text, sent_at timestamptz, PRIMARY KEY (chat_id, message_id));
  GRANT USAGE ON SCHEMA naive TO PUBLIC;
  GRANT SELECT ON naive.jobs TO PUBLIC`);
const connection = () => new Redis(process.env.REDIS_URL ?? "", { maxRetriesPerRequest: null });
const queue = new Queue("naive", { connection: connection() });
const state = (id: string, value: string) =>
  pool.query(
    `INSERT INTO naive.jobs (id, state) VALUES ($1, $2)
     ON CONFLICT (id) DO UPDATE SET state = excluded.state, updated_at = now()`,
    [id, value],
  );

new Worker(
  "naive",
  async (job) => {
    const { message } = job.data;
    await state(job.id ?? "", "running");
    await pool.query(
      `INSERT INTO naive.chats (id, first_name, username) VALUES ($1, $2, $3)
       ON CONFLICT (id) DO UPDATE SET first_name = excluded.first_name, username = excluded.username`,
      [message.chat.id, message.chat.first_name, message.chat.username],
    );
    await pool.query(
      `INSERT INTO naive.messages (chat_id, message_id, text, sent_at)
       VALUES ($1, $2, $3, to_timestamp($4)) ON CONFLICT DO NOTHING`,
      [message.chat.id, message.message_id, message.text, message.date],
    );
    await state(job.id ?? "", "completed");
  },
  { connection: connection(), concurrency: 50 },
);

const app = express();
app.use(express.json());
app.post("/webhook", async (request, response) => {
  const id = `u${request.body.update_id}`;
  await state(id, "available");
  await queue.add("update", request.body, { jobId: id, removeOnComplete: true });
  response.sendStatus(200);
});
const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
