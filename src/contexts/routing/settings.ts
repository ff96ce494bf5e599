import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { OwnerTable, Policy, Selector } from "./model.ts";
import { readPostures } from "./postures.ts";
import { describe, isRecord, touches } from "./selectors.ts";
import { readClasses } from "./sovereignty.ts";
import { defaultTable, readTable } from "./table.ts";

/** What the owner said about routing, ready to decide by. */
export interface RoutingSettings {
	readonly policy: Policy;
	readonly table: OwnerTable;
	/** What is wrong and what it stops, a sentence each: for the start and for `dos doctor`. */
	readonly problems: readonly string[];
}

/**
 * Reads the `routing:` section: `classes`, `postures` and `table`. Never fails, as a mistake must not switch policy
 * off: what cannot be read stops what it may have been meant for, which is everything where nobody can tell.
 * `digest` makes a version out of a text.
 */
export function readRouting(
	raw: unknown,
	digest: (text: string) => string,
): RoutingSettings {
	const section = raw ?? {};
	const stray = isRecord(section)
		? Object.keys(section).find(
				(name) => !["classes", "postures", "table"].includes(name),
			)
		: "";
	const said: Readonly<Record<string, unknown>> =
		isRecord(section) && stray === undefined ? section : {};
	const { classes, problems: ofClasses } = readClasses(said.classes);
	const documents = said.postures ?? [];
	const { postures, broken } = readPostures(
		Array.isArray(documents) ? documents : ["no list"],
	);
	const wrong =
		stray === ""
			? "the section is no map"
			: stray === undefined
				? undefined
				: `"${stray}" is not known`;
	const stopped =
		wrong === undefined
			? broken
			: [...broken, { id: "routing", problem: wrong, scope: {} }];
	const version = (name: string, content: unknown): string =>
		`${name}-${digest(JSON.stringify(content)).slice(0, 14)}`;
	const read = readTable("", said.table);
	const table: OwnerTable =
		typeof read === "string"
			? { ...defaultTable, killed: [{ substrate: ["*"] }] }
			: read;
	const policy = { classes, postures, broken: stopped };
	return {
		policy: { version: version("p", policy), ...policy },
		table: { ...table, version: version("t", { ...table, version: "" }) },
		problems: [
			...ofClasses,
			...stopped.map(
				({ id, problem }) =>
					`The posture "${id}" stops every call in its scope: ${problem}.`,
			),
			...(typeof read === "string"
				? [`The routing table stops every call: ${read}.`]
				: []),
		],
	};
}

/**
 * Rules that bar something and meet nothing in the catalogue, a sentence each: most likely a name is misspelt, and
 * then the rule bars nobody.
 */
export function idleRules(
	{ postures }: Policy,
	{ killed }: OwnerTable,
	{ substrates }: CatalogueSnapshot,
): readonly string[] {
	const idle = (selector: Selector): boolean =>
		substrates.every((facts) => touches(selector, facts) === "no");
	return [
		...postures.flatMap(({ id, deny }) =>
			deny
				.filter(idle)
				.map(
					(selector) =>
						`The posture "${id}" denies ${describe(selector)}, and nothing in the catalogue is that.`,
				),
		),
		...killed
			.filter(idle)
			.map(
				(selector) =>
					`The routing table switches off ${describe(selector)}, and nothing in the catalogue is that.`,
			),
	];
}
