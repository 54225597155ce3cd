import { Refusal } from "./unavailable.ts";
import type { UserTransaction } from "./database.ts";

/** The limits; {@link takeToken} takes from one bucket for each user and limit. */
export type LimitName = "requests" | "chats" | "uploads";

/**
 * Takes one unit of a user's limit. The bucket is a row, so that both slots and all replicas count together, also while a rollout moves
 * the user from one to the other.
 *
 * @throws Refusal with the time until the bucket has a unit again
 */
export async function takeToken({ asServer }: UserTransaction, userId: string, name: LimitName): Promise<void> {
  const taken = await asServer(
    `with wanted as (${LIMIT})
     insert into public.rate_limit_buckets as b (user_id, name, tokens) select $1, $2, burst - 1 from wanted
     on conflict (user_id, name) do update set tokens = ${REFILLED} - 1, refilled_at = now() where ${REFILLED} >= 1
     returning tokens`,
    [userId, name],
  );
  if (taken.length > 0) return;
  const [limit] = await asServer<{ wait: number }>(
    `with wanted as (${LIMIT})
     select (1 - ${REFILLED}) * 60.0 / per_minute as wait
     from public.rate_limit_buckets as b, wanted where b.user_id = $1 and b.name = $2`,
    [userId, name],
  );
  if (limit !== undefined) throw new Refusal("rate-limit", limit.wait);
}

/** The user's own limit, else that of all users. */
const LIMIT = `select per_minute, burst from public.rate_limits
  where name = $2 and (user_id = $1 or user_id is null) order by user_id nulls last limit 1`;

/** What is in the bucket now. */
const REFILLED = `least((select burst from wanted),
  b.tokens + greatest(0, extract(epoch from now() - b.refilled_at)) * (select per_minute from wanted) / 60.0)`;
