import { SLOTS } from "../../../contract/slots.ts";
import { LABELS } from "../../../contract/labels.ts";
import { componentOf, isContainer } from "../../reading/containers.ts";
import { objectsOf } from "../../reading/kubernetes/objects.ts";
import { podsOf } from "../../reading/kubernetes/pods.ts";
import { judgeAt, placeOf, subjectOf, type StackContext, type StackRule, type Subject } from "../../model/rule.ts";
import { any, type Truth } from "../../model/truth.ts";

/** Both slots always exist. */
export const slots: StackRule = {
  name: "rollout-slots",
  title: "Both slots of the server are declared",
  level: "mandatory",
  scope: "stack",
  onUnknown: "fail",
  documentation:
    "A rollback only shifts traffic and starts no containers, so blue and green are always declared, with any weights.",
  references: [{ standard: "Requirement", item: "blue-green deployment" }],
  *check(context) {
    const servers = serversOf(context);
    for (const slot of SLOTS) {
      const found = any(...servers.map((server) => server.isSlot(slot)));
      const first = servers[0]?.subject;
      yield judgeAt(
        first === undefined ? { object: "server", path: "" } : placeOf(first, ""),
        found,
        `the ${slot} slot is not declared`,
        `declare the ${slot} slot of the server`,
      );
    }
  },
};

function serversOf(context: StackContext): readonly { subject: Subject; isSlot: (slot: string) => Truth }[] {
  const containers = context.graph.resources
    .filter(isContainer)
    .map(subjectOf)
    .filter((subject) => componentOf(subject.inputs)?.startsWith("server") === true);
  const deployments = objectsOf(context, "Deployment", "StatefulSet").filter(
    (subject) => podsOf(subject)[0]?.metadata.at("labels", LABELS.component).is("server") === true,
  );
  return [
    ...containers.map((subject) => ({
      subject,
      isSlot: (slot: string) =>
        any(
          ...subject.inputs
            .at("labels")
            .each()
            .filter((label) => label.at("label").is(LABELS.slot) === true)
            .map((label) => label.at("value").is(slot)),
        ),
    })),
    ...deployments.map((subject) => ({
      subject,
      isSlot: (slot: string) => podsOf(subject)[0]?.metadata.at("labels", LABELS.slot).is(slot) ?? false,
    })),
  ];
}
