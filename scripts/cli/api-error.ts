// What the API answered instead of an answer. It stands apart so that the command line knows it without loading the chat.

/** The message is the API's own, which already says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
}
