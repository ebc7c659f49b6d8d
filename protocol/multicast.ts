// Bonjour on chosen interfaces. bonjour-service sends on one interface an instance, and with its default options fails
// silently on a machine without a default route; `bind` is what makes a chosen interface work (its types lack it).
import { isIPv4 } from 'node:net';
import { networkInterfaces } from 'node:os';
import { Bonjour } from 'bonjour-service';
import { EspalierError } from './errors.ts';

/**
 * IPv4 addresses of the interfaces to use: the given one, or every one that leads out of this machine.
 * @throws EspalierError bad_option when what was given is no IPv4 address
 */
export function multicastInterfaces(chosen: string | undefined): string[] {
  if (chosen !== undefined && !isIPv4(chosen)) {
    throw new EspalierError(
      'bad_option',
      `--interface ${chosen}: it takes the IPv4 address of a network interface`,
    );
  }
  if (chosen !== undefined) return [chosen];
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === 'IPv4' && !address.internal)
    .map((address) => address.address);
}

/** @param onError multicast may be denied at any time; that is a finding, not the end of the process */
export function openBonjour(interfaceAddress: string, onError: (error: Error) => void): Bonjour {
  const options = { interface: interfaceAddress, bind: '0.0.0.0' } as unknown as ConstructorParameters<
    typeof Bonjour
  >[0];
  const bonjour = new Bonjour(options, onError);
  // its callback hears of answers only: a socket that cannot be opened is told here, and would end the process unheard
  const { mdns } = (bonjour as unknown as { server: { mdns: NodeJS.EventEmitter } }).server;
  mdns.on('error', onError);
  mdns.on('warning', onError);
  return bonjour;
}
