// What a blob's name says of its bytes: the sha256 of a large file, or git's sha1 of a small one. It must not know names
// or folders.
import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** Bytes read at once. */
const CHUNK_BYTES = 1024 * 1024;

/** A hash whose hexadecimal digest is the blob's name when the bytes are right. Git hashes a header with the size first. */
export function blobHash({ blob, sizeBytes }: { blob: string; sizeBytes: number }): Hash {
  if (blob.length === 64) return createHash('sha256');
  return createHash('sha1').update(`blob ${sizeBytes}\0`);
}

/**
 * The digest of a file's bytes.
 * @param onBytes told of each piece
 * @throws Error of the file system; the signal's reason
 */
export async function hashFile(
  path: string,
  file: { blob: string; sizeBytes: number },
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const hash = blobHash(file);
  await feed(hash, path, onBytes, signal);
  return hash.digest('hex');
}

/** Feeds a file's bytes to a hash. @returns how many they were */
export async function feed(
  hash: Hash,
  path: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<number> {
  let total = 0;
  for await (const chunk of createReadStream(path, { highWaterMark: CHUNK_BYTES })) {
    signal.throwIfAborted();
    hash.update(chunk as Buffer);
    total += (chunk as Buffer).length;
    onBytes((chunk as Buffer).length);
  }
  return total;
}
