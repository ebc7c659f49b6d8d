// Tokens in the order of the experts that they chose, so that each expert's weight is multiplied once with all of its
// tokens. Pure.

/** An expert and its places in the new order. */
export interface ExpertGroup {
  expert: number;
  begin: number;
  end: number;
}

export interface ExpertOrder {
  /** the experts that were chosen */
  groups: ExpertGroup[];
  /** by place in the new order: the token */
  tokens: number[];
  /** by choice as it came (token after token): its place in the new order */
  places: number[];
}

/** @param experts of each token, as many for each */
export function orderByExpert(experts: readonly (readonly number[])[]): ExpertOrder {
  const choices = experts.flatMap((chosen, token) => chosen.map((expert) => ({ expert, token })));
  const byExpert = Map.groupBy(choices.keys(), (choice) => choices[choice]?.expert as number);
  const order: ExpertOrder = { groups: [], tokens: [], places: new Array<number>(choices.length) };
  for (const [expert, list] of byExpert) {
    const begin = order.tokens.length;
    for (const choice of list) {
      order.places[choice] = order.tokens.length;
      order.tokens.push(choices[choice]?.token as number);
    }
    order.groups.push({ expert, begin, end: order.tokens.length });
  }
  return order;
}
