import type { HttpRequest, HttpResponse } from "../../ports/http-server.ts";
import type { WireRequest } from "../../ports/wire-protocol.ts";
import type { Plan } from "./plan.ts";

/**
 * Sends some calls a second time, to a candidate, once their answers have ended well: what comes back is scored and
 * thrown away. It may go only where the caller's own call might go, is paid by an account of its own, and is never in
 * the way of a call: where there is no room and where there are no credits it is not sent.
 */
export interface Shadows {
	/** Of a call that is to be followed: what watches its answer. Nearly always undefined. */
	watch(
		request: HttpRequest,
		response: HttpResponse,
		call: Followable,
	): Followed | undefined;
	/** Whether it is the call of a shadow that is under way. */
	carries(call: string): boolean;
	/** Breaks off those under way. Resolves when each is resolved. */
	stop(): Promise<void>;
}

export interface Followed {
	/** The client's, with what passes through it seen. */
	readonly response: HttpResponse;
	/** The call has ended well, and its answer with it. */
	follow(substrate: string): void;
}

/** A call whose hold is durable. */
export interface Followable {
	readonly asked: WireRequest;
	readonly plan: Plan;
}

/** No request is followed. */
export const noShadows: Shadows = {
	watch: () => undefined,
	carries: () => false,
	stop: async () => {},
};
