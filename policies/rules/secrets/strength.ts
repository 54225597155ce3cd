import type { Resource } from "../../../contract/graph.ts";
import type { Reader } from "../../model/reader.ts";
import { judge, judgeAt, placeOf, subjectOf, type StackContext, type StackRule } from "../../model/rule.ts";
import { any, UnknownTruth, type Truth } from "../../model/truth.ts";

/** Least entropy of a generated secret, in bits. A password that a machine checks a million times a second lasts longer than its data. */
const LEAST_BITS = 96;

const SPECIAL = "!@#$%&*()-_=+[]{}<>:?";
const PASSWORD = "random:index/randomPassword:RandomPassword";
const BYTES = "random:index/randomBytes:RandomBytes";
const PRIVATE_KEY = "tls:index/privateKey:PrivateKey";
/** Generators whose results the state and the log show. */
const PUBLIC = /^random:index\/(?!randomPassword:|randomBytes:)/;

/** Generated secrets cannot be guessed. */
export const strength: StackRule = {
  name: "secret-strength",
  title: `Generated secrets have at least ${LEAST_BITS} bits, and come from a generator for secrets`,
  level: "mandatory",
  scope: "stack",
  onUnknown: "defer",
  documentation: `The entropy of a \`random.RandomPassword\` is its length times the logarithm of its alphabet (\`upper\`, \`lower\`, \`numeric\`, \`special\`, \`overrideSpecial\`). A \`random.RandomBytes\` has at least 16 bytes; a \`tls.PrivateKey\` is Ed25519, ECDSA from P256 on, or RSA from 2048 bits on. \`RandomString\`, \`RandomId\`, \`RandomPet\` and the like are not for secrets: their results are not marked. What the stack stores in a Secret, as a database password, or as a secret of an edge function does not come from one of them.`,
  references: [
    { standard: "OWASP ASVS 4.0", item: "2.9.2, 6.3.1" },
    { standard: "NIST SP 800-131A", item: "security strengths" },
  ],
  notApplicable: ({ graph }) =>
    graph.resources.some(({ type }) => /^(?:random|tls):/.test(type)) ? undefined : "this stack generates no secret",
  *check(context) {
    for (const resource of context.graph.resources) {
      const subject = subjectOf(resource);
      const { inputs } = subject;
      if (resource.type === PASSWORD)
        yield judge(
          subject,
          inputs.at("length"),
          isStrong(inputs),
          `the generated secret has less than ${LEAST_BITS} bits`,
          "set length to 32 or more",
        );
      if (resource.type === BYTES)
        yield judge(
          subject,
          inputs.at("length"),
          inputs.at("length").within(16, Infinity),
          "the generated secret has less than 16 bytes",
          "set length to 32",
        );
      if (resource.type === PRIVATE_KEY)
        yield judge(
          subject,
          inputs.at("algorithm"),
          any(
            inputs.at("algorithm").is("ED25519"),
            inputs.at("algorithm").is("ECDSA") === true && inputs.at("ecdsaCurve").is("P256", "P384", "P521"),
            inputs.at("algorithm").is("RSA") === true &&
              any(inputs.at("rsaBits").isAbsent, inputs.at("rsaBits").within(2048, 16_384)),
          ),
          "the key is weak",
          "use ED25519, ECDSA with ecdsaCurve P256, or RSA with rsaBits of 2048 or more",
        );
    }
    yield* fromPublicGenerators(context);
  },
};

/** Fields of resources that hold secrets. */
const HOLDERS: readonly (readonly [type: RegExp, fields: readonly string[]])[] = [
  [/^kubernetes:core\/v1:Secret(?:Patch)?$/, ["data", "stringData"]],
  [/^supabase:index\/project:Project$/, ["databasePassword"]],
  [/^supabase:index\/edgeFunctionSecrets:/, ["secrets"]],
];

function* fromPublicGenerators(context: StackContext) {
  const generators = new Set(context.graph.resources.filter(({ type }) => PUBLIC.test(type)).map(({ urn }) => urn));
  for (const resource of context.graph.resources)
    for (const field of fieldsOf(resource)) {
      const sources = resource.propertyDependencies[field] ?? [];
      yield judgeAt(
        placeOf(subjectOf(resource), field),
        !sources.some((urn) => generators.has(urn)),
        "a secret comes from a generator whose results are not secret",
        "generate it with random.RandomPassword",
      );
    }
}

function fieldsOf(resource: Resource): readonly string[] {
  return HOLDERS.find(([type]) => type.test(resource.type))?.[1] ?? [];
}

function isStrong(inputs: Reader): Truth {
  const classes = [
    ["upper", 26],
    ["lower", 26],
    ["numeric", 10],
    ["special", new Set(inputs.at("overrideSpecial").text ?? SPECIAL).size],
  ] as const;
  const open = [inputs.at("length"), ...classes.map(([key]) => inputs.at(key))].filter(
    ({ state }) => state === "unknown",
  );
  if (open.length > 0) return new UnknownTruth(open.map(({ path }) => path));
  const letters = classes.reduce((sum, [key, size]) => sum + (inputs.at(key).is(false) === true ? 0 : size), 0);
  return (inputs.at("length").number ?? 0) * Math.log2(Math.max(1, letters)) >= LEAST_BITS;
}
