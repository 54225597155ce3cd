/**
 * Schema of the values that a merge or a revert of a branch took away. It belongs to the machinery: no comparison of schemas sees it,
 * and no role but the owner has a right in it.
 */
export const PARKED_SCHEMA = "exai_parked";
