import { describe, expect, it } from "vitest";
import { Unknown, type Inputs, type Value } from "../../contract/graph.ts";
import { billsOfMaterials } from "../../policies/rules/supply-chain/bills-of-materials.ts";
import { signatures } from "../../policies/rules/supply-chain/signatures.ts";
import { altered, outcome, POD_KINDS, podResource, resource, soundPodSpec } from "./support.ts";

const [, , , deployment] = POD_KINDS;
if (deployment === undefined) throw new Error("Deployment is among the kinds");
const running = (image: Value) =>
  podResource(deployment, altered(soundPodSpec(), ["containers", 0, "image"], image) as Inputs);
const namespace = (label?: string) =>
  resource("kubernetes:core/v1:Namespace", {
    metadata: { name: "exai", labels: label === undefined ? {} : { "policy.sigstore.dev/include": label } },
  });
const KEYLESS = {
  keyless: {
    identities: [{ issuer: "https://token.actions.githubusercontent.com", subjectRegExp: ".*/release.yml@.*" }],
  },
  attestations: [{ name: "sbom", predicateType: "spdxjson" }],
};
const policy = (spec: Inputs = {}) =>
  resource("kubernetes:policy.sigstore.dev/v1beta1:ClusterImagePolicy", {
    spec: { images: [{ glob: "ghcr.io/org/*" }], authorities: [KEYLESS], ...spec },
  });

/** Numbers of findings of both rules in a stack with a given policy. */
function found(spec: Inputs, image: Value = "ghcr.io/org/exai@sha256:0"): [signatures: number, bills: number] {
  const stack = [namespace("true"), running(image), policy(spec)];
  return [
    outcome(signatures, "prod", ...stack).findings.length,
    outcome(billsOfMaterials, "prod", ...stack).findings.length,
  ];
}

describe("a ClusterImagePolicy", () => {
  it("for every image satisfies both rules", () => {
    expect(found({})).toEqual([0, 0]);
    expect(
      found({
        authorities: [
          { ...KEYLESS, keyless: undefined as unknown as Value, key: { data: "-----BEGIN PUBLIC KEY-----" } },
        ],
      }),
    ).toEqual([0, 0]);
  });

  it("that is missing is reported once, and not for each image", () => {
    const stack = [namespace("true"), running("ghcr.io/org/exai@sha256:0")];
    expect(outcome(signatures, "prod", ...stack).findings).toHaveLength(1);
    expect(outcome(billsOfMaterials, "prod", ...stack).findings).toHaveLength(1);
  });

  it.each<readonly [what: string, spec: Inputs, expected: [number, number]]>([
    ["warns only", { mode: "warn" }, [2, 2]],
    ["matches other images", { images: [{ glob: "ghcr.io/other/*" }] }, [2, 2]],
    ["stops at a slash", { images: [{ glob: "ghcr.io/*" }] }, [2, 2]],
    ["accepts unsigned images", { authorities: [{ static: { action: "pass" } }] }, [2, 2]],
    ["has no identity", { authorities: [{ ...KEYLESS, keyless: { url: "https://fulcio.example.com" } }] }, [2, 2]],
    ["has an issuer only", { authorities: [{ ...KEYLESS, keyless: { identities: [{ issuer: "x" }] } }] }, [2, 2]],
    ["requires no attestation", { authorities: [{ keyless: KEYLESS.keyless }] }, [0, 2]],
    [
      "requires another attestation",
      { authorities: [{ ...KEYLESS, attestations: [{ predicateType: "vuln" }] }] },
      [0, 2],
    ],
  ])("that %s is reported", (_, spec, expected) => {
    // Two images: that of the container, and that of the init and ephemeral ones.
    expect(found(spec)).toEqual(expected);
  });

  it("matches images of Docker Hub by both of their names", () => {
    const images = [{ glob: "ghcr.io/org/**" }, { glob: "index.docker.io/library/*" }];
    expect(found({ images }, "postgres:17")).toEqual([0, 0]);
    expect(found({ images }, "grafana/grafana:12")).toEqual([1, 1]);
  });

  it("needs the label on the namespace", () => {
    const stack = [namespace(), running("ghcr.io/org/exai@sha256:0"), policy()];
    expect(outcome(signatures, "prod", ...stack).findings.map(({ place }) => place.path)).toEqual([
      'metadata.labels["policy.sigstore.dev/include"]',
    ]);
  });

  it("defers an unknown image, unless the policy matches all images", () => {
    const stack = (glob: string) => [namespace("true"), running(new Unknown("image")), policy({ images: [{ glob }] })];
    expect(outcome(signatures, "prod", ...stack("ghcr.io/org/*")).deferred).toHaveLength(1);
    expect(outcome(signatures, "prod", ...stack("**")).deferred).toHaveLength(1);
    expect(outcome(signatures, "prod", ...stack("ghcr.io/other/*")).findings).toHaveLength(1);
  });
});
