import type { SubstrateFacts } from "../../ports/catalogue.ts";
import type { Selector, SovereigntyClass } from "./model.ts";
import { allPlaces, keep, leave, type Places } from "./places.ts";
import {
	type Columns,
	isListOfText,
	isRecord,
	readSelector,
	whyNot,
} from "./selectors.ts";

/** The classes that everybody has. The owner adds others, and may say these anew. */
export const defaultClasses: readonly SovereigntyClass[] = [
	{
		id: "anywhere",
		says: "Any substrate.",
		require: [],
	},
	{
		id: "no-training",
		says: "Calls are not used for training unless somebody agrees to it.",
		require: [{ trains: false }],
	},
	{
		id: "eu-processed",
		says: "Processed in the European Economic Area alone, and not used for training.",
		extends: ["no-training"],
		require: [{ country: ["EEA"] }],
	},
	{
		id: "eu-processed-eu-operated",
		says: "Processed there by an operator that is seated in the European Union and that no other law can reach.",
		extends: ["eu-processed"],
		require: [{ seat: ["EU"] }, { law: ["EU"] }],
	},
	{
		id: "us-federal",
		says: "Processed in the United States, under a FedRAMP authorisation of at least Moderate.",
		extends: ["no-training"],
		require: [
			{ country: ["US"] },
			{ attestation: ["FedRAMP Moderate", "FedRAMP High"] },
		],
	},
	{
		id: "own-machine",
		says: "On the owner's own machine: nothing leaves it.",
		require: [{ channel: ["own-machine"] }],
	},
];

export interface ReadClasses {
	readonly classes: readonly SovereigntyClass[];
	/** What is wrong, and where. The class it is about is left out, so that calls that need it are refused. */
	readonly problems: readonly {
		readonly path: readonly string[];
		/** A sentence. */
		readonly message: string;
	}[];
}

/** The default classes with the owner's, which win by their id. `raw`: a map from id to class. */
export function readClasses(raw: unknown): ReadClasses {
	const classes = new Map(defaultClasses.map((each) => [each.id, each]));
	const problems: { path: readonly string[]; message: string }[] = [];
	if (raw !== undefined && !isRecord(raw)) {
		return {
			classes: [],
			problems: [
				{
					path: ["classes"],
					message:
						"The sovereignty classes are no map from id to class: none is in force, and calls that need one are refused.",
				},
			],
		};
	}
	for (const [id, document] of Object.entries(raw ?? {})) {
		const read = readClass(id, document);
		if (typeof read === "string") {
			classes.delete(id);
			problems.push({
				path: ["classes", id],
				message: `The sovereignty class "${id}" is not in force, and calls that need it are refused: ${read}.`,
			});
		} else classes.set(id, read);
	}
	const all = [...classes.values()];
	for (const { id } of all) {
		if (requirementsOf(id, all) === undefined)
			problems.push({
				path: ["classes", id],
				message: `The sovereignty class "${id}" extends a class that is not there, or itself: calls that need it are refused.`,
			});
	}
	return { classes: all, problems };
}

/** All that a class requires, with what it extends; undefined where that cannot be told, so that nothing keeps it. */
export function requirementsOf(
	id: string,
	classes: readonly SovereigntyClass[],
	above: readonly string[] = [],
): readonly Selector[] | undefined {
	const found = classes.find((each) => each.id === id);
	if (!found || above.includes(id)) return undefined;
	const all = [...found.require];
	for (const parent of found.extends ?? []) {
		const inherited = requirementsOf(parent, classes, [...above, id]);
		if (!inherited) return undefined;
		all.push(...inherited);
	}
	return all;
}

/** Why a substrate does not keep a class, in words; undefined where it does for certain. */
export function whyOutside(
	id: string,
	classes: readonly SovereigntyClass[],
	facts: SubstrateFacts,
): string | undefined {
	const requirements = requirementsOf(id, classes);
	if (!requirements) return `the sovereignty class "${id}" is not known here`;
	for (const each of requirements) {
		const why = whyNot(each, facts);
		if (why !== undefined) return `the class "${id}" does not hold: ${why}`;
	}
	return undefined;
}

/** Those that do not keep a class, without the words. */
export function outsideOf(
	id: string,
	classes: readonly SovereigntyClass[],
	columns: Columns,
): Places {
	const outside = allPlaces(columns.size);
	const requirements = requirementsOf(id, classes);
	if (!requirements) return outside;
	const within = allPlaces(columns.size);
	for (const each of requirements) keep(within, columns.certain(each));
	return leave(outside, within);
}

/** Whether a substrate keeps a class: for certain, or it does not. */
export function keepsClass(
	id: string,
	classes: readonly SovereigntyClass[],
	facts: SubstrateFacts,
): boolean {
	return whyOutside(id, classes, facts) === undefined;
}

/** Whether whatever keeps one class keeps the other by what it extends. Classes need not be in any order. */
export function isAtLeast(
	id: string,
	other: string,
	classes: readonly SovereigntyClass[],
): boolean {
	if (requirementsOf(id, classes) === undefined) return false;
	if (id === other) return true;
	const parents = classes.find((each) => each.id === id)?.extends ?? [];
	return parents.some((parent) => isAtLeast(parent, other, classes));
}

/** A class of the owner's, or what is wrong with it. */
export function readClass(id: string, raw: unknown): SovereigntyClass | string {
	if (!isRecord(raw)) return "it is no map";
	const stray = Object.keys(raw).find(
		(name) => !["says", "extends", "require"].includes(name),
	);
	if (stray !== undefined) return `"${stray}" is not known`;
	const { says, extends: parents, require: required } = raw;
	if (typeof says !== "string") return "it does not say what it means (says)";
	if (parents !== undefined && !isListOfText(parents))
		return "extends is no list of classes";
	if (!Array.isArray(required)) return "require is no list";
	const requirements: Selector[] = [];
	for (const each of required) {
		const read = readSelector(each);
		if (typeof read === "string") return read;
		requirements.push(read);
	}
	return {
		id,
		says,
		...(parents ? { extends: parents } : {}),
		require: requirements,
	};
}
