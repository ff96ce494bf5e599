import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

/**
 * What the documents promise can be followed: links lead somewhere, and each `dos …` is a command that the
 * program has, with the flags that it takes.
 */
const root = fileURLToPath(new URL("..", import.meta.url));
const documents = execFileSync(
	"git",
	["ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
	{ cwd: root, encoding: "utf8" },
)
	.split("\n")
	.filter((path) => path !== "" && existsSync(join(root, path)));

it("there are documents to look at", () =>
	expect(documents).toContain("README.md"));

describe.each(documents)("%s", (path) => {
	const text = readFileSync(join(root, path), "utf8");

	it("links to what is there", () => {
		expect(brokenLinks(path, text)).toEqual([]);
	});

	it("tells commands and flags that there are", () => {
		expect(commandLines(text).flatMap(whyUnknown)).toEqual([]);
	});
});

it("a broken link, a heading that is not there, and unknown words are found", () => {
	expect(brokenLinks("README.md", "[a](nowhere.md) [b](LICENSE#x)")).toEqual([
		"nowhere.md",
		"LICENSE#x",
	]);
	expect(
		commandLines("`dos audit verfy` and `npm run dos -- vendors --al`").flatMap(
			whyUnknown,
		),
	).toEqual([
		'dos audit verfy: no command "verfy"',
		"dos vendors --al: no flag --al",
	]);
	expect(
		commandLines("```sh\n$ git log | dos key caps x --cap-day 3 # why\n```"),
	).toEqual(["dos key caps x --cap-day 3"]);
});

function brokenLinks(path: string, text: string): readonly string[] {
	return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
		.map((match) => match[1] as string)
		.filter((link) => !/^[a-z]+:/.test(link))
		.filter((link) => {
			const [file = "", heading] = link.split("#");
			const target = file === "" ? path : join(dirname(path), file);
			if (relative(root, join(root, target)).startsWith("..")) return true;
			if (!existsSync(join(root, target))) return true;
			return heading !== undefined && !headings(target).has(heading);
		});
}

/** The anchors of a document's headings, as GitHub makes them. */
function headings(path: string): ReadonlySet<string> {
	const text = readFileSync(join(root, path), "utf8");
	return new Set(
		[...text.matchAll(/^#+ (.*)$/gm)].map((match) =>
			(match[1] as string)
				.toLowerCase()
				.replace(/[^\p{L}\p{N} _-]/gu, "")
				.replaceAll(" ", "-"),
		),
	);
}

/** Each `dos …` in code, inline or fenced, without pipes, redirections and remarks around it. */
function commandLines(text: string): readonly string[] {
	const fenced = [...text.matchAll(/^```.*\n([\s\S]*?)^```/gm)].flatMap(
		(match) => (match[1] as string).split("\n"),
	);
	const inline = [
		...text.replace(/^```[\s\S]*?^```/gm, "").matchAll(/`([^`\n]+)`/g),
	].map((match) => match[1] as string);
	return [...fenced, ...inline].flatMap((line) => {
		const found = /(?:^|[$|] |; )(?:npm run )?dos (?:-- )?([^|>#<…`]*)/.exec(
			line,
		);
		return found ? [`dos ${(found[1] as string).trim()}`] : [];
	});
}

/** What of a command line the program's own table of commands does not know. */
function whyUnknown(line: string): readonly string[] {
	const words = line.split(/\s+/).slice(1);
	const path: string[] = [];
	let known = commandsOf(path);
	for (const word of words) {
		if (known.commands.size === 0 || !/^[a-z-]+$/.test(word)) break;
		if (word.startsWith("-")) break;
		if (!known.commands.has(word)) return [`${line}: no command "${word}"`];
		path.push(word);
		known = commandsOf(path);
	}
	return words
		.filter((word) => /^--[a-z-]+$/.test(word))
		.filter((word) => !known.flags.has(word))
		.map((word) => `${line}: no flag ${word}`);
}

interface Known {
	readonly commands: ReadonlySet<string>;
	readonly flags: ReadonlySet<string>;
}

const asked = new Map<string, Known>();

function commandsOf(path: readonly string[]): Known {
	const name = path.join(" ");
	const seen = asked.get(name);
	if (seen) return seen;
	const help = execFileSync(
		process.execPath,
		[join(root, "bin/dos.mjs"), ...path, "--help"],
		{ encoding: "utf8" },
	);
	const commands = help.split("\nCommands:\n")[1]?.split("\n\n")[0] ?? "";
	const known = {
		commands: new Set(
			[...commands.matchAll(/^ {2}([a-z-]+)/gm)].map(
				(match) => match[1] as string,
			),
		),
		flags: new Set([...help.matchAll(/--[a-z-]+/g)].map(([flag]) => flag)),
	};
	asked.set(name, known);
	return known;
}
