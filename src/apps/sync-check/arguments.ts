/** The command line of sync-check, read without any library. */

import { nearest } from "../../contexts/sync/index.ts";

export interface Arguments {
	readonly command: "check" | "undo" | "init" | "migrate" | "schema";
	readonly paths: readonly string[];
	readonly manifest: string | undefined;
	readonly format: "text" | "table" | "json" | "sarif" | "junit" | "github";
	readonly full: boolean;
	readonly summary: boolean;
	readonly quiet: boolean;
	readonly diff: boolean;
	readonly fix: boolean;
	readonly dryRun: boolean;
	readonly force: boolean;
	readonly adopt: boolean;
	readonly merge: boolean;
	readonly explain: boolean;
	readonly watch: boolean;
	readonly staged: boolean;
	readonly verify: boolean;
	readonly write: boolean;
	readonly color: boolean | undefined;
	readonly help: boolean;
	readonly version: boolean;
}

export const helpText = `Usage: dos sync-check [command] [options] [path...]

Proves that the copies named in a manifest agree, says how they do not, and mends
them in the declared direction without losing anything.

Commands:
  (none)             check; with paths, only rows at or below them
  undo               bring back what the last fix changed
  init [folder]      propose a manifest from what a folder holds twice; --write keeps it
  migrate            print the manifest as version 2; --write puts it in place
  schema             print the JSON Schema of the manifest, for editors

What is shown:
  (none)             how many rows are what
  --full             a table, a row for each file
  --json             JSON: counts and the rows that are not in sync; all with --full
  --format <name>    table, json, sarif, junit or github
  --summary          one line
  --quiet            nothing, only the exit code
  --diff             unified diffs of the rows that differ
  --explain <path>   why a row is what it is

What is done:
  --fix              overwrite what is stale, bring what is missing
  --dry-run          with --fix, --adopt or --merge: say what would be done, write nothing
  --force            with --fix: also overwrite edited copies, remove extra ones (all are kept)
  --adopt <copy>     the copy is right: bring it to the source
  --merge <copy>     write a three-way merge beside the copy, as <copy>.dos-merge

What is looked at:
  --manifest <path>  default: .dos-sync-manifest.json, here or in a folder above
  --staged           what git has staged, as it is staged
  --verify           read every file, whatever the cache says
  --watch            check again whenever something changes

  --color, --no-color, --color=auto|always|never
  -h, --help;  --version

Exit codes: 0 in sync · 1 drift · 2 the manifest or the command line is wrong, or
sync-check itself could not go on.

Examples:
  $ dos sync-check
  $ dos sync-check --fix --dry-run
  $ dos sync-check --explain skills/Notes/SKILL.md
  $ dos sync-check --staged --summary
`;

const flags = {
	"--full": "full",
	"--summary": "summary",
	"--quiet": "quiet",
	"-q": "quiet",
	"--diff": "diff",
	"--fix": "fix",
	"--dry-run": "dryRun",
	"-n": "dryRun",
	"--force": "force",
	"--watch": "watch",
	"--staged": "staged",
	"--verify": "verify",
	"--write": "write",
	"--help": "help",
	"-h": "help",
	"--version": "version",
} as const;

/** Options that name what they are about: the path may follow, or stand after `=`. */
const withPath = {
	"--adopt": "adopt",
	"--explain": "explain",
	"--merge": "merge",
} as const;

const options: readonly string[] = [
	...Object.keys(flags),
	...Object.keys(withPath),
	"--json",
	"--manifest",
	"--format",
	"--color",
	"--no-color",
];

/** The option somebody meant who wrote its name without the dashes. */
export function optionCalled(word: string): string | undefined {
	return options.find((option) => option === `--${word}`);
}

const commands = ["check", "undo", "init", "migrate", "schema"] as const;
const formats = ["table", "json", "sarif", "junit", "github"] as const;

