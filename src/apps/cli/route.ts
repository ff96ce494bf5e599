import { type Command, InvalidArgumentError, Option } from "commander";
import {
	examples,
	type Run,
	readCount,
	readDuration,
	readMoment,
	readPositive,
} from "./command-line.ts";

/** `dos route …`: the policy in force, and why calls go where they go. */
export function describeRoute(program: Command, run: Run): void {
	const route = program
		.command("route")
		.description("where calls go, and why; what of that is in force");
	route
		.command("try")
		.description("decide as a call would be decided now; nothing is called")
		.requiredOption(
			"-m, --model <name>",
			"auto, an alias, a model's name, or vendor/model",
		)
		.option(
			"--need <name=value>",
			"a need, as in the header x-dos-needs; may be given several times",
			collect,
			[],
		)
		.option("--account <id>", "whose call (default: config.yaml, else main)")
		.option("--key <key>", "a key's id or name: its rights and profile apply")
		.option("--tag <name>", "a tag; may be given several times", collect, [])
		.option(
			"--at <time>",
			"under the postures in force at this date or time (UTC), or so long ago",
			readMoment,
		)
		.option("--tools <count>", "tools that the model may call", readCount, 0)
		.option(
			"--step <count>",
			"model turns since the user spoke; from 1 on, a tool has answered",
			readCount,
			0,
		)
		.option("--images <count>", "images in the request", readCount, 0)
		.option("--documents <count>", "documents in the request", readCount, 0)
		.option("--input-tokens <count>", "its length", readCount, 1000)
		.option("--max-tokens <count>", "limit of the answer", readPositive)
		.option("--schema", "an answer to a JSON schema is asked for")
		.option("--stream", "a stream is asked for")
		.addOption(
			new Option("--reasoning <how>", "reasoning asked for").choices([
				"none",
				"some",
				"much",
			]),
		)
		.addOption(
			new Option("--means <kind>", "what is asked for").choices([
				"generate",
				"embed",
				"image",
				"speech",
				"transcription",
			]),
		)
		.addHelpText(
			"after",
			examples(
				"dos route try --model auto --tools 4",
				"dos route try -m auto --need sovereignty=eu-processed --need call-type=extract",
				"dos route try -m smart --tag federal --at 2026-11-12",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/route.ts")).tryRoute(session, options),
			),
		);
	route
		.command("explain")
		.description("why a call went where it went, out of the log")
		.argument("<call>", "the call's id, from the statement or x-dos-call-id")
		.addHelpText("after", examples("dos route explain 01jx…"))
		.action(
			run(async (session, call) =>
				(await import("./commands/route.ts")).explainRoute(session, call),
			),
		);
	route
		.command("apply")
		.description(
			"put in force, everywhere, what config.yaml says under routing:",
		)
		.option("--dry-run", "show what would change, and record nothing")
		.option("--force", "also with mistakes: what they are about stops calls")
		.addHelpText(
			"after",
			examples("dos route apply --dry-run", "dos route apply"),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/route.ts")).apply(session, options),
			),
		);
	route
		.command("profile")
		.description("show or set what a key or an account brings to every call")
		.addHelpText(
			"after",
			examples(
				"dos route profile key laptop",
				"dos route profile key laptop --need sovereignty=eu-processed --tag federal",
				"dos route profile account main --cache 10m",
				"dos route profile key laptop --clear",
			),
		)
		.argument("<of>", "key or account", readHolder)
		.argument("<id>", "its id; of a key also its name")
		.option(
			"--need <name=value>",
			"a need, as in the header x-dos-needs; may be given several times",
			collect,
			[],
		)
		.option("--tag <name>", "a tag; may be given several times", collect, [])
		.option(
			"--cache <duration>",
			'answers may be used again for so long, such as "10m"',
			readDuration,
		)
		.option("--no-shadow", "no call of it is sent to a second model as well")
		.option("--clear", "take all of it back")
		.action(
			run(async (session, of, id, options) =>
				(await import("./commands/route.ts")).profile(session, of, id, options),
			),
		);
}

/** `dos audit …`, as far as it is about routes. */
export function describeRouteAudits(audit: Command, run: Run): void {
	audit
		.command("replay")
		.description(
			"run every recorded decision again; each must come to the same answer",
		)
		.option(
			"--since <time>",
			"from this date or time on (UTC), or as far back as a duration",
			readMoment,
		)
		.addHelpText(
			"after",
			examples("dos audit replay", "dos audit replay --since 30d"),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/route-audit.ts")).replayRoutes(
					session,
					options,
				),
			),
		);
	audit
		.command("report")
		.description(
			"for an auditor: the calls that a posture or class bound, with proofs",
		)
		.option("--posture <id>", "those that this posture bound")
		.option("--class <name>", "those that this sovereignty class bound")
		.requiredOption("--month <month>", 'such as "2026-11" (UTC)', readMonth)
		.addOption(
			new Option("--format <format>", "as rows, or as a page to print")
				.choices(["csv", "html"])
				.default("csv"),
		)
		.option(
			"--out <file>",
			"a file that does not exist yet; without it, standard output",
		)
		.addHelpText(
			"after",
			examples(
				"dos audit report --posture federal --month 2026-11 > federal.csv",
				"dos audit report --class eu-processed --month 2026-11 --format html --out eu.html",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/route-report.ts")).report(session, options),
			),
		);
}

function collect(text: string, before: readonly string[]): readonly string[] {
	return [...before, text];
}

function readHolder(text: string): "key" | "account" {
	if (text === "key" || text === "account") return text;
	throw new InvalidArgumentError('Write "key" or "account".');
}

/** The first instant of a month and of the next, UTC. */
function readMonth(text: string): {
	readonly month: string;
	readonly from: number;
	readonly to: number;
} {
	const match = /^(\d{4})-(0[1-9]|1[0-2])$/.exec(text);
	if (!match)
		throw new InvalidArgumentError('Write a month such as "2026-11".');
	const [year, month] = [Number(match[1]), Number(match[2])];
	return {
		month: text,
		from: Date.UTC(year, month - 1),
		to: Date.UTC(year, month),
	};
}
