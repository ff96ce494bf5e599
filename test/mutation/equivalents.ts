import type { Mutant } from "./mutants.ts";

/** A mutant that no test can notice, because it means the same. */
export interface Equivalent extends Pick<Mutant, "file" | "from" | "to"> {
	readonly why: string;
}

type Entry = readonly [from: string, to: string, why: string];

/** By file; each a mutant's text as it is printed. */
const entries: Readonly<Record<string, readonly Entry[]>> = {
	"src/contexts/routing/filters.ts": [
		[
			"if (qualityFloor !== undefined && graded < qualityFloor)",
			"if (graded < qualityFloor)",
			"No number is less than undefined: the first half is for the compiler.",
		],
	],
	"src/contexts/routing/postures.ts": [
		[
			"const lead = rivals?.[0]?.from ?? Number.NEGATIVE_INFINITY;",
			"const lead = rivals?.[0].from ?? Number.NEGATIVE_INFINITY;",
			"Rivals are never an empty list.",
		],
		[
			"else if (posture.from === lead) rivals?.push(posture);",
			"else if (posture.from === lead) rivals.push(posture);",
			"Without rivals the lead is no moment that a posture can have.",
		],
		[
			"else if (posture.from === lead) rivals?.push(posture);",
			"else if (posture.from === lead) rivals?.unshift(posture);",
			"Of several rivals only their number counts.",
		],
		[
			"else if (first) postures.push(first);",
			"else if (true) postures.push(first);",
			"Rivals are never an empty list.",
		],
		[
			'const [, day = ""] = match;',
			'const [, day = "mutant"] = match;',
			"What matched has a day.",
		],
		[
			'if (until !== undefined && until <= from) return "it ends before it begins";',
			'if (until <= from) return "it ends before it begins";',
			"Undefined is no less than any number: the first half is for the compiler.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = ["mutant"], deny = [], require: required = [], prefer = [] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = [], deny = ["mutant"], require: required = [], prefer = [] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = [], deny = [], require: required = ["mutant"], prefer = [] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"const { allow = [], deny = [], require: required = [], prefer = [] } = rules;",
			'const { allow = [], deny = [], require: required = [], prefer = ["mutant"] } = rules;',
			"Each of the four was read before, absent ones as empty lists.",
		],
		[
			"if (raw === undefined) return [];",
			"if (raw === undefined) return;",
			"What is undefined becomes the empty list where it is taken apart.",
		],
		[
			'const bound = isRecord(raw) ? readScope(scope) : "";',
			'const bound = true ? readScope(scope) : "";',
			"What is no map has no scope, and no scope is as good as one that cannot be read.",
		],
		[
			'const bound = isRecord(raw) ? readScope(scope) : "";',
			'const bound = isRecord(raw) ? readScope(scope) : "mutant";',
			"Any text says that the scope cannot be read.",
		],
		[
			"(keys === undefined || (who.key !== undefined && keys.includes(who.key))) &&",
			"(keys === undefined || (keys.includes(who.key))) &&",
			"No list of keys holds undefined: the first half is for the compiler.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) <= String(other) ? -1 : 1)),",
			"No field stands twice.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) >= String(other) ? -1 : 1)),",
			"Any one order makes like selectors alike.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) < String(other) ? -2 : 1)),",
			"Only the sign counts.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 2)),",
			"Only the sign counts.",
		],
		[
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)),",
			".sort(([one], [other]) => (String(one) < String(other) ? -1 : 0)),",
			"The runtimes sort by what is less alone.",
		],
	],
	"src/contexts/routing/selectors.ts": [
		[
			'if (holds(selector, facts) === "yes") return undefined;',
			"if (false) return undefined;",
			"The quick way to what the loop finds too.",
		],
		[
			'if (holds(selector, facts) === "yes") return undefined;',
			'if (holds(selector, facts) === "") return undefined;',
			"The quick way to what the loop finds too.",
		],
		[
			'const [head = "", ...rest] = pattern.toLowerCase().split("*");',
			'const [head = "mutant", ...rest] = pattern.toLowerCase().split("*");',
			"A text that is split has a first part.",
		],
		[
			"!whole.startsWith(head) || !whole.endsWith(tail) || whole.length < head.length + tail.length",
			"!whole.startsWith(head) || !whole.endsWith(tail)",
			"The last line finds too that head and tail overlap.",
		],
		[
			"whole.length < head.length + tail.length",
			"whole.length < head.length - tail.length",
			"The last line finds too that head and tail overlap.",
		],
		["return false;", "return; #2", "Asked only whether it is so."],
		[
			// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the text of a template.
			': `cannot be "${stray}": there are ${among?.join(", ")}`;',
			// biome-ignore lint/suspicious/noTemplateCurlyInString: and so is this.
			': `cannot be "${stray}": there are ${among.join(", ")}`;',
			"Nothing is astray where anything may stand.",
		],
		[
			"({ retentionDaysAtMost = 0 }) =>",
			"({ retentionDaysAtMost = 1 }) =>",
			"Only asked where the selector has the field.",
		],
		[
			'if (trainer !== "unknown") things.push([name, trainer.value]);',
			'if (trainer !== "unknown") things.unshift([name, trainer.value]);',
			"The list is empty before.",
		],
		[
			"const notKnown: Known = { things: [], complete: false };",
			"const notKnown: Known = { things: [], };",
			"Undefined is as good as false.",
		],
		[
			"if (value === undefined) {",
			"if (true) {",
			"What is remembered only saves time.",
		],
		["values.set(key, value);", ";", "What is remembered only saves time."],
		[
			'return fact === "unknown" ? "unknown" : String(fact.value);',
			'return false ? "unknown" : String(fact.value);',
			"Only facts that are known are shown.",
		],
		[
			'return fact === "unknown" ? "unknown" : String(fact.value);',
			'return fact === "" ? "unknown" : String(fact.value);',
			"Only facts that are known are shown.",
		],
		[
			'return fact === "unknown" ? "unknown" : String(fact.value);',
			'return fact === "unknown" ? "" : String(fact.value);',
			"Only facts that are known are shown.",
		],
	],
	"src/contexts/routing/sovereignty.ts": [
		[
			"const parents = classes.find((each) => each.id === id)?.extends ?? [];",
			"const parents = classes.find((each) => each.id === id).extends ?? [];",
			"A class whose requirements can be told is there.",
		],
	],
	"src/contexts/gateway/plan.ts": [
		[
			"this.#isCurrent(now, this.decision) || this.#decide(now).order.some(({ facts }) => facts.id === substrate.id)",
			"this.#decide(now).order.some(({ facts }) => facts.id === substrate.id)",
			"The quick way to what deciding again finds too.",
		],
		[
			"if (asked.dos === undefined && needs === undefined && profiles.length === 0)",
			"if (false)",
			"The quick way to what follows too.",
		],
		[
			"return accept({ needs: none, session, cache: undefined, shadow: true });",
			"return accept({ needs: none, session, shadow: true });",
			"Absent is as good as undefined.",
		],
		[
			"...profiles.flatMap((profile) => profile.needs ?? []),",
			'...profiles.flatMap((profile) => profile.needs ?? ["mutant"]),',
			"A text has no needs to join.",
		],
		[
			"if (models === undefined || allowsModel(key.scopes, name)) return undefined;",
			"if (allowsModel(key.scopes, name)) return undefined;",
			"Where no models are named, any is allowed.",
		],
	],
};

export const equivalents: readonly Equivalent[] = Object.entries(
	entries,
).flatMap(([file, each]) =>
	each.map(([from, to, why]) => ({ file, from, to, why })),
);
