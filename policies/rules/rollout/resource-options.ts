import { nameOfUrn, type Resource } from "../../../contract/graph.ts";
import { judge, type ResourceRule, type Subject, type Verdict } from "../../model/rule.ts";
import { holdsData } from "./protected-data.ts";

/** Kinds whose deletion deletes what is inside. */
const WHOLE = /::(?:kubernetes:core\/v1:Namespace|supabase:index\/(?:project:Project|branch:Branch))::/;
const JUDGED = /^(?:docker|kubernetes|supabase):/;

/** The engine makes and deletes what the program declares. */
export const resourceOptions: ResourceRule = {
  name: "resource-options",
  title: "Options of a resource neither change what the rules judge, nor keep what is deleted, nor replace data",
  level: "mandatory",
  scope: "resource",
  onUnknown: "fail",
  documentation:
    "The engine applies `transforms` of a resource, of its parents and of the stack after the plan has read the resource, so the plan would judge other inputs than those that run; `transformations`, and the `transform` arguments of components, run before. With `retainOnDelete`, or with `deletedWith` and a resource that does not contain this one, a role, a route or an opening of the network stays in the cluster after the program no longer has it, and no rule sees it; a namespace and a Supabase project do contain others. With `replaceOnChanges`, a change deletes data. Not judged, because the rules see the result: `aliases` (names of the past), `import` (the inputs are those of the object), `dependsOn`, `customTimeouts`, `deleteBeforeReplace` (data is protected). `ignoreChanges` is for `ignored-changes`, `protect` for `protected-data`. The policy pack gets the inputs after all transforms, and of these options none; so only the plan, the program itself and, except for `transforms`, the audit of the state apply this rule.",
  references: [
    { standard: "Pulumi", item: "resource options transforms, retainOnDelete, deletedWith, replaceOnChanges" },
  ],
  concerns: ({ type }) => JUDGED.test(type) || type.startsWith("exai:"),
  *check(subject) {
    const { resource } = subject;
    yield judge(
      subject,
      "",
      resource.options.transformed !== true,
      "the engine changes its inputs by transforms after the rules have judged them",
      "remove transforms; transformations, and the transform arguments of components, are judged",
    );
    if (JUDGED.test(resource.type)) yield* kept(subject, resource);
  },
};

function* kept(subject: Subject, resource: Resource): Generator<Verdict> {
  const { retainOnDelete, deletedWith, replaceOnChanges = [] } = resource.options;
  yield judge(
    subject,
    "",
    retainOnDelete !== true || holdsData(resource),
    "the engine leaves it in place when the program no longer has it",
    "remove retainOnDelete",
  );
  yield judge(
    subject,
    "",
    deletedWith === undefined || WHOLE.test(deletedWith),
    `the engine does not delete it if ${nameOfUrn(deletedWith)} is deleted, which does not contain it`,
    "remove deletedWith",
  );
  yield judge(
    subject,
    "",
    replaceOnChanges.length === 0 || !holdsData(resource),
    `it holds data, and a change of ${replaceOnChanges.join(", ")} replaces it`,
    "remove replaceOnChanges",
  );
}
