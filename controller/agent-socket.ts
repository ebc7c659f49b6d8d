// A WebSocket to an agent over a TLS connection whose key was looked at already. It must not know what is said on it.
import type { TLSSocket } from 'node:tls';
import { WebSocket } from 'ws';
import { HELLO_TIMEOUT_MS } from '../protocol/limits.ts';

/** @param path CONTROL_SOCKET_PATH or PAIRING_SOCKET_PATH */
export function openAgentSocket(tls: TLSSocket, path: string, maxMessageBytes: number): WebSocket {
  // the name is nobody's: the connection is there already
  return new WebSocket(`ws://agent${path}`, {
    createConnection: () => tls,
    handshakeTimeout: HELLO_TIMEOUT_MS,
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
  });
}