/** A sentence when the words make no command line. */
export function readArguments(words: readonly string[]): Arguments | string {
	const read: { -readonly [K in keyof Arguments]: Arguments[K] } = {
		command: "check",
		paths: [],
		manifest: undefined,
		format: "text",
		full: false,
		summary: false,
		quiet: false,
		diff: false,
		fix: false,
		dryRun: false,
		force: false,
		adopt: false,
		merge: false,
		explain: false,
		watch: false,
		staged: false,
		verify: false,
		write: false,
		color: undefined,
		help: words[0] === "help",
		version: false,
	};
	const paths: string[] = [];
	let json = false;
	let onlyPaths = false;
	for (let at = 0; at < words.length; at++) {
		const word = words[at] as string;
		if (onlyPaths || !word.startsWith("-") || word === "-") {
			const command = commands.find((name) => name === word);
			if (at === 0 && command && !onlyPaths) read.command = command;
			else paths.push(word);
			continue;
		}
		if (word === "--") {
			onlyPaths = true;
			continue;
		}
		const equals = word.indexOf("=");
		const name = equals < 0 ? word : word.slice(0, equals);
		const given = equals < 0 ? undefined : word.slice(equals + 1);
		const value = (): string | undefined => given ?? words[++at];
		if (name in flags && given === undefined)
			read[flags[name as keyof typeof flags]] = true;
		else if (name in withPath) {
			const path = value();
			if (path === undefined || path === "")
				return `${name} is about a path: write ${name} PATH.`;
			read[withPath[name as keyof typeof withPath]] = true;
			paths.push(path);
		} else if (name === "--json" && given === undefined) json = true;
		else if (name === "--manifest") {
			const path = value();
			if (!path) return "--manifest is followed by the path of a manifest.";
			read.manifest = path;
		} else if (name === "--format") {
			const wanted = value();
			const format = formats.find((one) => one === wanted);
			if (!format) return `--format is one of ${formats.join(", ")}.`;
			read.format = format;
		} else if (name === "--color") {
			if (given === undefined || given === "always") read.color = true;
			else if (given === "never") read.color = false;
			else if (given !== "auto") return "--color is always, never or auto.";
		} else if (name === "--no-color" && given === undefined) read.color = false;
		else {
			const near = nearest(name, options);
			return `There is no option ${name}${near ? `: did you mean ${near}?` : ". --help shows all of them."}`;
		}
	}
	read.paths = paths;
	if (json) {
		if (read.format !== "text" && read.format !== "json")
			return `--json and --format ${read.format} cannot both be: leave one out.`;
		read.format = "json";
	}
	const wrong = contradiction(read);
	if (read.format === "table") read.full = true;
	return wrong ?? read;
}

function contradiction(read: Arguments): string | undefined {
	const acts = (["fix", "adopt", "merge", "explain", "watch"] as const).filter(
		(name) => read[name],
	);
	if (acts.length > 1)
		return `--${acts[0]} and --${acts[1]} cannot both be: leave one out.`;
	if (read.dryRun && !read.fix && !read.adopt && !read.merge)
		return "--dry-run goes with --fix, --adopt or --merge.";
	if (read.force && !read.fix) return "--force goes with --fix.";
	if (read.merge && read.format !== "text")
		return `--merge has no --format ${read.format}: leave it out.`;
	if (read.staged && acts.length > 0 && !read.explain)
		return `--staged only looks: leave --${acts[0]} out.`;
	if (read.command !== "check" && acts.length > 0)
		return `${read.command} and --${acts[0]} cannot both be: leave one out.`;
	if (read.command !== "check") {
		const other = (
			["full", "summary", "diff", "staged", "verify"] as const
		).find((name) => read[name]);
		if (other)
			return `${read.command} and --${other} cannot both be: leave one out.`;
		if (
			read.format !== "text" &&
			!(read.command === "undo" && read.format === "json")
		)
			return `${read.command} has no --format ${read.format}: leave it out.`;
	}
	if (read.write && read.command !== "init" && read.command !== "migrate")
		return "--write goes with init and migrate.";
	if (read.command === "init" && read.paths.length > 1)
		return "init looks at one folder.";
	if (
		read.paths.length > 0 &&
		["undo", "migrate", "schema"].includes(read.command)
	)
		return `${read.command} takes no path.`;
	return undefined;
}
