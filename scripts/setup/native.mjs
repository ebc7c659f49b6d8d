// What a native binary is, by its first bytes, and which system packages its missing libraries are in. Pure.

/** @typedef {'elf-x64' | 'mach-o-arm64' | 'mach-o-fat' | 'other'} BinaryKind */

/**
 * @param {Uint8Array} head at least the first 20 bytes of the file
 * @returns {BinaryKind}
 */
export function binaryKind(head) {
  if (head.length < 20) return 'other';
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const magic = view.getUint32(0);
  // ELF: 64 bits (byte 4 is 2), machine 62 is x86-64
  if (magic === 0x7f454c46)
    return view.getUint8(4) === 2 && view.getUint16(18, true) === 62 ? 'elf-x64' : 'other';
  // Mach-O of 64 bits, little-endian; cpu type 12 with the 64-bit flag is arm64
  if (magic === 0xcffaedfe) return view.getUint32(4, true) === 0x0100000c ? 'mach-o-arm64' : 'other';
  return magic === 0xcafebabe ? 'mach-o-fat' : 'other';
}

/**
 * Whether a binary of this kind is made for the platform.
 * @param {BinaryKind} kind
 * @param {string} platform as process.platform
 */
export function runsOn(kind, platform) {
  return platform === 'darwin' ? kind === 'mach-o-arm64' || kind === 'mach-o-fat' : kind === 'elf-x64';
}

/**
 * The shared library that a failed dlopen() on Linux names as missing.
 * @param {string} message
 * @returns {string | undefined} undefined when the failure is of another kind
 */
export function missingLibrary(message) {
  return /(\S+\.so(?:\.\d+)*): cannot open shared object file/.exec(message)?.[1];
}

/** What node-mlx's Linux binary links against: libopenblas.so.0 and liblapack.so.3. */
const BLAS_COMMANDS = [
  ['apt-get', 'apt-get update && apt-get install -y --no-install-recommends libopenblas0 liblapack3'],
  ['dnf', 'dnf install -y openblas-serial lapack'],
  ['yum', 'yum install -y openblas-serial lapack'],
  ['pacman', 'pacman -S --needed openblas lapack'],
];

/** The arguments of apt-get that install BLAS without asking anything. */
export const APT_INSTALL = Object.freeze([
  '-o',
  'DPkg::Lock::Timeout=120',
  'install',
  '-y',
  '--no-install-recommends',
  'libopenblas0',
  'liblapack3',
]);

/**
 * The command that installs BLAS with the machine's own package manager.
 * @param {(program: string) => boolean} has whether a program is on PATH
 * @param {boolean} root whether we are root: otherwise each command is put under sudo
 */
export function blasCommand(has, root) {
  const line = BLAS_COMMANDS.find(([program]) => program !== undefined && has(program))?.[1];
  if (line === undefined) return 'install libopenblas.so.0 and liblapack.so.3 with your package manager';
  return root
    ? line
    : line
        .split(' && ')
        .map((command) => `sudo ${command}`)
        .join(' && ');
}
