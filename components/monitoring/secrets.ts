import type * as pulumi from "@pulumi/pulumi";
import { SECRETS_DIRECTORY } from "../../contract/server.ts";
import type { Receivers } from "./alertmanager.ts";

/** Whom alerts reach, with the secrets themselves; what is left out gets nothing. */
export interface AlertTargets {
  readonly slack?: {
    /** Incoming webhook. */
    readonly webhook: pulumi.Input<string>;
    readonly channel: string;
  };
  readonly pagerduty?: {
    /** Routing key of an Events API v2 integration. */
    readonly routingKey: pulumi.Input<string>;
  };
  readonly webhook?: { readonly url: string; readonly token?: pulumi.Input<string> };
  /** An external dead man's switch, called every minute. */
  readonly heartbeat?: { readonly url: string; readonly token?: pulumi.Input<string> };
}

/** Alertmanager's receivers, and the files that hold their secrets, by path. */
export interface ReceiverFiles {
  readonly receivers: Receivers;
  readonly files: Readonly<Record<string, pulumi.Input<string>>>;
}

/** Puts each secret into its own file under {@link SECRETS_DIRECTORY} and refers to the file; pure. */
export function receiverFiles(targets: AlertTargets): ReceiverFiles {
  const files: Record<string, pulumi.Input<string>> = {};
  const file = (name: string, content: pulumi.Input<string>): string => {
    const path = `${SECRETS_DIRECTORY}/${name}`;
    files[path] = content;
    return path;
  };
  const { slack, pagerduty, webhook, heartbeat } = targets;
  const hook = (name: string, to: NonNullable<AlertTargets["webhook"]>): NonNullable<Receivers["webhook"]> => ({
    url: to.url,
    ...(to.token === undefined ? {} : { tokenFile: file(`${name}-token`, to.token) }),
  });
  const receivers: Receivers = {
    ...(slack === undefined
      ? {}
      : { slack: { webhookFile: file("slack-webhook", slack.webhook), channel: slack.channel } }),
    ...(pagerduty === undefined ? {} : { pagerduty: { routingKeyFile: file("pagerduty-key", pagerduty.routingKey) } }),
    ...(webhook === undefined ? {} : { webhook: hook("webhook", webhook) }),
    ...(heartbeat === undefined ? {} : { heartbeat: hook("heartbeat", heartbeat) }),
  };
  return { receivers, files };
}
