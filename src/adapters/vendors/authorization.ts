export type Headers = Readonly<Record<string, string>>;

/** A request as it is about to go out, but for its key. */
export interface Unauthorized {
	/** The wire protocol that it speaks. */
	readonly protocol: string;
	readonly method: string;
	readonly url: string;
	readonly headers: Headers;
	readonly body: Uint8Array;
}

/** How requests to one vendor carry what the owner was given for it. */
export interface Authorizer {
	/**
	 * The headers for a request; a promise where they must be computed or fetched first. Rejects with
	 * `vendor/no-credentials` or, where trying again may help, `vendor/no-token`.
	 */
	authorize(request: Unauthorized): Headers | Promise<Headers>;
	/** What must never reach a client. */
	secrets(): readonly string[];
}

/** What is needed of the outside to fetch tokens. */
export interface Outside {
	/** Milliseconds since 1970 UTC. */
	readonly now: () => number;
	readonly fetch: Fetch;
	/** Rejects when there is no such file. */
	readonly readFile: (path: string) => Promise<string>;
}

export type Fetch = (
	url: string,
	init: {
		readonly method: string;
		readonly headers: Headers;
		readonly body?: string;
		readonly redirect: "error";
		readonly signal: AbortSignal;
	},
) => Promise<Pick<Response, "status" | "text">>;
