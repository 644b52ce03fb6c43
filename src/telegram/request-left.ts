import type { ClientRequest } from "node:http";
import type { TLSSocket } from "node:tls";

/**
 * Calls `left` once a request has a connection (with TLS, if any: `secure`) to be written to: from then
 * on it may have left this machine.
 */
export function onceLeft(request: ClientRequest, secure: boolean, left: () => void): void {
  request.once("socket", (socket) => {
    // A kept-alive socket is there already: it has heard the end of the handshake.
    const isReady = secure
      ? (socket as TLSSocket).getPeerFinished() !== undefined
      : !socket.connecting;
    if (isReady) left();
    else socket.once(secure ? "secureConnect" : "connect", left);
  });
}
