import type { AddressInfo } from "node:net";
import express from "express";

/** The least a webhook can do: parse the JSON and answer 200. Prints its port. */
const app = express();
app.use(express.json());
app.post("/webhook", (_request, response) => void response.sendStatus(200));
const server = app.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
