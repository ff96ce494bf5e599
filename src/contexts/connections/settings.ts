import { accept, type Outcome, refuse } from "../../kernel/outcome.ts";
import type { Setting, TextFormat } from "../../ports/harness-config.ts";
import { dotenvText } from "./dotenv-text.ts";
import { jsonText } from "./json-text.ts";
import { type TextEditor, Unclear } from "./text-editor.ts";
import { tomlText } from "./toml-text.ts";

/** One value that was set in a text, with all that undoing it takes. */
export interface Change {
	readonly path: readonly string[];
	/** As it is written now, and as it was; null where there was none. */
	readonly written: string;
	readonly before: string | null;
	/** How many containers were made around it. */
	readonly made: number;
}

const editors: Readonly<Record<TextFormat, TextEditor>> = {
	json: jsonText,
	toml: tomlText,
	dotenv: dotenvText,
};

/**
 * Sets values in a text and leaves everything else in it as it is. Refuses with `connection/file-unclear` where
 * the text cannot be read, or says the same in a form that is not changed here.
 */
export function applySettings(
	format: TextFormat,
	text: string,
	settings: readonly Setting[],
): Outcome<{ readonly text: string; readonly changes: readonly Change[] }> {
	return reading(() => {
		const editor = editors[format];
		const changes: Change[] = [];
		let edited = text;
		for (const { path, value, ifAbsent } of settings) {
			const before = editor.find(edited, path) ?? null;
			if (ifAbsent && before !== null) continue;
			const written = editor.write(value);
			const set = editor.set(edited, path, written);
			changes.push({ path, written, before, made: set.made });
			edited = set.text;
		}
		return { text: edited, changes };
	});
}

/**
 * Takes back what was set, and only that. A value that somebody changed since stays, and is named in `kept`; one
 * that somebody removed stays away. Refuses as `applySettings`.
 */
export function undoSettings(
	format: TextFormat,
	text: string,
	changes: readonly Change[],
): Outcome<{
	readonly text: string;
	readonly kept: readonly (readonly string[])[];
}> {
	return reading(() => {
		const editor = editors[format];
		const kept: (readonly string[])[] = [];
		let left = text;
		for (const { path, written, before, made } of changes.toReversed()) {
			const now = editor.find(left, path);
			if (now === undefined) continue;
			if (now !== written) kept.unshift(path);
			else if (before === null) left = editor.remove(left, path, made);
			else left = editor.set(left, path, before).text;
		}
		return { text: left, kept };
	});
}

/** The text that stands at a path; undefined where none does, or where the whole cannot be read. */
export function readSetting(
	format: TextFormat,
	text: string,
	path: readonly string[],
): string | undefined {
	const read = reading(() => {
		const written = editors[format].find(text, path);
		return written === undefined ? undefined : editors[format].read(written);
	});
	return read.ok ? read.value : undefined;
}

function reading<T>(work: () => T): Outcome<T> {
	try {
		return accept(work());
	} catch (thrown) {
		if (!(thrown instanceof Unclear)) throw thrown;
		return refuse(
			"connection/file-unclear",
			`line ${thrown.line}: ${thrown.message}`,
			{ line: thrown.line },
		);
	}
}
