// The way to the controller: the public status stream, and the key where one is asked for. It must not know what is shown.

const STATUS_PATH = '/cluster/v1/status';
const KEY = 'espalier-key';
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 2_000;
/** The stream says something twice a second. */
const SILENCE_MS = 5_000;

/**
 * Follows the stream for ever. The key goes where browsers let a page put one with a WebSocket, in the list of subprotocols:
 * an address would stand in histories and logs, and a cookie would be sent by other pages, too.
 * @param {{ snapshot(status: any): void, gone(why: string): void, keyWanted(isWrong: boolean): void }} listener
 * @returns {{ openWith(key: string): void }}
 */
export function followStatus(listener) {
  let retryMs = FIRST_RETRY_MS;
  /** @type {number | undefined} */
  let timer;

  const connect = () => {
    clearTimeout(timer);
    const key = sessionStorage.getItem(KEY);
    const url = new URL(STATUS_PATH, location.href);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    const socket = new WebSocket(url, key === null ? ['espalier'] : ['espalier', `espalier-key.${key}`]);
    const awaitMessage = () => {
      clearTimeout(timer);
      timer = setTimeout(() => socket.close(), SILENCE_MS);
    };
    awaitMessage();
    socket.onmessage = ({ data }) => {
      awaitMessage();
      retryMs = FIRST_RETRY_MS;
      listener.snapshot(JSON.parse(data));
    };
    socket.onclose = () => {
      clearTimeout(timer);
      void askWhy(key).then((why) => {
        if (why === 'key') return listener.keyWanted(key !== null);
        listener.gone(why);
        timer = setTimeout(connect, retryMs);
        retryMs = Math.min(2 * retryMs, MAX_RETRY_MS);
      });
    };
  };
  connect();
  return {
    openWith(key) {
      sessionStorage.setItem(KEY, key);
      connect();
    },
  };
}

/** A browser does not tell why a WebSocket did not open: the same question by HTTP does. @param {string | null} key */
async function askWhy(key) {
  try {
    const headers = /** @type {Record<string, string>} */ (
      key === null ? {} : { authorization: `Bearer ${key}` }
    );
    const answer = await fetch(STATUS_PATH, { headers, signal: AbortSignal.timeout(SILENCE_MS) });
    if (answer.status === 401 || answer.status === 403) {
      sessionStorage.removeItem(KEY);
      return 'key';
    }
    const body = answer.ok ? undefined : await answer.json();
    return body?.error?.message ?? 'the stream was closed';
  } catch {
    return 'the controller does not answer';
  }
}
