import { type Command, InvalidArgumentError, Option } from "commander";
import {
	examples,
	type Run,
	readAddress,
	readAmountAboveZero,
	readList,
	readModel,
	readMoment,
	readPositive,
} from "./command-line.ts";

/** `dos bakeoff …`: which substrate is good at what, measured. */
export function describeBakeoff(program: Command, run: Run): void {
	const bakeoff = program
		.command("bakeoff")
		.description("measure which substrate is good at what, and route by it");
	bakeoff
		.command("run")
		.description(
			"put a suite of cases to several substrates; run again, it goes on",
		)
		.argument("<suite>", "YAML or JSON file: docs/guides/bakeoff.md")
		.requiredOption(
			"--over <substrates>",
			"vendor/model, with commas between them",
			readList,
		)
		.option("--samples <count>", "answers to each case", readPositive, 3)
		.option(
			"--budget <amount>",
			"most that the whole run may cost",
			readAmountAboveZero,
			100_000_000,
		)
		.option(
			"--judge <model>",
			"vendor/model that judges where a case says so",
			readModel,
		)
		.option("--concurrency <count>", "calls at a time", readPositive, 4)
		.option("--account <id>", "who pays (default: config.yaml, else main)")
		.option(
			"--url <address>",
			"where this home's server is reached (default: where it listens; none: done here)",
			readAddress,
		)
		.option(
			"--new",
			"begin another run, though one of the same is not at its end",
		)
		.option("--answers <file>", "add each answer to this file, as JSON lines")
		.addHelpText(
			"after",
			examples(
				"dos bakeoff run suite.yaml --over openai/gpt-4o-mini,mistral/mistral-small-latest",
				"dos bakeoff run suite.yaml --over a/x,b/y --judge c/z --samples 5 --budget 2usd",
			),
		)
		.action(
			run(async (session, suite, options) =>
				(await import("./commands/bakeoff.ts")).run(session, suite, options),
			),
		);
	bakeoff
		.command("list")
		.description("every run, newest first")
		.addHelpText("after", examples("dos bakeoff list"))
		.action(
			run(async (session) =>
				(await import("./commands/bakeoff.ts")).list(session),
			),
		);
	bakeoff
		.command("report")
		.description(
			"quality, cost per success and latency, and which differences are significant",
		)
		.argument("[run]", "its id, or the beginning of it (default: the newest)")
		.option("--live", "of production calls instead")
		.option(
			"--since <time>",
			"with --live: from this date or time on (UTC), or so long ago",
			readMoment,
		)
		.option(
			"--until <time>",
			"with --live: up to and without this date or time (UTC)",
			readMoment,
		)
		.addOption(
			new Option("--format <format>", "how it is printed")
				.choices(["table", "csv"])
				.default("table"),
		)
		.addHelpText(
			"after",
			examples(
				"dos bakeoff report",
				"dos bakeoff report --live --since 30d",
				"dos bakeoff report --format csv > report.csv",
			),
		)
		.action(
			run(async (session, id, options) =>
				(await import("./commands/bakeoff.ts")).report(session, id, options),
			),
		);
	bakeoff
		.command("propose")
		.description(
			"what a run speaks for, as a change to config.yaml; yours to apply",
		)
		.argument("[run]", "its id, or the beginning of it (default: the newest)")
		.option(
			"--margin <share>",
			"how much worse than the best, 0 to 1, may be chosen for its price",
			readShare,
			0.05,
		)
		.option("--write", "put it into config.yaml")
		.addHelpText(
			"after",
			examples(
				"dos bakeoff propose",
				"dos bakeoff propose --margin 0.02 --write",
			),
		)
		.action(
			run(async (session, id, options) =>
				(await import("./commands/bakeoff.ts")).propose(session, id, options),
			),
		);
}

function readShare(text: string): number {
	const value = /^(0|1|0?\.\d{1,6})$/.test(text) ? Number(text) : -1;
	if (value >= 0) return value;
	throw new InvalidArgumentError("Write a number from 0 to 1, such as 0.05.");
}
