// Six "Macs" on a 1 Gbit/s switch, joined in a row by 10 Gbit/s cables (the ring's last cable is missing), as macOS
// would address them.
import { Lab, type Mac, type Plug } from './lab.ts';
import { type LabArgs, LabCluster } from './lab-cluster.ts';

const MACS = 6;
const SWITCH_GBPS = 1;
const CABLE_GBPS = 10;
/** The kernel's names for IP over Thunderbolt: to the next Mac, and to the one before. */
export const NEXT = 'thunderbolt0';
export const BEFORE = 'thunderbolt1';

export interface SixMacs {
  lab: Lab;
  macs: readonly Mac[];
  /** of the Macs on the switch */
  addresses: readonly string[];
  cluster: LabCluster;
  /** @param number of the Mac, from 1 */
  plug(number: number, name: string): Plug;
  /** all of a Mac's interfaces, by its number */
  plugsOf(number: number): Plug[];
  linkLocal6(end: Plug): string;
  /** Ends everything. */
  remove(): Promise<void>;
}

/** @param count 2 to 6 of them */
export async function sixMacs({
  count = MACS,
  args = {},
}: {
  count?: number;
  args?: LabArgs;
} = {}): Promise<SixMacs> {
  const lab = new Lab();
  const macs: Mac[] = [];
  const addresses: string[] = [];
  const plug = (number: number, name: string): Plug => ({ mac: macs[number - 1] as Mac, interface: name });
  const numberOf = ({ mac }: Plug) => macs.indexOf(mac) + 1;
  const linkLocal6 = (end: Plug) => `fe80::${numberOf(end)}:${end.interface === NEXT ? 1 : 2}/64`;
  const linkLocal4 = (end: Plug) => `169.254.${numberOf(end)}.${end.interface === NEXT ? 1 : 2}/16`;
  try {
    for (let i = 1; i <= count; i++) {
      macs.push(await lab.addMac(`studio-${i}`));
      await lab.joinSwitch(plug(i, 'en0'), SWITCH_GBPS);
      await lab.addAddress(plug(i, 'en0'), `10.77.0.${i}/24`);
      addresses.push(`10.77.0.${i}`);
    }
    for (let i = 1; i < count; i++) {
      const [here, there] = [plug(i, NEXT), plug(i + 1, BEFORE)];
      await lab.cable(here, there, CABLE_GBPS);
      // as macOS does it: an address in 169.254/16 on each, and a link-local IPv6 one
      for (const end of [here, there]) {
        await lab.addAddress(end, linkLocal4(end));
        await lab.addAddress(end, linkLocal6(end));
      }
    }
  } catch (error) {
    await lab.remove();
    throw error;
  }
  const plugsOf = (number: number) =>
    ['en0', ...(number < count ? [NEXT] : []), ...(number > 1 ? [BEFORE] : [])].map((name) =>
      plug(number, name),
    );
  const cluster = await LabCluster.up(lab, macs, addresses, args);
  const remove = async () => {
    await cluster.stop();
    await lab.remove();
  };
  return { lab, macs, addresses, cluster, plug, plugsOf, linkLocal6, remove };
}

/** What a link carries when nothing is done to it. */
export function gbpsOf({ interface: name }: Plug): number {
  return name === 'en0' ? SWITCH_GBPS : CABLE_GBPS;
}
