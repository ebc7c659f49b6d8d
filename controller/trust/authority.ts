// The secret of this start of the controller: whoever can read it in the controller's home is the controller's own user
// and may change the cluster. It must not know what that means.
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { AUTHORITY_FILE, type Authority } from '../../protocol/authority.ts';
import { removeOwnFile, writeOwnFile } from '../../protocol/home-files.ts';

export class OwnAuthority {
  readonly secret = randomBytes(32).toString('base64url');
  readonly #path: string;

  constructor(home: string) {
    this.#path = join(home, AUTHORITY_FILE);
  }

  /** @param url of this controller's API: the secret is for nobody else; @throws EspalierError home_not_writable */
  publish(url: string): void {
    const authority: Authority = { url, secret: this.secret };
    writeOwnFile(this.#path, `${JSON.stringify(authority)}\n`);
  }

  withdraw(): void {
    removeOwnFile(this.#path);
  }
}
