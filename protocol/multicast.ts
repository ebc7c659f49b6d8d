// Bonjour on chosen interfaces. bonjour-service sends on one interface an instance, and with its default options fails
// silently on a machine without a default route; `bind` is what makes a chosen interface work (its types lack it).
import { networkInterfaces } from 'node:os';
import { Bonjour } from 'bonjour-service';

/** IPv4 addresses of the interfaces to use: the given one, or every one that leads out of this machine. */
export function multicastInterfaces(chosen: string | undefined): string[] {
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
  return new Bonjour(options, onError);
}
