import type { Following } from "./follow.ts";

/** Why calls should go elsewhere. */
export type NotReady = "draining" | "store-unreachable" | "behind";

export interface Readiness {
	readonly ready: boolean;
	readonly reason?: NotReady;
	/** Events that the log has and that are not folded here, as of the last look. */
	readonly lag: number;
	/** Milliseconds since all that the log had was folded here. */
	readonly behind: number;
}

/** Looked at again before it is believed, when the last look is older, in milliseconds. */
const fresh = 1_000;

/**
 * Whether a load balancer should send calls here: the store answers, what it holds was folded not longer than
 * `within` milliseconds ago, and nobody has asked us to end. Answers within a second, whatever the store does.
 */
export async function lookAtReadiness(
	following: Pick<Following, "lag" | "behind" | "failing" | "look">,
	draining: boolean,
	within: number,
): Promise<Readiness> {
	if (!draining && following.behind() > fresh) {
		let timer: NodeJS.Timeout | undefined;
		await Promise.race([
			following.look(),
			new Promise<void>((resolve) => {
				timer = setTimeout(resolve, fresh);
			}),
		]);
		clearTimeout(timer);
	}
	const behind = following.behind();
	const reason: NotReady | undefined = draining
		? "draining"
		: behind <= within
			? undefined
			: following.failing()
				? "store-unreachable"
				: "behind";
	return {
		ready: reason === undefined,
		...(reason && { reason }),
		lag: following.lag(),
		behind: Math.round(behind),
	};
}
