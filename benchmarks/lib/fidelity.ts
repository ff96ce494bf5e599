/**
 * Says how what arrived differs from what was sent, in words: fields lost, added or changed, or the
 * same values in other bytes. Undefined when every byte is the same.
 */
export function difference(sent: string, arrived: string): string | undefined {
	if (sent === arrived) return undefined;
	const [before, after] = [parse(sent), parse(arrived)];
	if (before === undefined || after === undefined)
		return arrived === "" ? "nothing arrived" : "other text";
	const changes: string[] = [];
	compare("", before, after, changes);
	return changes.length === 0
		? "the same values in other bytes"
		: summary(changes);
}

/** The same for streams: frame by frame, blank lines between them. */
export function streamDifference(
	sent: string,
	arrived: string,
): string | undefined {
	if (sent === arrived) return undefined;
	const [before, after] = [framesOf(sent), framesOf(arrived)];
	if (before.length !== after.length)
		return `${before.length} frames sent, ${after.length} arrived`;
	const changes = before
		.map((frame, index) => difference(frame, after[index] as string))
		.filter((change) => change !== undefined);
	if (changes.length === 0) return "the same frames, other bytes around them";
	return `${changes.length} of ${before.length} frames: ${changes[0]}`;
}

function framesOf(text: string): readonly string[] {
	return text
		.split(/\r?\n\r?\n/)
		.filter((frame) => frame !== "")
		.map((frame) => frame.replace(/^data: ?/, ""));
}

function parse(text: string): unknown {
	try {
		return JSON.parse(text);
	} catch {
		return undefined;
	}
}

function compare(
	path: string,
	before: unknown,
	after: unknown,
	changes: string[],
): void {
	if (!isObject(before) || !isObject(after)) {
		if (!Object.is(before, after)) changes.push(`${path || "all"} changed`);
		return;
	}
	for (const [name, value] of Object.entries(before)) {
		const here = path === "" ? name : `${path}.${name}`;
		if (Object.hasOwn(after, name)) compare(here, value, after[name], changes);
		else changes.push(`${here} lost`);
	}
	for (const name of Object.keys(after))
		if (!Object.hasOwn(before, name))
			changes.push(`${path === "" ? name : `${path}.${name}`} added`);
}

function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null;
}

function summary(changes: readonly string[]): string {
	const shown = changes.slice(0, 3).join(", ");
	return changes.length > 3 ? `${shown} and ${changes.length - 3} more` : shown;
}
