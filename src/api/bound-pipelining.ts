import type { RequestListener } from "node:http";
import type { Socket } from "node:net";

/**
 * Cuts off a connection that sends more requests ahead of their answers than anybody does in earnest:
 * hardly a client sends two. One packet can hold a thousand, all of which Node hands on in the same
 * turn; their answers would wait in memory for as long as the client reads none of them.
 *
 * @param most requests of one connection under way at once
 */
export function boundPipelining(most: number, next: RequestListener): RequestListener {
  const unanswered = new WeakMap<Socket, number>();
  return (request, response) => {
    const { socket } = request;
    // What else its last packet held.
    if (socket.destroyed) return;
    const count = unanswered.get(socket) ?? 0;
    if (count >= most) {
      socket.destroy();
      return;
    }
    unanswered.set(socket, count + 1);
    response.on("close", () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1));
    next(request, response);
  };
}
