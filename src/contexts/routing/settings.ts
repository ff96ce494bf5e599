import type { CatalogueSnapshot } from "../../ports/catalogue.ts";
import type { OwnerTable, Policy, Selector } from "./model.ts";
import { readPostures } from "./postures.ts";
import { describe, isRecord, touches } from "./selectors.ts";
import { readClass, readClasses } from "./sovereignty.ts";
import { defaultTable, readTable } from "./table.ts";

/** What the owner said about routing, ready to decide by. */
export interface RoutingSettings {
	readonly policy: Policy;
	readonly table: OwnerTable;
	/** What is wrong and what it stops: for the start and for `dos doctor`. */
	readonly problems: readonly RoutingProblem[];
}

export interface RoutingProblem {
	/** Where in the section: `["postures", 2]`. */
	readonly path: readonly (string | number)[];
	/** A sentence. */
	readonly message: string;
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
	const { postures, broken, places } = readPostures(
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
	const read = readTable("", said.table);
	return {
		policy: namedPolicy({ classes, postures, broken: stopped }, digest),
		table: namedTable(typeof read === "string" ? allOff : read, digest),
		problems: [
			...ofClasses,
			...stopped.map(({ id, problem }, at) => ({
				path: Array.isArray(documents) ? pathOf(places[at]) : ["postures"],
				message: `The posture "${id}" stops every call in its scope: ${problem}.`,
			})),
			...(typeof read === "string"
				? [
						{
							path: ["table"],
							message: `The routing table stops every call: ${read}.`,
						},
					]
				: []),
		],
	};
}

/**
 * A recorded policy as this program understands it: the same where it knows all that is in it. What another version
 * of the program wrote and this one does not know stops what it may have been meant for, as a mistake does.
 */
export function understoodPolicy(
	recorded: Policy,
	digest: (text: string) => string,
): Policy {
	const { postures, broken } = readPostures(
		recorded.postures.map(({ from, until, ...rest }) => ({
			...rest,
			from: new Date(from).toISOString(),
			...(until !== undefined && { until: new Date(until).toISOString() }),
		})),
	);
	const classes = recorded.classes.filter(
		({ id, ...rest }) => typeof readClass(id, rest) !== "string",
	);
	if (broken.length === 0 && classes.length === recorded.classes.length)
		return recorded;
	return namedPolicy(
		{ classes, postures, broken: [...recorded.broken, ...broken] },
		digest,
	);
}

/** The same of a table: one that is not understood switches everything off. */
export function understoodTable(
	recorded: OwnerTable,
	digest: (text: string) => string,
): OwnerTable {
	const { version, ...content } = recorded;
	return typeof readTable(version, content) === "string"
		? namedTable(allOff, digest)
		: recorded;
}

const allOff: OwnerTable = {
	...defaultTable,
	killed: [{ substrate: ["*"] }],
};

function namedPolicy(
	content: Omit<Policy, "version">,
	digest: (text: string) => string,
): Policy {
	return { version: versionOf("p", content, digest), ...content };
}

function namedTable(
	table: OwnerTable,
	digest: (text: string) => string,
): OwnerTable {
	return {
		...table,
		version: versionOf("t", { ...table, version: "" }, digest),
	};
}

function versionOf(
	name: string,
	content: unknown,
	digest: (text: string) => string,
): string {
	return `${name}-${digest(JSON.stringify(content)).slice(0, 14)}`;
}

/** The section itself where no posture is at fault. */
function pathOf(place: number | undefined): readonly (string | number)[] {
	return place === undefined ? [] : ["postures", place];
}

/** What of a policy and table in force stops calls because it could not be read, a sentence each. */
export function stopsIn(
	{ broken }: Policy,
	{ killed }: OwnerTable,
): readonly string[] {
	const all = JSON.stringify(allOff.killed);
	return [
		...broken.map(
			({ id, problem }) =>
				`The posture "${id}" stops every call in its scope: ${problem}.`,
		),
		...(JSON.stringify(killed) === all
			? ["The routing table stops every call: it switches off everything."]
			: []),
	];
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
