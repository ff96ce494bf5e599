import type { Vendor } from "../../ports/vendor.ts";

/** What a vendor's parameters come to. Both empty: its bases can be filled. */
export interface Parameters {
	/** By the name of a parameter or of a place that follows from one. */
	readonly values: Readonly<Record<string, string>>;
	/** Parameters that nobody says. */
	readonly missing: readonly string[];
	/** What was said and cannot be used, a sentence without the value. */
	readonly problem?: string;
}

/** One label of a host name, and so no more than one: a value cannot lead to another host or path. */
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Finds what the settings, the environment or the row itself say. */
export function findParameters(
	{ id, parameters = {} }: Vendor,
	environment: Readonly<Record<string, string | undefined>>,
	settings: Readonly<Record<string, string>> = {},
): Parameters {
	const values: Record<string, string> = {};
	const missing: string[] = [];
	const inConfig = (name: string) =>
		`vendors.${id}.parameters.${name} in config.yaml`;
	for (const name of Object.keys(settings)) {
		if (Object.hasOwn(parameters, name)) continue;
		const known = Object.keys(parameters).join(", ");
		return {
			values,
			missing,
			problem: `${inConfig(name)} is not one of its parameters (${known || "it has none"})`,
		};
	}
	for (const [name, { names, otherwise, places = {} }] of Object.entries(
		parameters,
	)) {
		const said = [
			{ text: settings[name], source: inConfig(name) },
			...names.map((each) => ({
				text: environment[each],
				source: `${each} in the environment`,
			})),
			{ text: otherwise, source: "" },
		].find(({ text }) => text !== undefined && text.trim() !== "");
		const value = said?.text?.trim();
		if (!said || value === undefined) {
			missing.push(name);
			continue;
		}
		if (!label.test(value)) {
			return {
				values,
				missing,
				problem: `${said.source} must have 1 to 63 lower-case letters, digits and hyphens`,
			};
		}
		values[name] = value;
		for (const [place, texts] of Object.entries(places)) {
			const text = Object.hasOwn(texts, value) ? texts[value] : texts["*"];
			values[place] = fill(text as string, { [name]: value });
		}
	}
	return { values, missing };
}

/** The parameters that a text has places for, directly or through one that follows from them. */
export function parametersIn(
	text: string,
	{ parameters = {} }: Vendor,
): readonly string[] {
	return Object.entries(parameters)
		.filter(([name, { places = {} }]) =>
			[name, ...Object.keys(places)].some((each) => text.includes(`{${each}}`)),
		)
		.map(([name]) => name);
}

/** Fills the places of a base. One without a value keeps its name. */
export function fill(
	base: string,
	values: Readonly<Record<string, string>>,
): string {
	return base.replace(/\{(\w+)\}/g, (_, name: string) => values[name] ?? name);
}
