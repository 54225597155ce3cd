import { and, atom, FALSE, isPure, or, show, someRow, test, type Formula, type Query, type Term } from "./terms.ts";

/** What follows if two values are equal. */
export function equal(a: Term, b: Term): Formula {
  for (const [one, other] of [
    [a, b],
    [b, a],
  ] as const) {
    if (one.kind === "null") return FALSE;
    if (one.kind === "choice") return or(...one.cases.map(({ when, then }) => and(when, equal(then, other))));
    if (one.kind === "query") return someRow(one.query, (target) => equal(target, other));
    if (one.kind === "call" && ELEMENTS.test(one.name) && one.args[0] !== undefined)
      return memberOf(other, one.args[0]);
  }
  if (a.kind === "tuple" && b.kind === "tuple" && a.items.length === b.items.length)
    return and(...a.items.map((item, at) => equal(item, b.items[at] ?? { kind: "null" })));
  if (a.kind === "constant" && b.kind === "constant")
    return differ(a.value, b.value) ? FALSE : test(`${show(a)} = ${show(b)}`);
  // A value equals itself for any caller.
  if (show(a) === show(b) && (isPure(a) || a.kind === "claim")) return test(`${show(a)} = ${show(b)}`);
  return atom({ kind: "equal", a, b });
}

/** Whether two constants differ in every type that both could have: upper case may be equal, `1` is `01`, `t` is `true`. */
export function differ(a: string, b: string): boolean {
  const truth = /^(true|false)$/;
  if (truth.test(a) && truth.test(b)) return a !== b;
  const word =
    /^(?!(?:t|f|y|n|yes|no|on|off|true|false|now|today|epoch|yesterday|tomorrow|infinity|nan)$)[a-z][a-z0-9_]*$/i;
  if (word.test(a) && word.test(b)) return a.toLowerCase() !== b.toLowerCase();
  const whole = /^-?\d{1,15}$/;
  return whole.test(a) && whole.test(b) && Number(a) !== Number(b);
}

/** Functions that return the elements of an array as rows. */
const ELEMENTS = /^(unnest|jsonb?_array_elements(_text)?)$/;

/** What follows if a value is an element of an array. */
export function memberOf(item: Term, array: Term): Formula {
  switch (array.kind) {
    case "array":
      return or(...array.items.map((each) => equal(item, each)));
    case "rows":
      return someRow(array.query, (target) => equal(item, target));
    case "query":
      return someRow(array.query, (target) => memberOf(item, target));
    case "choice":
      return or(...array.cases.map(({ when, then }) => and(when, memberOf(item, then))));
    case "null":
      return FALSE;
    case "constant": {
      const values = /^\{(.*)\}$/.exec(array.value)?.[1];
      if (values === undefined) break;
      return or(
        ...(values === "" ? [] : values.split(",")).map((value) =>
          equal(item, { kind: "constant", value: value.trim().replaceAll('"', "") }),
        ),
      );
    }
  }
  return atom({ kind: "member", item, of: array });
}

/** `count(*) = 0` holds without a row; any larger number needs one. */
export function countAtLeast(query: Query, count: number): Formula {
  return count >= 1 ? someRow(query) : test("count = 0");
}

/** What follows from an operator other than `=`. */
export function containment(operator: string, left: Term, right: Term): Formula | undefined {
  if (left.kind === "count" && right.kind === "constant") {
    const least = operator === ">" ? Number(right.value) + 1 : operator === ">=" ? Number(right.value) : 0;
    return least >= 1 ? someRow(left.query) : undefined;
  }
  const prefix = operator === "~~" ? prefixOf(right) : undefined;
  if (prefix !== undefined) return atom({ kind: "prefix", of: left, prefix });
  if (operator === "?") return atom({ kind: "member", item: right, of: left });
  const [all, some] = operator === "@>" ? [left, right] : operator === "<@" ? [right, left] : [];
  if (all !== undefined && some?.kind === "array" && some.items.length > 0)
    return and(...some.items.map((item) => memberOf(item, all)));
  if (operator === "&&" && right.kind === "array") return or(...right.items.map((item) => memberOf(item, left)));
  if (operator === "&&" && left.kind === "array") return or(...left.items.map((item) => memberOf(item, right)));
  return undefined;
}

/** The identifier of a person at the start of a pattern. Its length is fixed, so that it is the prefix of no other one. */
export function prefixOf(pattern: Term): Term | undefined {
  if (pattern.kind !== "call" || pattern.name !== "||") return undefined;
  const [left] = pattern.args;
  if (left === undefined) return undefined;
  return left.kind === "claim" && left.path.join() === "sub" ? left : prefixOf(left);
}
