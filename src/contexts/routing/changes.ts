import type { OwnerTable, Policy, Posture, Scope } from "./model.ts";
import { describe } from "./selectors.ts";

/** What is different from one policy and table to another, a sentence each; none: the same. */
export function settingsChanges(
	before: { readonly policy: Policy; readonly table: OwnerTable },
	after: { readonly policy: Policy; readonly table: OwnerTable },
): readonly string[] {
	return [
		...differences(
			before.policy.classes,
			after.policy.classes,
			({ id }) => `The class "${id}"`,
			({ require: required, extends: parents }) =>
				[
					...(parents ?? []).map((parent) => `all of ${parent}`),
					...required.map(describe),
				].join("; ") || "nothing",
			"requires",
		),
		...differences(
			before.policy.postures,
			after.policy.postures,
			({ id, from }) => `The posture "${id}" of ${day(from)}`,
			sayPosture,
			"says",
		),
		...differences(
			before.policy.broken,
			after.policy.broken,
			({ id }) => `The posture "${id}", which cannot be read,`,
			({ problem, scope }) => `every call of ${sayScope(scope)}: ${problem}`,
			"stops",
		),
		...differences(
			before.table.rows,
			after.table.rows,
			({ callTypes, difficulties }) =>
				`The table's row for ${[callTypes?.join(" or "), difficulties?.join(" or ")].filter(Boolean).join(", ") || "any call"}`,
			({ prefer }) => prefer.map(describe).join(", then "),
			"prefers",
		),
		...differences(
			before.table.grades,
			after.table.grades,
			({ callTypes, where }) =>
				`The grade of ${describe(where)}${callTypes ? ` for ${callTypes.join(" or ")}` : ""}`,
			({ quality }) => String(quality),
			"is",
		),
		...differences(
			Object.entries(before.table.aliases),
			Object.entries(after.table.aliases),
			([name]) => `The alias "${name}"`,
			([, selectors]) => selectors.map(describe).join(" or "),
			"stands for",
		),
		...differences(
			before.table.killed,
			after.table.killed,
			(selector) => `Switching off ${describe(selector)}`,
			() => "",
			"",
		),
		...(moved(before.table.rows, after.table.rows) ||
		moved(before.table.grades, after.table.grades)
			? ["Rows or grades of the table stand in another order."]
			: []),
	];
}

/** A posture's rules, scope and dates in words. */
export function sayPosture({
	by,
	why,
	from,
	until,
	scope,
	allow,
	deny,
	require: required,
	prefer,
}: Posture): string {
	const rules = [
		...allow.map((each) => `allow ${describe(each)}`),
		...deny.map((each) => `deny ${describe(each)}`),
		...required.map((each) => `require ${describe(each)}`),
		...prefer.map((each) => `prefer ${describe(each)}`),
	];
	return `${rules.join("; ") || "nothing"}, for ${sayScope(scope)}, from ${day(from)}${until === undefined ? "" : ` until ${day(until)}`} (${by}: ${why})`;
}

export function sayScope({ accounts, keys, tags }: Scope): string {
	const parts = [
		accounts && `account ${accounts.join(" or ")}`,
		keys && `key ${keys.join(" or ")}`,
		tags && `tag ${tags.join(" or ")}`,
	].filter((part) => part !== undefined);
	return parts.join(", ") || "everybody";
}

function differences<Each>(
	before: readonly Each[],
	after: readonly Each[],
	name: (each: Each) => string,
	say: (each: Each) => string,
	verb: string,
): readonly string[] {
	const old = grouped(before, name, say);
	const fresh = grouped(after, name, say);
	const told: string[] = [];
	for (const [called, now] of fresh) {
		const was = old.get(called);
		const saying = now === "" ? "" : ` It ${verb} ${now}.`;
		if (was === undefined) told.push(`${called} is new.${saying}`);
		else if (was !== now)
			told.push(`${called} is changed. It ${verb} ${now}; it was ${was}.`);
	}
	for (const [called, was] of old)
		if (!fresh.has(called))
			told.push(
				`${called} is taken back.${was === "" ? "" : ` It was ${was}.`}`,
			);
	return told;
}

/** What is said under one name: two rows of a table may be for the same calls. */
function grouped<Each>(
	all: readonly Each[],
	name: (each: Each) => string,
	say: (each: Each) => string,
): ReadonlyMap<string, string> {
	const said = new Map<string, string>();
	for (const each of all) {
		const called = name(each);
		const earlier = said.get(called);
		said.set(
			called,
			earlier === undefined ? say(each) : `${earlier}, and ${say(each)}`,
		);
	}
	return said;
}

/** The same ones, and not one after the other as before. */
function moved(before: readonly unknown[], after: readonly unknown[]): boolean {
	const [was, is] = [before, after].map((all) =>
		all.map((each) => JSON.stringify(each)),
	) as [string[], string[]];
	return (
		was.join() !== is.join() && was.toSorted().join() === is.toSorted().join()
	);
}

function day(at: number): string {
	return new Date(at).toISOString().replace(/T00:00:00\.000Z$/, "");
}
