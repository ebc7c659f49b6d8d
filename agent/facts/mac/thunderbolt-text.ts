// The text form of `system_profiler SPThunderboltDataType`, put into the shape of its JSON form, so that one parser
// reads both. It judges nothing.
import { wholeNumber } from '../text.ts';
import { type ProfilerBlock, profilerBlocks } from './profiler-text.ts';

type Item = Record<string, unknown>;

/** Deeper than any chain of devices. */
const MAX_DEPTH = 16;

const KEYS: Record<string, string> = {
  'Vendor Name': 'vendor_name_key',
  'Device Name': 'device_name_key',
  'Domain UUID': 'domain_uuid_key',
  'Link Status': 'link_status_key',
  Speed: 'current_speed_key',
  Receptacle: 'receptacle_id_key',
};

/** @returns the buses; undefined when the text has none */
export function thunderboltTextAsJson(text: string): Item[] | undefined {
  const top = profilerBlocks(text);
  const buses = top.flatMap((block) => (isBus(block) ? [block] : block.blocks.filter(isBus)));
  return buses.length > 0 ? buses.map((bus) => item(bus, 0)) : undefined;
}

function isBus({ title }: ProfilerBlock): boolean {
  return /^Thunderbolt.* Bus( \d+)?$/.test(title);
}

function isPort({ title }: ProfilerBlock): boolean {
  return /^Port(?: \(.*\))?$/.test(title);
}

function item(block: ProfilerBlock, depth: number): Item {
  const result: Item = { _name: block.title, ...renamed(block) };
  const devices: Item[] = [];
  // the text form puts a device inside the port that it hangs at
  const inside = block.blocks.flatMap((child) => (isPort(child) ? [child, ...child.blocks] : [child]));
  for (const child of inside) {
    if (isPort(child)) {
      result[`receptacle_${Object.keys(result).length}_tag`] = port(child);
    } else if (child.title === 'Services') {
      result.services_title = child.blocks.map((service) => ({
        _name: service.title,
        protocol_id_key: wholeNumber(service.fields['Protocol ID']) ?? undefined,
      }));
    } else if (depth < MAX_DEPTH) {
      devices.push(item(child, depth + 1));
    }
  }
  if (devices.length > 0) result._items = devices;
  return result;
}

function port(block: ProfilerBlock): Item {
  const statuses: Record<string, string> = {
    'Device connected': 'receptacle_connected',
    'No device connected': 'receptacle_no_devices_connected',
  };
  return { ...renamed(block), receptacle_status_key: statuses[block.fields.Status ?? ''] };
}

function renamed({ fields }: ProfilerBlock): Item {
  const result: Item = {};
  for (const [name, key] of Object.entries(KEYS)) {
    if (fields[name] !== undefined) result[key] = fields[name];
  }
  return result;
}
