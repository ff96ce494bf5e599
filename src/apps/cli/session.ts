import { type LoadedConfig, loadConfig } from "../config.ts";
import type { Environment, Home } from "../home.ts";
import { openProgress, type Progress } from "./progress.ts";
import { openStyle, type Style } from "./style.ts";

/** Where a program writes and reads: the process's own streams, or a test's. */
export interface Streams {
	readonly out: NodeJS.WriteStream;
	readonly error: NodeJS.WriteStream;
	readonly in: NodeJS.ReadStream;
}

/** One run of one command: what it may know of the outside, and how it speaks. */
export interface Session {
	readonly home: Home;
	readonly environment: Environment;
	/** Of this program. */
	readonly version: string;
	readonly json: boolean;
	readonly streams: Streams;
	/** For standard output, and for standard error. */
	readonly style: Style;
	readonly errorStyle: Style;
	/** Columns of the screen; undefined where no screen cuts lines off. */
	readonly width: number | undefined;
	now(): number;
	/** The settings, read once; warnings about them go to standard error. */
	config(): LoadedConfig;
	/** The command's answer, on standard output: the document with `--json`, else the text. */
	result(document: unknown, text: () => string): void;
	/** Text on standard output as it is. Resolves when there is room for more. */
	write(text: string): Promise<void>;
	/** A word to the person, on standard error; with `--json`, where programs read, none. */
	note(text: string): void;
	progress(label: string): Progress;
}

export function openSession(options: {
	readonly home: Home;
	readonly environment: Environment;
	readonly version: string;
	readonly json: boolean;
	readonly streams: Streams;
	readonly color: { readonly out: boolean; readonly error: boolean };
}): Session {
	const { home, environment, version, json, streams } = options;
	const style = openStyle(options.color.out);
	const errorStyle = openStyle(options.color.error);
	let loaded: LoadedConfig | undefined;

	const session: Session = {
		home,
		environment,
		version,
		json,
		streams,
		style,
		errorStyle,
		width: streams.out.isTTY
			? Math.max(40, streams.out.columns || 80)
			: undefined,
		now: () => Date.now(),
		config() {
			if (loaded) return loaded;
			loaded = loadConfig(home, environment);
			for (const warning of loaded.warnings)
				session.note(`${errorStyle.yellow("warning:")} ${warning}`);
			return loaded;
		},
		result(document, text) {
			streams.out.write(
				`${json ? JSON.stringify(document, undefined, 2) : text()}\n`,
			);
		},
		write(text) {
			if (streams.out.write(text)) return Promise.resolve();
			return new Promise((resolve) => {
				const go = () => {
					streams.out.off("drain", go).off("close", go);
					resolve();
				};
				streams.out.on("drain", go).on("close", go);
			});
		},
		note(text) {
			if (!json) streams.error.write(`${text}\n`);
		},
		progress: (label) =>
			openProgress({
				label,
				write: (text) => streams.error.write(text),
				shown: streams.error.isTTY && !json,
				now: Date.now,
			}),
	};
	return session;
}
