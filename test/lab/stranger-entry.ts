// A stranger in a lab's network, as a process of its own because it lives in a namespace of its own: announces nodes that do
// not exist, and says nonsense to every port that it is told, until all of it is said.
import { setTimeout as delay } from 'node:timers/promises';
import { Bonjour } from 'bonjour-service';
import { newIdentity } from '../support/identities.ts';
import {
  sayGarbage,
  sayItSlowly,
  sayMalformedWords,
  sayNonsenseInTls,
  standThere,
} from '../support/strangers.ts';

/** Announced again and again under other names. */
const ADVERTS = 20;

const [from = '', cluster = '', rounds = '', ...targets] = process.argv.slice(2);
const places = targets.map((target) => ({
  host: target.split(':')[0],
  port: Number(target.split(':')[1]),
  from,
}));
const mallory = await newIdentity();
const options = { interface: from, bind: '0.0.0.0' } as unknown as ConstructorParameters<typeof Bonjour>[0];
const bonjour = new Bonjour(options, () => undefined);
let next = 0;
let announced = 0;

async function attack(): Promise<void> {
  while (next < Number(rounds)) {
    const n = next++;
    const target = places[n % places.length];
    if (!target) return;
    if (n % 4 === 0) await sayMalformedWords(target, mallory, n);
    else if (n % 4 === 1) await sayNonsenseInTls(target, n % 8 === 1 ? mallory : undefined);
    else await sayGarbage(target, n);
  }
}

async function announce(): Promise<void> {
  while (next < Number(rounds)) {
    for (let i = 0; i < ADVERTS; i++) {
      const id = `stranger-${announced++}`;
      const txt = { id, boot: 'b', protocol: i % 2 ? '999' : '5', cluster, paired: '0' };
      bonjour.publish({ name: `\u001b[2Jmac-${id}`, type: 'espalier', port: 9, txt, probe: false });
    }
    await delay(200);
    await new Promise<void>((resolve) => bonjour.unpublishAll(() => resolve()));
  }
}

const patient = places.flatMap((place) => [standThere(place), sayItSlowly(place)]);
await Promise.all([announce(), ...Array.from({ length: 40 }, attack)]);
for (const socket of patient) socket.destroy();
console.log(JSON.stringify({ said: next, announced }));
process.exit(0);
