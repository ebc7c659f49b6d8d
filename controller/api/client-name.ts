// What a program calls itself, for people who look at the requests: the first product of its User-Agent header. A claim,
// like all that clients say.
import { MAX_SHOWN_LABEL_CHARS } from '../../protocol/limits.ts';

/** `curl/8.5.0` is `curl`, `OpenAI/Python 1.52.0` is `OpenAI/Python`; undefined where nothing is said. */
export function clientOf(userAgent: string | undefined): string | undefined {
  const [product = ''] = (userAgent ?? '').trim().split(/\s/, 1);
  const name = product.replace(/\/v?\d.*$/, '').replace(/[^\x21-\x7e]/g, '');
  return name === '' ? undefined : name.slice(0, MAX_SHOWN_LABEL_CHARS);
}
