// Whether somebody still lives behind a WebSocket that is open: a machine that lost its power closes none.
import { WebSocket } from 'ws';

/** Resolves to false after `timeoutMs` without an answer. */
export function answers(socket: WebSocket, timeoutMs: number): Promise<boolean> {
  if (socket.readyState !== WebSocket.OPEN) return Promise.resolve(false);
  return new Promise((resolve) => {
    const settle = (isAlive: boolean) => {
      clearTimeout(timer);
      socket.off('pong', alive);
      socket.off('close', gone);
      resolve(isAlive);
    };
    const alive = () => settle(true);
    const gone = () => settle(false);
    const timer = setTimeout(gone, timeoutMs);
    socket.on('pong', alive);
    socket.on('close', gone);
    socket.ping();
  });
}
