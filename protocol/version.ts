// The version of the words on the control connection and the hops, and what to say when two sides differ.

/** Raised by one whenever a message or frame changes in a way that an older side would misread. */
export const PROTOCOL_VERSION = 7;

/** The version of the product, as in package.json (a test holds them together). */
export const ESPALIER_VERSION = '0.1.0';

/**
 * Says which side is to be upgraded when protocol versions differ.
 * @returns undefined when they are equal, else a sentence for people
 */
export function versionMismatch(
  ours: { who: string; protocol: number },
  theirs: { who: string; protocol: number },
): string | undefined {
  if (ours.protocol === theirs.protocol) return undefined;
  const older = ours.protocol < theirs.protocol ? ours : theirs;
  const newer = older === ours ? theirs : ours;
  return (
    `${older.who} speaks protocol ${older.protocol}, ${newer.who} speaks ${newer.protocol}: ` +
    `upgrade Espalier on the side of ${older.who}.`
  );
}
