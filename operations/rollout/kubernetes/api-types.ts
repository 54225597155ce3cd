import type {
  V1ConfigMap,
  V1ContainerStatus,
  V1CronJob,
  V1Deployment,
  V1Job,
  V1Lease,
  V1LeaseSpec,
  V1ObjectMeta,
  V1Pod,
  V1Secret,
  V1Service,
} from "@kubernetes/client-node";

/** The library's models are classes without instances; these are the same objects as the API sends and receives them. */
type Plain<T> = T extends Date
  ? T
  : T extends readonly (infer Item)[]
    ? Plain<Item>[]
    : T extends object
      ? { [Key in keyof T]: Plain<T[Key]> }
      : T;

/** Any object of the API. */
export interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata?: Plain<V1ObjectMeta>;
}

/** An object that the API server returned. */
export type Found<T extends ApiObject> = T & {
  readonly metadata: { readonly name: string; readonly resourceVersion: string };
};

export type ConfigMap = Plain<V1ConfigMap>;
export type CronJob = Plain<V1CronJob>;
export type ContainerStatus = Plain<V1ContainerStatus>;
export type Deployment = Plain<V1Deployment>;
export type Job = Plain<V1Job>;
/** Outside of the metadata, the library does not parse times. */
export type Lease = Omit<Plain<V1Lease>, "spec"> & {
  spec?: Omit<Plain<V1LeaseSpec>, "acquireTime" | "renewTime"> & { acquireTime?: string; renewTime?: string };
};
export type Pod = Plain<V1Pod>;
export type Secret = Plain<V1Secret>;
export type Service = Plain<V1Service>;
