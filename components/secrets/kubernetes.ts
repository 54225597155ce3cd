import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { createHash } from "node:crypto";
import { ExaiComponent } from "../core/component.ts";
import { metadata, type KubernetesPlatform, type Part } from "../core/kubernetes.ts";
import { transformed, type Transform } from "../core/transform.ts";

/** Annotation of a pod template: changes with the mounted secrets, so that the pods are replaced and read them. */
export const SECRETS_DIGEST = "exai.secrets-digest";

export interface MountedSecretArgs {
  readonly platform: KubernetesPlatform;
  readonly part: Part;
  /** Name of the Secret object. */
  readonly name: string;
  /** Content by file name. */
  readonly files: Readonly<Record<string, pulumi.Input<string>>>;
  /** Escape hatch. */
  readonly transform?: { readonly secret?: Transform<k8s.core.v1.SecretArgs> };
}

/** A Secret object whose entries become files of a pod. */
export class MountedSecret extends ExaiComponent {
  /** Name of the Secret object. */
  readonly secretName: pulumi.Output<string>;
  /** Value of the annotation {@link SECRETS_DIGEST}. */
  readonly digest: pulumi.Output<string>;

  constructor(name: string, args: MountedSecretArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:secrets:MountedSecret", name, { files: Object.keys(args.files).sort() }, opts);
    const secret = new k8s.core.v1.Secret(
      ...transformed(
        args.transform?.secret,
        name,
        {
          metadata: metadata(args.platform, args.part, args.name),
          type: "Opaque",
          stringData: Object.fromEntries(
            Object.entries(args.files)
              .sort(([a], [b]) => (a < b ? -1 : 1))
              .map(([file, content]) => [file, pulumi.secret(content)]),
          ),
        },
        { parent: this },
      ),
    );
    this.secretName = secret.metadata.name;
    // Half of a hash over all contents together reveals none of them.
    this.digest = pulumi.unsecret(pulumi.output({ ...args.files }).apply(secretsDigest));
    this.registerOutputs({});
  }
}

/** First 64 bits of a SHA-256 over names and contents; pure. */
export function secretsDigest(files: Readonly<Record<string, string>>): string {
  const hash = createHash("sha256");
  for (const file of Object.keys(files).sort()) {
    const content = files[file] ?? "";
    // Lengths keep ("ab", "c") apart from ("a", "bc").
    hash.update(`${file.length}:${file}${content.length}:${content}`);
  }
  return hash.digest("hex").slice(0, 16);
}
