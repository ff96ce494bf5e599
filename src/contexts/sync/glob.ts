/**
 * Globs over relative paths with `/`: `*` within a name, `**` over any number of folders, `?` one
 * character, `[a-z]`, `[!a-z]`, `{a,b}`, `\` before a character that stands for itself. A glob without `/`
 * fits at any depth; one that ends in `/` fits a folder. What fits a folder fits everything in it.
 */
export type Glob = (path: string) => boolean;

/** Undefined for a glob that cannot be read: an unclosed bracket or brace, or nothing at all. */
export function openGlob(glob: string): Glob | undefined {
	let body = glob.replace(/^(?:\.?\/)+/, "");
	if (body === "") return undefined;
	body = body.replace(/\/+$/, "");
	// Repetition of repetitions is what makes a pattern slow on hostile names: one is as good as many.
	body = body.replace(/(?:\*\*\/)+/g, "**/").replace(/\*{3,}/g, "**");
	const source = translate(body);
	if (source === undefined) return undefined;
	const anywhere = glob.startsWith("/") || body.includes("/") ? "" : "(?:.*/)?";
	try {
		const pattern = new RegExp(`^${anywhere}${source}(?:/.*)?$`, "su");
		return (path) => pattern.test(path);
	} catch {
		return undefined;
	}
}

function translate(glob: string): string | undefined {
	let source = "";
	let braces = 0;
	for (let at = 0; at < glob.length; at++) {
		const character = glob[at] as string;
		if (character === "*") {
			if (glob[at + 1] !== "*") source += "[^/]*";
			else if (glob[at + 2] === "/" && (at === 0 || glob[at - 1] === "/")) {
				source += "(?:.*/)?";
				at += 2;
			} else {
				source += ".*";
				at++;
			}
		} else if (character === "?") source += "[^/]";
		else if (character === "[") {
			const end = glob.indexOf("]", at + 2);
			if (end < 0) return undefined;
			const set = glob.slice(at + 1, end);
			const negated = set.startsWith("!") || set.startsWith("^");
			source += `(?!/)[${negated ? "^" : ""}${set.slice(negated ? 1 : 0).replace(/[\\[\]^&~|]/g, "\\$&")}]`;
			at = end;
		} else if (character === "{") {
			braces++;
			source += "(?:";
		} else if (character === "}" && braces > 0) {
			braces--;
			source += ")";
		} else if (character === "," && braces > 0) source += "|";
		else if (character === "\\" && at + 1 < glob.length)
			source += literal(glob[++at] as string);
		else source += literal(character);
	}
	return braces === 0 ? source : undefined;
}

function literal(character: string): string {
	return /[\^$\\.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

/** Whether any of them fits. */
export function anyOf(globs: readonly Glob[]): Glob {
	if (globs.length === 0) return () => false;
	return (path) => globs.some((glob) => glob(path));
}
