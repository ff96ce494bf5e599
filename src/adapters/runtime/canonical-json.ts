/**
 * JSON with its members in order and nothing between them, so that the same document is the same text however it was
 * written. Undefined for what is no JSON, and for whole numbers that this program cannot tell apart.
 */
export function canonicalJson(bytes: Uint8Array): string | undefined {
	try {
		const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
		return JSON.stringify(JSON.parse(text), inOrder);
	} catch {
		return undefined;
	}
}

function inOrder(_: string, value: unknown): unknown {
	if (typeof value === "number") {
		if (Number.isInteger(value) && !Number.isSafeInteger(value))
			throw new RangeError("too large to be told apart");
		return value;
	}
	if (typeof value !== "object" || value === null || Array.isArray(value))
		return value;
	return Object.fromEntries(
		Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1)),
	);
}
