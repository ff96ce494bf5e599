/**
 * The rules of the tree, as a pure function over its files. `architecture.test.ts` proves that each
 * rule can fail, then holds the real tree to all of them.
 */
import { SyntaxKind } from "typescript/unstable/ast";
import { createScanner } from "typescript/unstable/ast/scanner";

export interface Violation {
	readonly rule: Rule;
	readonly file: string;
	readonly line: number;
	readonly message: string;
}

export type Rule =
	| "readable"
	| "layers"
	| "joined-by-compose"
	| "index-only"
	| "specifier"
	| "cycle"
	| "core-imports-nothing"
	| "third-party"
	| "test-code"
	| "clock-and-chance"
	| "printing"
	| "names-outside"
	| "contract";

export interface Tree {
	/** Text by path from the root: `src/kernel/event.ts`. */
	readonly files: ReadonlyMap<string, string>;
	/** Packages that are installed with ours: what is not a test may import no others. */
	readonly packages: readonly string[];
}

export interface Checked {
	/** Modules that were read, and imports that were found in them: a check of nothing passes nothing. */
	readonly modules: number;
	readonly imports: number;
	/** Names of vendors and harnesses that were looked for. */
	readonly names: readonly string[];
	/** Adapters that were seen to run a contract, as `file: contract`. */
	readonly contracts: readonly string[];
	readonly violations: readonly Violation[];
}

const layers = ["kernel", "ports", "contexts", "adapters", "apps"] as const;
type Layer = (typeof layers)[number];

/** `kernel ← ports ← contexts ← apps` and `kernel ← ports ← adapters ← apps`. */
const mayImport: Readonly<Record<Layer, readonly Layer[]>> = {
	kernel: ["kernel"],
	ports: ["kernel", "ports"],
	contexts: ["kernel", "ports", "contexts"],
	adapters: ["kernel", "ports", "adapters"],
	apps: layers,
};

/** The in-memory adapters are real ones, so the tests of a context may stand on them. */
const testsMayImport: Readonly<Record<Layer, readonly Layer[]>> = {
	...mayImport,
	contexts: [...mayImport.contexts, "adapters"],
};

/**
 * What introduces contexts and adapters to each other: `compose.ts` for the whole system,
 * `ledger.ts` for the log and its rules alone, which a command opens without the weight of a gateway,
 * and `sync-check/compose.ts` for a program that runs by itself, without any library.
 */
const composers = [
	"src/apps/compose.ts",
	"src/apps/ledger.ts",
	"src/apps/sync-check/compose.ts",
];

/** Programs that run an agent. Vendors are not listed: their rows in `adapters/vendors` say their names. */
const harnesses = [
	"Claude Code",
	"claude-code",
	"Codex",
	"Gemini CLI",
	"gemini-cli",
	"opencode",
	"Cursor",
	"goose",
	"Aider",
	"Cline",
	"Windsurf",
	"Copilot",
];

/** Vendors' channels and model families that no row is named after. */
const families = ["Claude", "GPT", "Gemini", "Bedrock", "Vertex AI", "Azure"];

/** Names that are English words as well: only a string that is nothing else names the vendor. */
const englishWords = new Set([
	"together",
	"fireworks",
	"loopback",
	"cursor",
	"goose",
	"local",
	"custom",
]);

interface Module {
	readonly path: string;
	readonly text: string;
	readonly tokens: readonly Token[];
	readonly imports: readonly Import[];
	readonly layer: Layer;
	readonly test: boolean;
}

interface Import {
	readonly specifier: string;
	readonly line: number;
	/** Path of the file in the tree; undefined for packages and for files that do not exist. */
	readonly target: string | undefined;
}

