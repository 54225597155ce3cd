import { basename } from "node:path/posix";
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { SECRETS_DIRECTORY } from "../../contract/server.ts";
import { ExaiComponent } from "../core/component.ts";
import { internet, metadata, opening, tcp, tokenlessAccount, type KubernetesPlatform } from "../core/kubernetes.ts";
import { podTemplate } from "../core/pod.ts";
import { transformed, type Transform } from "../core/transform.ts";
import { DATABASE_CA_PATH, DATABASE_PORTS, POSTGRES_UID, SERVER_ROLE } from "../database/paths.ts";
import { MountedSecret, SECRETS_DIGEST } from "./kubernetes.ts";
import { scramVerifier } from "./scram.ts";

export interface DatabaseLoginArgs {
  readonly platform: KubernetesPlatform;
  /** Built from images/postgres. */
  readonly image: pulumi.Input<string>;
  /** postgres:// URL of the owner of the tables. */
  readonly ownerUrl: pulumi.Input<string>;
  /** CA certificates (PEM) that verify the database server; the URL names them as {@link DATABASE_CA_PATH}. */
  readonly databaseCa?: string | undefined;
  /** Password of the server's role. */
  readonly password: pulumi.Input<string>;
  /** Escape hatch. */
  readonly transform?: { readonly job?: Transform<k8s.batch.v1.JobArgs> };
}

const PART = { component: "database-login" } as const;

/**
 * Gives the server's role its password in a hosted database, by a Job that runs again when the password changes. The migrations make
 * the role and its rights; a password is a matter of the stack.
 */
export class DatabaseLogin extends ExaiComponent {
  readonly job: k8s.batch.v1.Job;

  constructor(name: string, args: DatabaseLoginArgs, opts?: pulumi.ComponentResourceOptions) {
    super("exai:secrets:DatabaseLogin", name, { role: SERVER_ROLE }, opts);
    const { platform, databaseCa } = args;
    const secret = new MountedSecret(
      `${name}-secrets`,
      {
        platform,
        part: PART,
        name: "database-login",
        files: {
          "database-url": args.ownerUrl,
          verifier: pulumi.secret(args.password).apply((password) => scramVerifier(SERVER_ROLE, password)),
          ...(databaseCa === undefined ? {} : { [basename(DATABASE_CA_PATH)]: databaseCa }),
        },
      },
      { parent: this },
    );
    const account = tokenlessAccount(`${name}-account`, "database-login", platform, PART, { parent: this });
    const egress = [{ to: internet(), ports: tcp(...DATABASE_PORTS) }];
    opening(`${name}-egress`, "database-login", platform, PART, { egress }, { parent: this });
    this.job = new k8s.batch.v1.Job(
      ...transformed(
        args.transform?.job,
        `${name}-job`,
        {
          metadata: {
            ...metadata(platform, PART, "database-login"),
            // The servers are not ready before it has succeeded, and say so; a database that is down must not stop a deployment.
            annotations: { "pulumi.com/skipAwait": "true" },
          },
          spec: {
            backoffLimit: 6,
            activeDeadlineSeconds: 3600,
            template: podTemplate(
              {
                ...PART,
                uid: POSTGRES_UID,
                serviceAccount: account.metadata.name,
                restartPolicy: "Never",
                graceSeconds: 10,
                // A changed password is another Job.
                annotations: { [SECRETS_DIGEST]: secret.digest },
                containers: [
                  {
                    name: "login",
                    image: args.image,
                    command: ["exai-postgres"],
                    args: ["login"],
                    environment: {
                      DATABASE_URL_FILE: `${SECRETS_DIRECTORY}/database-url`,
                      VERIFIER_FILE: `${SECRETS_DIRECTORY}/verifier`,
                      LOGIN_ROLE: SERVER_ROLE,
                      HOME: "/tmp",
                    },
                    mounts: [{ volume: "secrets", path: SECRETS_DIRECTORY }],
                    resources: { cpuRequest: "10m", cpuLimit: "250m", memoryRequest: "32Mi", memoryLimit: "128Mi" },
                  },
                ],
                volumes: [{ name: "secrets", secret: { secretName: secret.secretName, defaultMode: 0o440 } }],
                scratch: { "/tmp": "16Mi" },
              },
              platform,
            ),
          },
        },
        { parent: this, deleteBeforeReplace: true, replaceOnChanges: ["spec"] },
      ),
    );
    this.registerOutputs({});
  }
}
