import type { Refusal } from "../../kernel/outcome.ts";
import type { ModelEntry } from "../../ports/wire-protocol.ts";

/** What the protocols that OpenAI defined have in common beside their bodies. */

/** Whether an answer comes as a stream of events. */
export function isEventStream(status: number, contentType: string): boolean {
	return status < 400 && /^\s*text\/event-stream\b/i.test(contentType);
}

/** A refusal as their clients read it, with our details beside it. */
export function errorBody(
	type: string,
	{ code, message, details }: Refusal,
): { readonly error: Readonly<Record<string, unknown>> } {
	const param = typeof details?.field === "string" ? details.field : null;
	return {
		error: { message, type, param, code, ...(details ? { dos: details } : {}) },
	};
}

export function refusalBody(
	status: number,
	refusal: Refusal,
): {
	readonly headers: Readonly<Record<string, string>>;
	readonly body: Uint8Array;
} {
	return {
		headers: { "content-type": "application/json" },
		body: encode(errorBody(errorType(status), refusal)),
	};
}

export function modelList(list: readonly ModelEntry[]): Uint8Array {
	return encode({ object: "list", data: list.map(modelObject) });
}

export function oneModel(entry: ModelEntry): Uint8Array {
	return encode(modelObject(entry));
}

function modelObject({ id, owner, contextWindow }: ModelEntry): object {
	return {
		id,
		object: "model",
		created: 0,
		owned_by: owner,
		...(contextWindow === undefined ? {} : { context_window: contextWindow }),
	};
}

/** Their clients send no header of their own: a request is taken for one of theirs when no other protocol's headers are there. */
export function namesNone(
	header: (name: string) => string | undefined,
): boolean {
	return othersHeaders.every((name) => header(name) === undefined);
}

const othersHeaders = [
	"anthropic-version",
	"x-goog-api-key",
	"x-goog-api-client",
];

function errorType(status: number): string {
	if (status >= 500) return "server_error";
	return errorTypes.get(status) ?? "invalid_request_error";
}

const errorTypes: ReadonlyMap<number, string> = new Map([
	[401, "authentication_error"],
	[402, "insufficient_quota"],
	[403, "permission_error"],
	[404, "not_found_error"],
	[409, "conflict_error"],
	[413, "request_too_large"],
	[429, "rate_limit_error"],
]);

function encode(value: object): Uint8Array {
	return Buffer.from(JSON.stringify(value));
}
