import type { Intent } from "../../contexts/log/index.ts";
import type { Digest } from "../../ports/digest.ts";

/**
 * The operator's intent. With an idempotency key, what was asked is hashed with it: the same key for
 * another request is refused.
 */
export function operatorIntent(
	digest: Digest,
	idempotencyKey: string | undefined,
	asked: unknown,
): Intent {
	if (idempotencyKey === undefined) return { actor: "operator" };
	// A prefix of our own, so that no key of the operator's can stand where another rule's key belongs.
	return {
		actor: "operator",
		key: `operator/${idempotencyKey}`,
		input: digest.text(JSON.stringify(asked)),
	};
}
