import { isUtf8 } from "node:buffer";
import type { Opaque } from "../../../ports/canonical.ts";
import { scanMembers, skipSpace } from "../json-members.ts";

/** Characters of a sealed text at most. */
export const sealLimit: number = 4 * 1024 * 1024;

const mark = "dos1.";
const deepest = 64;
const alphabet = /^[A-Za-z0-9_-]+$/;
const protocolId = /^[a-z][a-z0-9-]{0,63}$/;

/**
 * One string that carries what only a vendor of another protocol understands through a client's own
 * opaque field (a signature, encrypted content) and back. Undefined when it is too large or nests
 * too deep to come back. A wrapping, not a secret and no proof of origin: whoever opens one treats
 * its data as coming from the client.
 */
export function seal({ protocol, data }: Opaque): string | undefined {
	const bytes = Buffer.from(JSON.stringify({ protocol, data: data ?? null }));
	if (bytes.length > (sealLimit - mark.length) * 0.75) return undefined;
	if (typeof scanMembers(bytes, 0, deepest) === "string") return undefined;
	return mark + bytes.toString("base64url");
}

/** Whether a text says of itself that it is sealed: then it is ours, and means nothing to any vendor. */
export function isSealed(text: string): boolean {
	return text.startsWith(mark);
}

/** What was sealed; undefined for any other text, and for one that was cut or altered. Never throws. */
export function unseal(text: string): Opaque | undefined {
	if (!isSealed(text) || text.length > sealLimit) return undefined;
	const digits = text.slice(mark.length);
	if (!alphabet.test(digits)) return undefined;
	const bytes = Buffer.from(digits, "base64url");
	if (!isUtf8(bytes)) return undefined;
	const scan = scanMembers(bytes, 0, deepest);
	if (typeof scan === "string" || skipSpace(bytes, scan.end) < bytes.length)
		return undefined;
	const [first, second] = scan.members;
	if (
		scan.members.length !== 2 ||
		first?.name !== "protocol" ||
		second?.name !== "data"
	)
		return undefined;
	const { protocol, data } = JSON.parse(bytes.toString());
	return typeof protocol === "string" && protocolId.test(protocol)
		? { protocol, data }
		: undefined;
}
