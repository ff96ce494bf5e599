import { type Command, Option } from "commander";
import { examples, type Run } from "./command-line.ts";

/** `dos catalog …`: what is known of the substrates. */
export function describeCatalog(program: Command, run: Run): void {
	const catalog = program
		.command("catalog")
		.description("what is known of every substrate, and by whom");
	catalog
		.command("list")
		.description("every substrate that the router may choose")
		.option("--vendor <id>", "of this vendor")
		.option("--model <text>", "whose name holds this text")
		.option("--class <name>", "that keep this sovereignty class")
		.option("--unknown", "that lack facts, and so never take part")
		.addHelpText(
			"after",
			examples(
				"dos catalog list",
				"dos catalog list --class eu-processed",
				"dos catalog list --vendor mistral --json",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/catalog.ts")).list(session, options),
			),
		);
	catalog
		.command("show")
		.description("every fact of one substrate, who says it and since when")
		.argument("<substrate>", "vendor/model")
		.addHelpText("after", examples("dos catalog show openai/gpt-5.6-luna"))
		.action(
			run(async (session, id) =>
				(await import("./commands/catalog.ts")).show(session, id),
			),
		);
	catalog
		.command("diff")
		.description("what changed from one recorded catalogue to another")
		.argument("[from]", "a version (default: the one recorded last)")
		.argument("[to]", "a version (default: as it is now)")
		.option("--versions", "list the versions that were recorded")
		.addHelpText(
			"after",
			examples(
				"dos catalog diff",
				"dos catalog diff --versions",
				"dos catalog diff c-0f1e2d3c4b5a69 c-1a2b3c4d5e6f70",
			),
		)
		.action(
			run(async (session, from, to, options) =>
				(await import("./commands/catalog.ts")).diff(
					session,
					from,
					to,
					options,
				),
			),
		);
	catalog
		.command("check")
		.description("what is missing, gone or idle in it")
		.addHelpText("after", examples("dos catalog check"))
		.action(
			run(async (session) =>
				(await import("./commands/catalog.ts")).check(session),
			),
		);
	catalog
		.command("refresh")
		.description(
			"facts from the price package, or a file, as a section for config.yaml",
		)
		.addOption(
			new Option(
				"--from <file>",
				'a catalogue: section in YAML or JSON; "-" for standard input',
			),
		)
		.option(
			"--out <file>",
			"write the section to a file that does not exist yet",
		)
		.addHelpText(
			"after",
			examples(
				"dos catalog refresh",
				"dos catalog refresh --from facts.yaml",
				"dos catalog refresh --from facts.yaml --out catalogue.yaml",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/catalog.ts")).refresh(session, options),
			),
		);
}
