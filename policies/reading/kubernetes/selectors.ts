import type { Reader } from "../../model/reader.ts";
import { all, any, not, type Truth } from "../../model/truth.ts";

/**
 * Whether a Kubernetes label selector matches labels: all of `matchLabels` and all of `matchExpressions`. An empty selector
 * matches all labels. An absent one is for the caller to judge, since its meaning differs from field to field.
 */
export function matches(selector: Reader, labels: Reader): Truth {
  return all(
    selector.isPresent,
    ...selector
      .at("matchLabels")
      .entries()
      .map(([key, value]) => (value.text === undefined ? value.isAbsent : labels.at(key).is(value.text))),
    ...selector
      .at("matchExpressions")
      .each()
      .map((expression) => holdsFor(expression, labels)),
  );
}

function holdsFor(expression: Reader, labels: Reader): Truth {
  const key = expression.at("key");
  if (key.text === undefined) return key.test(() => false);
  const label = labels.at(key.text);
  const values = expression.at("values");
  const listed = any(
    ...values.each().map((value) => (value.text === undefined ? value.isAbsent : label.is(value.text))),
  );
  const operator = expression.at("operator");
  switch (operator.text) {
    case "In":
      return listed;
    case "NotIn":
      return any(label.isAbsent, not(listed));
    case "Exists":
      return label.isPresent;
    case "DoesNotExist":
      return label.isAbsent;
    default:
      return operator.test(() => false);
  }
}

/** Whether a selector has no condition: it selects everything in its scope. */
export function isEmptySelector(selector: Reader): Truth {
  return all(
    selector.isPresent,
    selector.at("matchLabels").entries().length === 0,
    selector.at("matchExpressions").each().length === 0,
    // A selector with other fields is malformed.
    selector.test(
      (value) =>
        typeof value === "object" &&
        value !== null &&
        Object.keys(value).every((key) => key === "matchLabels" || key === "matchExpressions"),
    ),
  );
}

/**
 * Whether a selector names a value that what it selects must have. `Exists`, `NotIn` and `DoesNotExist` also select what the stack
 * does not know.
 */
export function namesValues(selector: Reader): Truth {
  return any(
    ...selector
      .at("matchLabels")
      .entries()
      .map(([, value]) => value.isPresent),
    ...selector
      .at("matchExpressions")
      .each()
      .map((expression) => all(expression.at("operator").is("In"), expression.at("values").each().length > 0)),
  );
}
