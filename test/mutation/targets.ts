/** What is mutated, and the tests that should notice. None of them draws at random: a mutant must not live by luck. */
export interface Target {
	readonly file: string;
	/** The functions that keep the filters; absent: the whole file. */
	readonly within?: readonly string[];
	readonly tests: readonly string[];
	/** Asked only about what the first ones do not notice. */
	readonly others: readonly string[];
}

const keepers = [
	"filters",
	"needs",
	"places",
	"postures",
	"selectors",
	"sovereignty",
	"unlisted",
];
const file = (name: string): string => `src/contexts/routing/${name}`;

export const targets: readonly Target[] = [
	...keepers.map((name) => ({
		file: file(`${name}.ts`),
		tests: [file(`${name}.test.ts`)],
		others: [...keepers, "deciding", "policy", "settings"]
			.filter((other) => other !== name)
			.map((other) => file(`${other}.test.ts`)),
	})),
	{
		file: file("decide.ts"),
		within: ["sift", "lookAt"],
		tests: [file("deciding.test.ts")],
		others: [file("policy.test.ts")],
	},
	{
		file: "src/contexts/gateway/plan.ts",
		within: [
			"allows",
			"goOn",
			"notAsked",
			"next",
			"rightsOf",
			"statedNeeds",
			"taggedBy",
			"budgetOf",
		],
		tests: ["src/contexts/gateway/plan.test.ts"],
		others: [],
	},
];
