// The step in which a model is chosen: of those that are here and those that the catalogue has, with the plan that is
// predicted for it and what it takes of each node's disk.
import { EspalierError } from '../../../protocol/errors.ts';
import { RepoName } from '../../../protocol/models.ts';
import { formatCount, printable } from '../../format.ts';
import { diskBytes } from '../../pull-text.ts';
import type { ModelOffer } from '../actions.ts';
import { bytesToFetch, offerLines, offerOptions, refusedLines } from '../model-lines.ts';
import type { Step, StepContext } from '../step.ts';
import { BLANK, linesOf, type Option } from '../talk.ts';

const OTHER = 'other';
const INTRO = [
  'What this cluster could answer with: those that fit come first, of them the largest. Each node holds only its own ' +
    'layers; what is fetched comes over the internet once. ● is here already, ◐ was begun, ○ is to be fetched.',
];

export const model: Step = async (context) => {
  const { talk, actions, answers } = context;
  for (;;) {
    const offers = await talk.during('Looking for models, and planning for each', () => actions.models());
    talk.show(linesOf(INTRO));
    const chosen = await talk.choose({
      flag: 'model',
      takesOther: true,
      question: 'Which model? Speeds are of one stream, and predicted.',
      options: [{ value: OTHER, label: 'another one of the hub, or a folder' }, ...offerOptions(offers)],
      initial: initialOf(offers, answers.model, talk.isUnattended),
    });
    const named = chosen === OTHER ? await nameOther(context) : chosen;
    if (named !== undefined && (await isWanted(named, offers, context))) {
      return { ...answers, model: offerNamed(offers, named)?.name ?? named };
    }
  }
};

/** Unattended, nothing large is fetched that nobody named: the best of what is here. */
function initialOf(offers: readonly ModelOffer[], before: string | undefined, isUnattended: boolean) {
  const fitting = offers.filter(({ refused }) => refused === null);
  const here = fitting.find(({ place }) => place !== 'hub');
  return before ?? (isUnattended ? here : fitting[0])?.name;
}

/** By its whole name, or its part after the slash where only one has it: as the store finds models. */
function offerNamed(offers: readonly ModelOffer[], name: string): ModelOffer | undefined {
  const short = offers.filter((offer) => offer.name.slice(offer.name.lastIndexOf('/') + 1) === name);
  return offers.find((offer) => offer.name === name) ?? (short.length === 1 ? short[0] : undefined);
}

async function isWanted(name: string, offers: readonly ModelOffer[], context: StepContext): Promise<boolean> {
  const { talk, actions } = context;
  const isFolder = name.startsWith('/');
  const offer = offerNamed(offers, name) ?? (isFolder ? await actions.folderModel(name) : undefined);
  if (!offer) return isUnknownWanted(name, offers, context);
  if (offer.refused !== null) {
    if (talk.isUnattended) throw new EspalierError('not_enough_nodes', `${name}: ${offer.refused}`);
    talk.show(refusedLines(offer));
    await talk.choose({
      question: 'These nodes cannot hold it.',
      options: [{ value: 'other', label: 'choose another one' }],
      initial: 'other',
    });
    return false;
  }
  const plan = await talk.during('Planning', () => actions.predict(offer));
  talk.show(offerLines(offer, plan));
  const missing = bytesToFetch(plan.disks);
  const bring =
    missing > 0 ? `yes, bring about ${diskBytes(missing)} to the nodes and deploy it` : 'yes, deploy it';
  return confirmed(context, bring);
}

/** Of the hub, and not in the catalogue: what it consists of is only known when it is pulled. */
async function isUnknownWanted(
  name: string,
  offers: readonly ModelOffer[],
  context: StepContext,
): Promise<boolean> {
  if (!RepoName.safeParse(name).success) {
    const known = offers.map((offer) => offer.name).join(', ');
    throw new EspalierError(
      'bad_option',
      `--model: there is no model ${name} here, and it is neither organisation/name nor a folder; there is: ${known}`,
    );
  }
  context.talk.show([
    { text: printable(name), tone: 'title' },
    BLANK,
    ...linesOf([
      'It is not in the catalogue. The hub says what it consists of before anything is fetched; where it does not fit, or a ' +
        'disk is too small, nothing is fetched, and you are told what is missing.',
    ]),
  ]);
  return confirmed(context, 'yes, ask the hub, fetch it and deploy it');
}

async function confirmed({ talk }: StepContext, yes: string): Promise<boolean> {
  const wanted = await talk.choose({
    question: 'Take this one?',
    options: [
      { value: 'yes', label: yes },
      { value: 'no', label: 'no, choose another one' },
    ],
    initial: 'yes',
  });
  return wanted === 'yes';
}

/** @returns undefined: none after all */
async function nameOther({ talk, actions }: StepContext): Promise<string | undefined> {
  talk.show(
    linesOf(['organisation/name of the hub, a folder of this machine, or words to search the hub for.']),
  );
  const typed = await talk.enter({ question: 'Model' });
  if (typed.startsWith('/') || RepoName.safeParse(typed).success) return typed;
  const found = await talk.during('Asking the hub', () => actions.searchHub(typed));
  const options = found.map(({ repo, downloads, isGated }): Option => {
    const facts = [
      ...(downloads === null ? [] : [`${formatCount(downloads)} downloads`]),
      ...(isGated ? ['needs a token'] : []),
    ];
    return { value: repo, label: printable(`${repo}  ${facts.join(', ')}`) };
  });
  talk.show(
    linesOf([found.length === 0 ? `The hub has no MLX model with "${typed}" in its name.` : 'The hub has:']),
  );
  const chosen = await talk.choose({
    question: 'Which one?',
    options: [...options, { value: OTHER, label: 'none of them' }],
    initial: options[0]?.value ?? OTHER,
  });
  return chosen === OTHER ? undefined : chosen;
}
