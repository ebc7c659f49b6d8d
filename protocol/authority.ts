// How a command proves to a controller on the same machine that the same user started both: a secret in a file that only
// that user can read. It must not know who asks for what.
import { z } from 'zod';

/** In the controller's home, mode 600, new at each start. */
export const AUTHORITY_FILE = 'controller.authority';

export const Authority = z.object({
  /** of the API that made the secret: it must be told to nobody else */
  url: z.url(),
  secret: z.string().min(32),
});
export type Authority = z.infer<typeof Authority>;