export function checkArchitecture(tree: Tree): Checked {
	const violations: Violation[] = [];
	const contracts: string[] = [];
	const modules = new Map<string, Module>();

	for (const [path, text] of tree.files) {
		if (!path.startsWith("src/") || !path.endsWith(".ts")) continue;
		const module = readModule(path, text, tree.files, violations);
		if (module) modules.set(path, module);
	}

	const names = namesOutside(modules);
	for (const module of modules.values()) {
		const report = (rule: Rule, line: number, message: string) =>
			violations.push({ rule, file: module.path, line, message });
		checkImports(module, tree.packages, report);
		if (module.test) continue;
		checkJoining(module, report);
		checkUse(module, report);
		if (isCore(module)) checkNames(module, names, report);
	}
	checkCycles(modules, violations);
	checkContracts(modules, contracts, violations);

	return {
		modules: modules.size,
		imports: [...modules.values()].reduce(
			(sum, module) => sum + module.imports.length,
			0,
		),
		names,
		contracts,
		violations,
	};
}

type Report = (rule: Rule, line: number, message: string) => void;

function checkImports(
	module: Module,
	packages: readonly string[],
	report: Report,
): void {
	const allowed = (module.test ? testsMayImport : mayImport)[module.layer];
	for (const { specifier, line, target } of module.imports) {
		if (specifier.startsWith(".")) {
			// Data beside an adapter is a part of it.
			if (module.layer === "adapters" && /^\.\/[^/]+\.json$/.test(specifier))
				continue;
			if (!specifier.endsWith(".ts")) {
				report("specifier", line, `"${specifier}" does not end in .ts.`);
			} else if (target === undefined) {
				report("specifier", line, `"${specifier}" leads to no file.`);
			} else {
				checkTarget(module, target, line, allowed, report);
			}
			continue;
		}
		if (/^[#/]|^file:/.test(specifier)) {
			report("specifier", line, `"${specifier}" is no relative path.`);
			continue;
		}
		if (module.test) continue;
		const builtIn = /^(node|bun):|^bun$/.test(specifier);
		if (isCore(module)) {
			report(
				"core-imports-nothing",
				line,
				`${module.layer} imports "${specifier}": what it needs from outside comes through a port.`,
			);
		} else if (!builtIn && !packages.includes(packageOf(specifier))) {
			report(
				"third-party",
				line,
				`"${specifier}" is not among the package's dependencies.`,
			);
		}
	}
}

function checkTarget(
	module: Module,
	target: string,
	line: number,
	allowed: readonly Layer[],
	report: Report,
): void {
	if (!module.test && isTestCode(target)) {
		report("test-code", line, `imports the test code ${target}.`);
	}
	const layer = layerOf(target);
	if (layer === undefined) {
		if (!module.test)
			report("layers", line, `imports ${target} from outside src/.`);
		return;
	}
	if (!allowed.includes(layer)) {
		report("layers", line, `${module.layer} imports ${layer}: ${target}.`);
	}
	const context = contextOf(target);
	if (
		context !== undefined &&
		context !== contextOf(module.path) &&
		target !== `src/contexts/${context}/index.ts` &&
		!(target.startsWith(`src/contexts/${context}/fixtures/`) && module.test)
	) {
		report(
			"index-only",
			line,
			`enters the context ${context} by ${target}, not by its index.ts.`,
		);
	}
}

function checkJoining(module: Module, report: Report): void {
	if (module.layer !== "apps" || composers.includes(module.path)) return;
	const seen = (layer: Layer) =>
		module.imports.find(
			({ target }) => target !== undefined && layerOf(target) === layer,
		);
	const adapter = seen("adapters");
	if (adapter && seen("contexts")) {
		report(
			"joined-by-compose",
			adapter.line,
			`joins contexts and adapters (${adapter.specifier}); only apps/compose.ts and apps/ledger.ts do.`,
		);
	}
}

/** What a module does by the global names it uses. */
function checkUse(module: Module, report: Report): void {
	const { tokens, layer } = module;
	for (const [at, token] of tokens.entries()) {
		if (token.kind !== "word" || isMember(tokens, at)) continue;
		const follows = (...texts: readonly string[]) =>
			texts.every((text, index) => tokens[at + 1 + index]?.text === text);
		if (layer !== "apps") {
			const prints =
				token.text === "console" ||
				(token.text === "process" &&
					["stdout", "stderr", "exit", "exitCode"].some((name) =>
						follows(".", name),
					));
			if (prints)
				report(
					"printing",
					token.line,
					`uses ${token.text}; only apps print and exit.`,
				);
		}
		if (!isCore(module)) continue;
		const impure =
			ambient.has(token.text) ||
			(token.text === "Math" && follows(".", "random")) ||
			(token.text === "Date" && follows(".", "now")) ||
			(token.text === "Date" &&
				tokens[at - 1]?.text === "new" &&
				(!follows("(") || follows("(", ")"))) ||
			(token.text === "Date" && follows("(") && tokens[at - 1]?.text !== "new");
		if (impure) {
			report(
				"clock-and-chance",
				token.line,
				`uses ${token.text}: time, chance and the world outside come in as arguments.`,
			);
		}
	}
}

const ambient = new Set([
	"performance",
	"process",
	"console",
	"setTimeout",
	"setInterval",
	"setImmediate",
	"queueMicrotask",
	"globalThis",
	"require",
]);

/** `a.process`, `{ process: 1 }`, `process?: string` and `process(): void` name members, not the global. */
function isMember(tokens: readonly Token[], at: number): boolean {
	const before = tokens[at - 1]?.text;
	if (before === "." || before === "?.") return true;
	const after = tokens[at + 1]?.text;
	if (after === "?") return tokens[at + 2]?.text === ":";
	if (after === "(") return isMethod(tokens, at);
	return after === ":" && before !== "?" && before !== "case";
}

function checkNames(
	module: Module,
	names: readonly string[],
	report: Report,
): void {
	// Humps and underscores part words, so that `acmeClient` and ACME_KEY name Acme too.
	const lines = module.text
		.replace(/_/g, " ")
		.replace(/([a-z0-9])([A-Z])/g, "$1 $2")
		.split("\n");
	const raw = module.text.split("\n");
	for (const name of names) {
		const word = literally(name);
		const pattern = englishWords.has(name.toLowerCase())
			? new RegExp(`(["'\`])${word}\\1`, "i")
			: new RegExp(`(?<![a-z0-9])${word}(?![a-z0-9])`, "i");
		for (const [index, line] of lines.entries()) {
			if (pattern.test(line) || pattern.test(raw[index] ?? "")) {
				report("names-outside", index + 1, `names ${name}.`);
			}
		}
	}
}

/** Ids and names of the vendors' rows, and the harnesses. */
function namesOutside(modules: ReadonlyMap<string, Module>): readonly string[] {
	const names = new Map<string, string>();
	const add = (name: string) => names.set(name.toLowerCase(), name);
	for (const name of [...harnesses, ...families]) add(name);
	for (const { path, tokens, test } of modules.values()) {
		if (test || !path.startsWith("src/adapters/vendors/")) continue;
		for (const [at, token] of tokens.entries()) {
			const value = tokens[at + 2];
			const says = token.text === "id" || token.text === "name";
			if (says && tokens[at + 1]?.text === ":" && value?.kind === "string")
				add(value.text);
		}
	}
	return [...names.values()].sort();
}

function checkCycles(
	modules: ReadonlyMap<string, Module>,
	violations: Violation[],
): void {
	const done = new Set<string>();
	const trail: string[] = [];
	const visit = (path: string): void => {
		const start = trail.indexOf(path);
		if (start >= 0) {
			violations.push({
				rule: "cycle",
				file: path,
				line: 1,
				message: [...trail.slice(start), path].join(" → "),
			});
			return;
		}
		if (done.has(path)) return;
		trail.push(path);
		for (const { target } of modules.get(path)?.imports ?? []) {
			if (target !== undefined && modules.has(target)) visit(target);
		}
		trail.pop();
		done.add(path);
	};
	for (const path of modules.keys()) visit(path);
}

/**
 * A port with a contract is kept by every adapter: whatever an adapter exports with the port's type
 * needs a test in its folder that imports it and calls the contract.
 */
function checkContracts(
	modules: ReadonlyMap<string, Module>,
	contracts: string[],
	violations: Violation[],
): void {
	const adapters = [...modules.values()].filter(
		({ layer }) => layer === "adapters",
	);
	for (const suite of modules.values()) {
		const port = /^src\/ports\/(.+)\.contract\.ts$/.exec(suite.path)?.[1];
		if (port === undefined) continue;
		const functions = exportsOf(suite.tokens)
			.map(({ name }) => name)
			.filter((name) => name.endsWith("Contract"));
		if (functions.length === 0) {
			violations.push({
				rule: "contract",
				file: suite.path,
				line: 1,
				message: "exports no function named …Contract.",
			});
		}
		const type = pascalCase(port);
		for (const adapter of adapters) {
			if (adapter.test) continue;
			const made = exportsOf(adapter.tokens).find(({ type: words }) =>
				words.has(type),
			);
			if (!made) continue;
			const run = adapters.some(
				(test) =>
					test.test &&
					test.path.startsWith(folderOf(adapter.path)) &&
					reaches(modules, test, adapter.path) &&
					calls(test.tokens, functions),
			);
			if (run) contracts.push(`${adapter.path}: ${functions.join(", ")}`);
			else {
				violations.push({
					rule: "contract",
					file: adapter.path,
					line: made.line,
					message: `${made.name} is a ${type}, but no test beside it runs ${functions.join(" or ")}.`,
				});
			}
		}
	}
}

/** Whether `from` imports `path`, itself or through other adapters. */
function reaches(
	modules: ReadonlyMap<string, Module>,
	from: Module,
	path: string,
	seen: Set<string> = new Set(),
): boolean {
	return from.imports.some(({ target }) => {
		if (target === undefined || seen.has(target)) return false;
		if (target === path) return true;
		seen.add(target);
		const next = modules.get(target);
		return next?.layer === "adapters" && reaches(modules, next, path, seen);
	});
}

function calls(
	tokens: readonly Token[],
	functions: readonly string[],
): boolean {
	return tokens.some(
		(token, at) =>
			functions.includes(token.text) &&
			token.kind === "word" &&
			tokens[at + 1]?.text === "(",
	);
}

function readModule(
	path: string,
	text: string,
	files: ReadonlyMap<string, string>,
	violations: Violation[],
): Module | undefined {
	const layer = layerOf(path);
	if (layer === undefined) {
		violations.push({
			rule: "layers",
			file: path,
			line: 1,
			message: `stands in none of ${layers.join(", ")}.`,
		});
		return undefined;
	}
	const { tokens, broken } = tokensOf(text);
	const { found, computed } = importsOf(tokens);
	for (const line of broken) {
		violations.push({
			rule: "readable",
			file: path,
			line,
			message: "a string, template or pattern does not end.",
		});
	}
	for (const line of computed) {
		violations.push({
			rule: "readable",
			file: path,
			line,
			message: "imports what is only known when it runs.",
		});
	}
	const imports = found.map(({ specifier, line }) => {
		const target = specifier.startsWith(".")
			? resolve(path, specifier)
			: undefined;
		return {
			specifier,
			line,
			target: target !== undefined && files.has(target) ? target : undefined,
		};
	});
	return { path, text, tokens, imports, layer, test: isTestCode(path) };
}

interface Token {
	readonly kind: "word" | "string" | "other";
	/** A string's value; everything else as written. */
	readonly text: string;
	readonly line: number;
}

/** The tokens of a source text, without comments, and the lines where something never ends. */
function tokensOf(text: string): {
	readonly tokens: readonly Token[];
	readonly broken: readonly number[];
} {
	const scanner = createScanner(true);
	scanner.setText(text);
	const tokens: Token[] = [];
	const broken: number[] = [];
	/** For each template that is open, how many braces are open in its current `${`. */
	const templates: number[] = [];
	let before: SyntaxKind = SyntaxKind.Unknown;
	let line = 1;
	let counted = 0;
	for (
		let kind = scanner.scan();
		kind !== SyntaxKind.EndOfFile;
		kind = scanner.scan()
	) {
		const top = templates.length - 1;
		if (
			(kind === SyntaxKind.SlashToken ||
				kind === SyntaxKind.SlashEqualsToken) &&
			!endsValue(before)
		) {
			kind = scanner.reScanSlashToken();
		} else if (kind === SyntaxKind.TemplateHead) {
			templates.push(0);
		} else if (kind === SyntaxKind.OpenBraceToken && top >= 0) {
			templates[top] = (templates[top] ?? 0) + 1;
		} else if (kind === SyntaxKind.CloseBraceToken && top >= 0) {
			if (templates[top] === 0) {
				kind = scanner.reScanTemplateToken(false);
				if (kind === SyntaxKind.TemplateTail) templates.pop();
			} else templates[top] = (templates[top] ?? 0) - 1;
		}
		const start = scanner.getTokenStart();
		for (; counted < start; counted += 1) if (text[counted] === "\n") line += 1;
		if (scanner.isUnterminated()) broken.push(line);
		const written = scanner.getTokenText();
		const isString =
			kind === SyntaxKind.StringLiteral ||
			kind === SyntaxKind.NoSubstitutionTemplateLiteral;
		tokens.push({
			kind: isString
				? "string"
				: /^[\p{L}_$]/u.test(written)
					? "word"
					: "other",
			text: isString ? scanner.getTokenValue() : written,
			line,
		});
		before = kind;
	}
	if (templates.length > 0) broken.push(line);
	return { tokens, broken };
}

/** After a value a slash divides; anywhere else it opens a pattern. */
function endsValue(kind: SyntaxKind): boolean {
	return valueEnds.has(kind);
}

const valueEnds: ReadonlySet<SyntaxKind> = new Set([
	SyntaxKind.Identifier,
	SyntaxKind.NumericLiteral,
	SyntaxKind.BigIntLiteral,
	SyntaxKind.StringLiteral,
	SyntaxKind.NoSubstitutionTemplateLiteral,
	SyntaxKind.TemplateTail,
	SyntaxKind.RegularExpressionLiteral,
	SyntaxKind.CloseParenToken,
	SyntaxKind.CloseBracketToken,
	SyntaxKind.CloseBraceToken,
	SyntaxKind.PlusPlusToken,
	SyntaxKind.MinusMinusToken,
	SyntaxKind.ThisKeyword,
	SyntaxKind.SuperKeyword,
	SyntaxKind.TrueKeyword,
	SyntaxKind.FalseKeyword,
	SyntaxKind.NullKeyword,
]);

/** What a module imports or exports from elsewhere, types included, and the lines of computed imports. */
function importsOf(tokens: readonly Token[]): {
	readonly found: readonly { specifier: string; line: number }[];
	readonly computed: readonly number[];
} {
	const found: { specifier: string; line: number }[] = [];
	const computed: number[] = [];
	const take = (at: number): boolean => {
		const token = tokens[at];
		if (token?.kind !== "string") return false;
		found.push({ specifier: token.text, line: token.line });
		return true;
	};
	for (const [at, token] of tokens.entries()) {
		const next = tokens[at + 1];
		if (token.kind !== "word" || !next || tokens[at - 1]?.text === ".")
			continue;
		if (token.text === "import") {
			if (next.kind === "string") take(at + 1);
			else if (next.text === "(") {
				if (!isMethod(tokens, at) && !take(at + 2)) computed.push(token.line);
			} else if (next.kind === "word" || ["{", "*"].includes(next.text)) {
				const from = tokens.findIndex(
					(one, index) =>
						index > at &&
						one.text === "from" &&
						tokens[index + 1]?.kind === "string",
				);
				if (from > 0) take(from + 1);
			}
		} else if (token.text === "export") {
			const open = next.text === "type" ? at + 2 : at + 1;
			if (tokens[open]?.text === "*") {
				const from = tokens.findIndex(
					(one, index) => index > open && one.text === "from",
				);
				take(from + 1);
			} else if (tokens[open]?.text === "{") {
				const close = matching(tokens, open);
				if (tokens[close + 1]?.text === "from") take(close + 2);
			}
		}
	}
	return { found, computed };
}

/** `import(path) {` in an object and `import(path): T` in an interface declare a method of that name. */
function isMethod(tokens: readonly Token[], at: number): boolean {
	const before = tokens[at - 1]?.text ?? "";
	const after = tokens[matching(tokens, at + 1) + 1]?.text ?? "";
	return ["{", "}", ",", ";", "async"].includes(before) && "{:".includes(after);
}

/** Index of the bracket that closes the one at `open`. */
function matching(tokens: readonly Token[], open: number): number {
	let depth = 0;
	for (let at = open; at < tokens.length; at += 1) {
		const token = tokens[at];
		if (token?.kind !== "other") continue;
		if ("([{".includes(token.text)) depth += 1;
		else if (")]}".includes(token.text)) depth -= 1;
		if (depth === 0) return at;
	}
	return tokens.length;
}

/**
 * Exported functions and constants with the words of their declared type (`isolatedDeclarations`
 * has it written out): what a function returns, what a constant is.
 */
function exportsOf(tokens: readonly Token[]): readonly {
	readonly name: string;
	readonly line: number;
	readonly type: ReadonlySet<string>;
}[] {
	const found: { name: string; line: number; type: Set<string> }[] = [];
	for (const [start, token] of tokens.entries()) {
		if (token.text !== "export" || token.kind !== "word") continue;
		let at = start + 1;
		if (tokens[at]?.text === "async") at += 1;
		const sort = tokens[at]?.text;
		if (sort !== "function" && sort !== "const") continue;
		at += 1;
		if (tokens[at]?.text === "*") at += 1;
		const name = tokens[at]?.text ?? "";
		const type = new Set<string>();
		found.push({ name, line: token.line, type });
		at += 1;
		if (sort === "function") {
			while (at < tokens.length && tokens[at]?.text !== "(") at += 1;
			at = matching(tokens, at) + 1;
		}
		if (tokens[at]?.text !== ":") continue;
		for (at += 1; at < tokens.length; at += 1) {
			const { kind, text } = tokens[at] as Token;
			if (text === "=" || text === ";") break;
			if (text === "{") {
				const opensType = [":", "|", "&", "=>", "<", ","].includes(
					tokens[at - 1]?.text ?? "",
				);
				if (!opensType) break;
				const close = matching(tokens, at);
				for (const one of tokens.slice(at, close))
					if (one.kind === "word") type.add(one.text);
				at = close;
			} else if (kind === "word") type.add(text);
		}
	}
	return found;
}

function isCore(module: Module): boolean {
	return module.layer !== "adapters" && module.layer !== "apps";
}

function isTestCode(path: string): boolean {
	return (
		/\.(test|contract|testing|fixture)\.ts$|\/fixtures\//.test(path) ||
		/^(test|benchmarks|examples)\//.test(path)
	);
}

function layerOf(path: string): Layer | undefined {
	const [, layer] = /^src\/([^/]+)\/./.exec(path) ?? [];
	return layers.find((one) => one === layer);
}

function contextOf(path: string): string | undefined {
	return /^src\/contexts\/([^/]+)/.exec(path)?.[1];
}

function folderOf(path: string): string {
	return path.slice(0, path.lastIndexOf("/") + 1);
}

function resolve(from: string, specifier: string): string {
	const parts = folderOf(from).split("/").slice(0, -1);
	for (const part of specifier.split("/")) {
		if (part === "..") parts.pop();
		else if (part !== ".") parts.push(part);
	}
	return parts.join("/");
}

function packageOf(specifier: string): string {
	return specifier
		.split("/")
		.slice(0, specifier.startsWith("@") ? 2 : 1)
		.join("/");
}

function pascalCase(kebab: string): string {
	return kebab.replace(/(?:^|-)(.)/g, (_, letter: string) =>
		letter.toUpperCase(),
	);
}

function literally(text: string): string {
	return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
