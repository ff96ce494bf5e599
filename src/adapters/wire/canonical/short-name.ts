import { createHash } from "node:crypto";
import type { Warn } from "../../../ports/translator.ts";

/** Vendors that limit opaque names of users and prompts take so many characters, as a hash has in hexadecimal. */
const longest = 64;

/** A name that only has to be the same for the same: where it is too long, its hash. */
export function shortName(
	name: string | undefined,
	field: string,
	warn: Warn,
): string | undefined {
	if (name === undefined || name.length <= longest) return name;
	warn({
		kind: "changed",
		field,
		message: `The vendor takes ${longest} characters: a hash of it was sent.`,
	});
	return createHash("sha256").update(name).digest("hex");
}
