import net, { type AddressInfo } from "node:net";

/** One address for several receivers, as a load balancer gives it: by connection, at random. */
export interface Balancer {
  port: number;
  close(): void;
}

const CONNECT_TIMEOUT_MS = 1_000;

export async function startBalancer(ports: number[]): Promise<Balancer> {
  const open = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const [first = 0, ...others] = [...ports].sort(() => Math.random() - 0.5);
    open.add(client);
    client.on("close", () => open.delete(client));
    client.on("error", () => client.destroy());
    forward(client, first, others);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () => {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

/** To the first that takes the connection; none is an error to the client, as from any balancer. */
function forward(client: net.Socket, port: number, others: number[]): void {
  const upstream = net.connect(port, "127.0.0.1");
  upstream.setTimeout(CONNECT_TIMEOUT_MS, () => upstream.destroy());
  upstream.once("connect", () => {
    upstream.setTimeout(0);
    upstream.on("error", () => client.destroy());
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    client.pipe(upstream);
    upstream.pipe(client);
  });
  upstream.once("error", () => {
    const [next, ...rest] = others;
    if (upstream.readyState === "open" || client.destroyed) return;
    if (next === undefined) client.destroy();
    else forward(client, next, rest);
  });
}
