import type { Atom, Formula } from "./terms.ts";

/** The facts that hold together for a row that is let through. */
export type Alternative = readonly Atom[];

/** A policy with more alternatives is not proved. */
const MOST_ALTERNATIVES = 512;

/** The disjunctive normal form of a formula. Undefined if it is too large. */
export function alternativesOf(formula: Formula): readonly Alternative[] | undefined {
  switch (formula.kind) {
    case "truth":
      return formula.holds ? [[]] : [];
    case "atom":
      return [[formula.atom]];
    case "or": {
      const all: Alternative[] = [];
      for (const part of formula.parts) {
        const some = alternativesOf(part);
        if (some === undefined || all.length + some.length > MOST_ALTERNATIVES) return undefined;
        all.push(...some);
      }
      return all;
    }
    case "and": {
      let all: readonly Alternative[] = [[]];
      for (const part of formula.parts) {
        const some = alternativesOf(part);
        if (some === undefined || all.length * some.length > MOST_ALTERNATIVES) return undefined;
        all = all.flatMap((left) => some.map((right) => [...left, ...right]));
      }
      return all;
    }
  }
}
