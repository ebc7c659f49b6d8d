// The step in which a model is chosen, of those that this machine has, with the plan that is predicted for it.
import { EspalierError } from '../../../protocol/errors.ts';
import { formatNumber, printable } from '../../format.ts';
import type { ModelOffer } from '../actions.ts';
import type { Step } from '../step.ts';
import { fixed, linesOf } from '../talk.ts';

export const model: Step = async ({ talk, actions, answers }) => {
  for (;;) {
    const offers = await talk.during('Looking for models', () => actions.models());
    talk.show(
      linesOf([
        'Models in MLX format that lie on this machine, those that fit first. All nodes need them at the same path.',
      ]),
    );
    const chosen = await talk.choose({
      flag: 'model',
      takesOther: true,
      question: 'Which model?',
      options: offers.map((offer) => ({ value: offer.dir, label: offerText(offer) })),
      initial: answers.modelDir ?? offers.find(({ refused }) => refused === null)?.dir,
    });
    const offer = offers.find(({ dir, id }) => dir === chosen || id === chosen);
    if (!offer) {
      const known = offers.map(({ id }) => id).join(', ');
      throw new EspalierError('bad_option', `--model: there is no model ${chosen} here; there is: ${known}`);
    }
    talk.show(fixed((await talk.during('Planning', () => actions.predict(offer))).split('\n')));
    const wanted = await talk.choose({
      question: `Deploy ${printable(offer.id)}?`,
      options: [
        { value: 'yes', label: 'yes' },
        { value: 'no', label: 'no, choose another one' },
      ],
      initial: 'yes',
    });
    if (wanted !== 'no') return { ...answers, modelDir: offer.dir };
  }
};

function offerText({ id, text, predicted, refused }: ModelOffer): string {
  const speed =
    predicted === null ? '' : `, about ${formatNumber(predicted)} tokens/s for one stream (predicted)`;
  return `${printable(id)}  ${text}${refused === null ? speed : `: does not fit, ${printable(refused)}`}`;
}
