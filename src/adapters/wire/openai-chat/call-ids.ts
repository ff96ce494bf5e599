/** Longer ones are refused by OpenAI. */
const longest = 40;

const alphabet =
	"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/**
 * The id of a tool call as the vendor takes it. Calls come from vendors with other rules: an id that
 * does not fit becomes another, always the same for the same, so that results still find their calls.
 * @param exact the vendor takes ids of exactly so many letters and digits.
 */
export function callId(id: string, exact: number | undefined): string {
	if (exact === undefined)
		return id.length <= longest ? id : `call_${digest(id, 22)}`;
	return id.length === exact && /^[A-Za-z0-9]*$/.test(id)
		? id
		: digest(id, exact);
}

/** Letters and digits that differ where ids differ, as good as certainly: no secret and no proof. */
function digest(text: string, length: number): string {
	let result = "";
	for (let round = 0; result.length < length; round++) {
		let hash = 0x811c9dc5 ^ Math.imul(round + 1, 0x9e3779b1);
		for (let at = 0; at < text.length; at++) {
			hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
			hash ^= hash >>> 13;
		}
		hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
		hash = (hash ^ (hash >>> 13)) >>> 0;
		// Five characters hold 29 of its 32 bits.
		for (let each = 0; each < 5 && result.length < length; each++) {
			result += alphabet[hash % alphabet.length];
			hash = Math.floor(hash / alphabet.length);
		}
	}
	return result;
}
