import type { WireOperation, WireProtocol } from "../../ports/wire-protocol.ts";

/** An operation of a protocol, and what stands in the places of its path. */
export interface CallPath {
	readonly wire: WireProtocol;
	readonly operation: WireOperation;
	readonly parameters: Readonly<Record<string, string>>;
}

/** Which path calls what. */
export interface CallPaths {
	readonly paths: readonly string[];
	find(path: string): CallPath | undefined;
}

/**
 * Paths are compared whole; one with a place in it, `/v1beta/models/{model}:countTokens`, takes
 * whatever stands there, slashes too (a model may be `vendor/name`), percent-decoded.
 */
export function openCallPaths(protocols: readonly WireProtocol[]): CallPaths {
	const whole = new Map<string, CallPath>();
	const placed: Placed[] = [];
	const paths: string[] = [];
	for (const wire of protocols) {
		for (const operation of wire.operations) {
			const { path } = operation;
			if (path === undefined) continue;
			paths.push(path);
			const match = /^([^{]*)\{(\w+)\}([^{]*)$/.exec(path);
			if (!match) whole.set(path, { wire, operation, parameters: {} });
			else {
				const [, before = "", name = "", after = ""] = match;
				placed.push({ wire, operation, before, name, after });
			}
		}
	}

	return {
		paths,
		find(path) {
			const exact = whole.get(path);
			if (exact) return exact;
			for (const { wire, operation, before, name, after } of placed) {
				if (
					path.length <= before.length + after.length ||
					!path.startsWith(before) ||
					!path.endsWith(after)
				)
					continue;
				const value = decoded(
					path.slice(before.length, path.length - after.length),
				);
				if (value !== undefined)
					return { wire, operation, parameters: { [name]: value } };
			}
			return undefined;
		},
	};
}

interface Placed {
	readonly wire: WireProtocol;
	readonly operation: WireOperation;
	readonly before: string;
	readonly name: string;
	readonly after: string;
}

function decoded(text: string): string | undefined {
	try {
		return decodeURIComponent(text);
	} catch {
		return undefined;
	}
}
