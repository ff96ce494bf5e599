import { type Outcome, refuse } from "../../../kernel/outcome.ts";
import { type Member, type Scan, skipSpace } from "../json-members.ts";
import { invalid } from "../request-body.ts";

/**
 * The members of a message that matter to us, by their lower-camel name. JSON of protocol buffers
 * may spell each in two ways, `maxOutputTokens` and `max_output_tokens`; one that stands there
 * twice, in whichever spellings, is refused, and so is one in any other: a vendor that took the one
 * we passed over would answer a request that we did not meter. `within` leads to the message:
 * `generationConfig.`.
 */
export function protoMembers(
	scan: Scan,
	known: ReadonlySet<string>,
	within = "",
): Outcome<ReadonlyMap<string, Member>> {
	const members = new Map<string, Member>();
	for (const each of scan.members) {
		const name = camelCase(each.name);
		if (known.has(name)) {
			if (members.has(name)) {
				return refuse(
					"request/duplicate-member",
					`The request body has "${within}${name}" more than once.`,
					{ field: within + name },
				);
			}
			members.set(name, each);
			continue;
		}
		const odd = folded(each.name);
		for (const one of known)
			if (one.length === odd.length && folded(one) === odd)
				return invalid(
					within + one,
					`must be written "${one}" or "${snakeCase(one)}"`,
				);
	}
	return { ok: true, value: members };
}

/** `max_output_tokens` as `maxOutputTokens`; other spellings as they are. */
function camelCase(name: string): string {
	if (!name.includes("_") || !/^[a-z][a-z0-9]*(?:_[a-z0-9]+)*$/.test(name))
		return name;
	return name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
}

/** Where the members of each object of a list stand; undefined, and the end, at what is no object. */
export function* elementsOf(
	bytes: Buffer,
	list: Member,
	scanAt: (at: number) => Scan | string,
): Generator<Scan | undefined> {
	let at = skipSpace(bytes, list.valueStart + 1);
	while (bytes[at] !== 0x5d) {
		const scan = bytes[at] === 0x7b ? scanAt(at) : undefined;
		if (typeof scan !== "object") {
			yield undefined;
			return;
		}
		yield scan;
		at = skipSpace(bytes, scan.end);
		if (bytes[at] === 0x2c) at = skipSpace(bytes, at + 1);
	}
}

/** `maxOutputTokens` as `max_output_tokens`. */
export function snakeCase(name: string): string {
	return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function folded(name: string): string {
	return name.replaceAll("_", "").toUpperCase().toLowerCase();
}
