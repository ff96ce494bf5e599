import { Command, CommanderError } from "commander";
import { type Environment, findHome } from "../home.ts";
import { describeBakeoff } from "./bakeoff.ts";
import { describeCatalog } from "./catalog.ts";
import {
	caps,
	examples,
	idempotencyKey,
	type Run,
	readAddress,
	readAmount,
	readAmountAboveZero,
	readCount,
	readDuration,
	readList,
	readModel,
	readMoment,
	readPort,
	readPosition,
	readPositive,
} from "./command-line.ts";
import { exitCodes, explain, usage } from "./errors.ts";
import { describeRoute, describeRouteAudits } from "./route.ts";
import { openSession, type Streams } from "./session.ts";
import { openStyle, wantsColor } from "./style.ts";

/** Runs one command line and returns the exit code. Never throws, never exits. */
export async function runCli(
	words: readonly string[],
	outside: {
		readonly version: string;
		readonly environment: Environment;
		readonly streams: Streams;
	},
): Promise<number> {
	const { environment, streams } = outside;
	// Looked up before parsing, as a command line that cannot be parsed is answered too.
	const json = words
		.slice(0, words.includes("--") ? words.indexOf("--") : undefined)
		.includes("--json");
	// A reader that has seen enough (`dos … | head`) ends us without a word.
	for (const stream of [streams.out, streams.error]) {
		stream.on("error", (fault: NodeJS.ErrnoException) => {
			if (fault.code !== "EPIPE") throw fault;
		});
	}
	let exitCode: number = exitCodes.ok;
	const program = new Command("dos")
		.version(outside.version, "-V, --version", "print the version")
		.configureOutput({
			writeOut: (text) => streams.out.write(text),
			// Help that nobody asked for, as a command is missing: after `dos` alone it is the answer.
			writeErr: (text) =>
				(words.length === 0 ? streams.out : streams.error).write(
					json && words.length > 0 ? "" : text,
				),
			outputError: () => {},
			getOutHelpWidth: () => Math.min(streams.out.columns || 80, 100),
		});
	describe(program, (action) => async (...args: unknown[]) => {
		const command = args.pop() as Command;
		const flags = command.optsWithGlobals<{ home?: string; color?: boolean }>();
		const session = openSession({
			home: findHome(environment, flags.home),
			environment,
			version: outside.version,
			json,
			streams,
			color: {
				out: wantsColor(streams.out.isTTY === true, environment, flags.color),
				error: wantsColor(
					streams.error.isTTY === true,
					environment,
					flags.color,
				),
			},
		});
		exitCode = (await action(session, ...args)) ?? exitCodes.ok;
	});
	try {
		await program.parseAsync(asHelp(program, words), { from: "user" });
		return exitCode;
	} catch (thrown) {
		if (
			thrown instanceof CommanderError &&
			(thrown.exitCode === 0 || words.length === 0)
		)
			return exitCodes.ok;
		const { error, exitCode: code } = explain(
			thrown instanceof CommanderError ? asUsage(thrown) : thrown,
		);
		const style = openStyle(
			wantsColor(streams.error.isTTY === true, environment, undefined),
		);
		streams.error.write(
			json
				? `${JSON.stringify({ error }, undefined, 2)}\n`
				: `${style.red("error:")} ${error.message}${error.code === "cli/usage" ? "" : style.dim(` (${error.code})`)}\n`,
		);
		if (environment.DOS_DEBUG) streams.error.write(`${traceOf(thrown)}\n`);
		return code;
	}
}

/** `help key create` is `key create --help`: the parser's own help knows only the first word. */
function asHelp(program: Command, words: readonly string[]): string[] {
	if (words[0] !== "help") return [...words];
	const named = words.slice(1);
	let command = program;
	for (const word of named) {
		if (word.startsWith("-") || command.commands.length === 0) continue;
		const next = command.commands.find((one) => one.name() === word);
		if (!next) return named; // refused as the unknown command it is
		command = next;
	}
	return [...named, "--help"];
}

/** Every command with its options and help; what it does is loaded when it is asked for. */
function describe(program: Command, run: Run): void {
	program
		.description("One metered, provable endpoint in front of every model.")
		.option("--home <folder>", "home folder (default: DOS_HOME, else ~/.dos)")
		.option("--json", "print one JSON document instead of text")
		.option("--color", "colour even where there is no terminal")
		.option("--no-color", "no colour")
		.helpOption("-h, --help", "print this help")
		.helpCommand("help [command]", "print the help of a command")
		.configureHelp({ showGlobalOptions: true, sortSubcommands: false })
		.showSuggestionAfterError()
		.exitOverride()
		.addHelpText("after", generalHelp);

	program
		.command("start")
		.description("start the server; an empty home is set up first")
		.option(
			"--host <address>",
			"address to listen on (default: config.yaml, else 127.0.0.1)",
		)
		.option(
			"--port <number>",
			"port, 0 for a free one (default: config.yaml, else 4141)",
			readPort,
		)
		.option("--insecure", "accept listening beyond this machine without TLS")
		.option(
			"--replica",
			"one of several on a database: sets nothing up, drains before it ends",
		)
		.addHelpText(
			"after",
			examples(
				"dos start",
				"dos start --port 8080",
				"DOS_HOME=/srv/dos dos start",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/start.ts")).start(session, options),
			),
		);

	program
		.command("init")
		.description(
			"set up a home: settings, an account, a key shown once, first credits",
		)
		.option(
			"--grant <amount>",
			"first credits; 100 credits are 1 USD",
			readAmount,
			1_000_000_000,
		)
		.addHelpText(
			"after",
			examples("dos init", "dos init --grant 5usd", "dos init --home /srv/dos"),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/init.ts")).init(session, options),
			),
		);

	const key = program.command("key").description("keys that clients call with");
	caps(
		key
			.command("create")
			.description("make a key; its text is shown this once")
			.option("--name <text>", "what it is for", "unnamed")
			.option("--account <id>", "who pays (default: config.yaml, else main)")
			.option(
				"--models <patterns>",
				'models it may use, with commas; "*" stands for anything',
				readList,
			)
			.option(
				"--read-only",
				"may read its account and receipts, not call models",
			)
			.option(
				"--expires <duration>",
				'stops working after this time, such as "30d"',
				readDuration,
			),
	)
		.addOption(idempotencyKey())
		.addHelpText(
			"after",
			examples(
				"dos key create --name laptop",
				"dos key create --name ci --cap-day 50 --cap-request 2 --expires 30d",
				'dos key create --name notes --models "openai/gpt-4o*,fast"',
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/key.ts")).create(session, options),
			),
		);
	key
		.command("list")
		.description("every key with what it spent and may still spend")
		.option("--account <id>", "of this account only")
		.option("--all", "revoked and expired ones as well")
		.addHelpText("after", examples("dos key list", "dos key list --all --json"))
		.action(
			run(async (session, options) =>
				(await import("./commands/key.ts")).list(session, options),
			),
		);
	key
		.command("rotate")
		.description(
			"give a key a new text; the old one works until the grace is over",
		)
		.argument("<key>", "its id or name")
		.option(
			"--grace <duration>",
			"how long the old text still works",
			readDuration,
			0,
		)
		.addOption(idempotencyKey())
		.addHelpText(
			"after",
			examples("dos key rotate laptop", "dos key rotate laptop --grace 1h"),
		)
		.action(
			run(async (session, id, options) =>
				(await import("./commands/key.ts")).rotate(session, id, options),
			),
		);
	key
		.command("revoke")
		.description("end a key at once and for ever")
		.argument("<key>", "its id or name")
		.option("--reason <text>", "why, for the record")
		.addHelpText("after", examples('dos key revoke laptop --reason "stolen"'))
		.action(
			run(async (session, id, options) =>
				(await import("./commands/key.ts")).revoke(session, id, options),
			),
		);
	caps(
		key
			.command("caps")
			.description("show or change what a key may spend")
			.argument("<key>", "its id or name"),
	)
		.addHelpText(
			"after",
			examples(
				"dos key caps laptop",
				"dos key caps laptop --cap-day 100 --cap-total none",
			),
		)
		.action(
			run(async (session, id, options) =>
				(await import("./commands/key.ts")).setCaps(session, id, options),
			),
		);

	const account = program
		.command("account")
		.description("who pays: an account has keys, credits and caps of its own");
	account
		.command("open")
		.description("open an account, without credits")
		.argument("<id>", "letters, digits, - and _; what keys and grants name")
		.option("--name <text>", "for people (default: the id)")
		.addOption(idempotencyKey())
		.addHelpText(
			"after",
			examples(
				"dos account open lab",
				'dos account open team-a --name "Team A"',
			),
		)
		.action(
			run(async (session, id, options) =>
				(await import("./commands/account.ts")).open(session, id, options),
			),
		);
	account
		.command("models")
		.description("show or set which models an account may use, with any key")
		.argument("<id>", "the account")
		.argument(
			"[patterns]",
			'models, substrates and aliases, with commas; "*" stands for anything',
			readList,
		)
		.option("--clear", "it may use all of them again")
		.addHelpText(
			"after",
			examples(
				"dos account models lab",
				'dos account models lab "openai/gpt-4o*,fast"',
				"dos account models lab --clear",
			),
		)
		.action(
			run(async (session, id, patterns, options) =>
				(await import("./commands/account.ts")).models(
					session,
					id,
					patterns,
					options,
				),
			),
		);
	account
		.command("list")
		.description("every account with its keys, credits, holds and spending")
		.addHelpText("after", examples("dos account list"))
		.action(
			run(async (session) =>
				(await import("./commands/account.ts")).list(session),
			),
		);

	const credits = program
		.command("credits")
		.description("balance, grants, statement and refunds of an account");
	credits
		.command("grant")
		.description("give an account credits; 100 credits are 1 USD")
		.argument(
			"<amount>",
			'credits such as "250" or "0.5", or dollars such as "10usd"',
			readAmountAboveZero,
		)
		.option("--account <id>", "who gets them (default: config.yaml, else main)")
		.option("--note <text>", "stands on the statement")
		.addOption(idempotencyKey())
		.addHelpText(
			"after",
			examples(
				"dos credits grant 1000",
				'dos credits grant 10usd --note "June" --idempotency-key june',
			),
		)
		.action(
			run(async (session, amount, options) =>
				(await import("./commands/credits.ts")).grant(session, amount, options),
			),
		);
	credits
		.command("balance")
		.description(
			"what is there, what calls in flight hold, and what caps leave",
		)
		.option(
			"--account <id>",
			"of this account (default: config.yaml, else main)",
		)
		.addHelpText(
			"after",
			examples("dos credits balance", "dos credits balance --json"),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/credits.ts")).balance(session, options),
			),
		);
	credits
		.command("statement")
		.description("every grant, call and refund with the balance after it")
		.option(
			"--account <id>",
			"of this account (default: config.yaml, else main)",
		)
		.option(
			"--since <time>",
			"from this date or time on (UTC), or as far back as a duration",
			readMoment,
		)
		.option(
			"--until <time>",
			"up to and without this date or time (UTC)",
			readMoment,
		)
		.option(
			"--limit <count>",
			"the newest so many; 0 for all (default: 30, with --csv all)",
			readCount,
		)
		.option("--csv", "as CSV (RFC 4180)")
		.addHelpText(
			"after",
			examples(
				"dos credits statement",
				"dos credits statement --since 7d",
				"dos credits statement --since 2026-06-01 --until 2026-07-01 --csv > june.csv",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/statement.ts")).statement(session, options),
			),
		);
	credits
		.command("refund")
		.description("give back what a call was charged, or part of it")
		.argument("<call>", "the call's id, from the statement or x-dos-call-id")
		.requiredOption("--reason <text>", "why, for the record")
		.option(
			"--amount <amount>",
			"part of the charge (default: all that is left of it)",
			readAmountAboveZero,
		)
		.addOption(idempotencyKey())
		.addHelpText(
			"after",
			examples('dos credits refund 01jx… --reason "empty answer"'),
		)
		.action(
			run(async (session, call, options) =>
				(await import("./commands/credits.ts")).refund(session, call, options),
			),
		);
	caps(
		credits
			.command("caps")
			.description("show or change what a whole account may spend")
			.option(
				"--account <id>",
				"of this account (default: config.yaml, else main)",
			),
	)
		.addHelpText(
			"after",
			examples("dos credits caps", "dos credits caps --cap-month 20usd"),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/credits.ts")).setCaps(session, options),
			),
		);

	program
		.command("quote")
		.description("what a call would cost, at most; nothing is sent or charged")
		.argument("[text...]", "the prompt; without it, standard input")
		.requiredOption(
			"-m, --model <name>",
			"vendor/model, a model's name, or an alias of yours",
		)
		.option("--system <text>", "instructions ahead of the prompt")
		.option("--max-tokens <count>", "limit of the answer", readPositive)
		.option("--key <key>", "whose caps and balance apply (default: DOS_KEY)")
		.addHelpText(
			"after",
			examples(
				'dos quote -m openai/gpt-4o-mini "Hello"',
				"dos quote -m fast < letter.txt",
			),
		)
		.action(
			run(async (session, text, options) =>
				(await import("./commands/call.ts")).quote(session, text, options),
			),
		);
	program
		.command("call")
		.description(
			"call a model from here: the answer as it comes, then its cost",
		)
		.argument("[text...]", "the prompt; without it, standard input")
		.requiredOption(
			"-m, --model <name>",
			"vendor/model, a model's name, or an alias of yours",
		)
		.option("--system <text>", "instructions ahead of the prompt")
		.option("--max-tokens <count>", "limit of the answer", readPositive)
		.option("--no-stream", "print the answer when it is whole")
		.option(
			"--key <key>",
			"key to call with (default: DOS_KEY; without one, the operator pays)",
		)
		.addOption(idempotencyKey())
		.addHelpText(
			"after",
			examples(
				'dos call -m openai/gpt-4o-mini "Say hello"',
				"git diff | dos call -m fast --system 'Review this.'",
			),
		)
		.action(
			run(async (session, text, options) =>
				(await import("./commands/call.ts")).call(session, text, options),
			),
		);

	program
		.command("connect")
		.description("make a tool use this gateway, with a key of its own")
		.argument(
			"[tool]",
			"claude-code, codex, gemini-cli, opencode, cursor, or env for others",
		)
		.option("--list", "what is connected, and whether a real call works")
		.option("--print", "print what belongs in its files; write nothing there")
		.option("--project", "for the project in this folder alone")
		.option(
			"-m, --model <name>",
			"what it shall ask for: vendor/model, or an alias of yours",
			readModel,
		)
		.option("--account <id>", "who pays (default: config.yaml, else main)")
		.option(
			"--url <address>",
			"where it reaches the gateway (default: where that listens)",
			readAddress,
		)
		.option("--new-key", "give its key a new text; the old one ends")
		.addHelpText(
			"after",
			examples(
				"dos connect claude-code",
				"dos connect codex --model openai/gpt-5.6",
				"dos connect opencode --project --model fast",
				'eval "$(dos connect env)"',
				"dos connect --list",
			),
		)
		.action(
			run(async (session, tool, options) =>
				(await import("./commands/connect.ts")).connect(session, tool, options),
			),
		);
	program
		.command("disconnect")
		.description("put a tool's files back as they were, and end its key")
		.argument("<tool>", "as it was connected")
		.option("--project", "for the project in this folder alone")
		.addHelpText(
			"after",
			examples("dos disconnect codex", "dos disconnect opencode --project"),
		)
		.action(
			run(async (session, tool, options) =>
				(await import("./commands/connect.ts")).disconnect(
					session,
					tool,
					options,
				),
			),
		);

	program
		.command("vendors")
		.description("which vendors are on, and why the others are not")
		.addHelpText("after", examples("dos vendors", "dos vendors --json"))
		.action(
			run(async (session) =>
				(await import("./commands/vendors.ts")).vendors(session),
			),
		);
	program
		.command("models")
		.description("models of the vendors that are on, with prices")
		.argument("[filter]", "only names that hold this text")
		.option("--all", "of all vendors, on or not")
		.addHelpText(
			"after",
			examples("dos models", "dos models sonnet", "dos models --all --json"),
		)
		.action(
			run(async (session, filter, options) =>
				(await import("./commands/vendors.ts")).models(
					session,
					filter,
					options,
				),
			),
		);

	describeRoute(program, run);
	describeCatalog(program, run);
	describeBakeoff(program, run);

	const audit = program.command("audit").description("prove what happened");
	audit
		.command("verify")
		.description(
			"check every event and checkpoint; finds and names what was altered",
		)
		.option(
			"--checkpoint <files...>",
			"checkpoints that you kept elsewhere, besides those in the home",
		)
		.option("--trust <keys...>", "verifier keys of others who signed them")
		.addHelpText(
			"after",
			examples(
				"dos audit verify",
				"dos audit verify --checkpoint ~/safe/june.txt",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/audit.ts")).verify(session, options),
			),
		);
	audit
		.command("checkpoint")
		.description(
			"sign the log as it is now; with a copy elsewhere, nobody rewrites it unnoticed",
		)
		.addHelpText(
			"after",
			examples(
				"dos audit checkpoint",
				"dos audit checkpoint > /mnt/safe/june.txt",
			),
		)
		.action(
			run(async (session) =>
				(await import("./commands/audit.ts")).checkpoint(session),
			),
		);
	audit
		.command("prove")
		.description("prove to anybody that a call's receipt stands in the log")
		.argument("<receipt>", "the call's id")
		.addHelpText(
			"after",
			examples(
				"dos audit prove 01jx…",
				"dos audit prove 01jx… --json > proof.json",
			),
		)
		.action(
			run(async (session, call) =>
				(await import("./commands/audit.ts")).prove(session, call),
			),
		);
	audit
		.command("check")
		.description("check a proof that somebody handed you; needs no home")
		.argument("<proof>", 'the file; "-" for standard input')
		.requiredOption("--trust <keys...>", "verifier keys of those you believe")
		.addHelpText(
			"after",
			examples("dos audit check proof.json --trust duranteos+5f1e…+AY…"),
		)
		.action(
			run(async (session, file, options) =>
				(await import("./commands/audit.ts")).check(session, file, options),
			),
		);

	describeRouteAudits(audit, run);

	program
		.command("export")
		.description(
			"write the whole log as open JSON lines with a signed checkpoint",
		)
		.argument(
			"[file]",
			"a file that does not exist yet; without it, standard output",
		)
		.addHelpText(
			"after",
			examples("dos export dos.jsonl", "dos export | gzip > dos.jsonl.gz"),
		)
		.action(
			run(async (session, file) =>
				(await import("./commands/transfer.ts")).exportLog(session, file),
			),
		);
	program
		.command("import")
		.description("read an export into an empty home")
		.argument("<file>", 'the export; "-" for standard input')
		.option("--trust <keys...>", "only if signed by one of these verifier keys")
		.addHelpText("after", examples("dos import dos.jsonl --home ~/other"))
		.action(
			run(async (session, file, options) =>
				(await import("./commands/transfer.ts")).importLog(
					session,
					file,
					options,
				),
			),
		);

	program
		.command("backup")
		.description(
			"write the log into a folder, only what is new the next time; while all runs",
		)
		.argument("<folder>", "made where there is none")
		.addHelpText(
			"after",
			examples("dos backup /mnt/safe/dos", "dos backup /mnt/safe/dos --json"),
		)
		.action(
			run(async (session, folder) =>
				(await import("./commands/backup.ts")).backup(session, folder),
			),
		);
	program
		.command("restore")
		.description("read a backup into an empty home or database")
		.argument("<folder>", "as dos backup wrote it")
		.option(
			"--to-position <count>",
			"only the log's first so many events",
			readPosition,
		)
		.option(
			"--to-time <time>",
			"only what was there at this date or time (UTC), or so long ago",
			readMoment,
		)
		.option("--check", "read and verify all of it, and write nothing")
		.option("--trust <keys...>", "only if signed by one of these verifier keys")
		.addHelpText(
			"after",
			examples(
				"dos restore /mnt/safe/dos --home ~/restored",
				"dos restore /mnt/safe/dos --check",
				'dos restore /mnt/safe/dos --to-time "2026-06-01 14:30" --home ~/before',
			),
		)
		.action(
			run(async (session, folder, options) =>
				(await import("./commands/restore.ts")).restore(
					session,
					folder,
					options,
				),
			),
		);
	program
		.command("migrate")
		.description("copy the log to another storage, and prove it the same there")
		.requiredOption(
			"--to <place>",
			"postgres://…, sqlite:<file>, or env:<variable> that holds one",
		)
		.option(
			"--trust <keys...>",
			"verifier keys of others who signed checkpoints",
		)
		.addHelpText(
			"after",
			examples(
				"dos migrate --to env:DOS_TARGET",
				"dos migrate --to sqlite:/srv/dos/dos.db",
			),
		)
		.action(
			run(async (session, options) =>
				(await import("./commands/migrate.ts")).migrate(session, options),
			),
		);

	program
		.command("doctor")
		.description("what is wrong here, and how to mend it")
		.addHelpText("after", examples("dos doctor", "dos doctor --json"))
		.action(
			run(async (session) =>
				(await import("./commands/doctor.ts")).doctor(session),
			),
		);
	// For the list alone: main.ts hands these words to a program of their own.
	program
		.command("sync-check")
		.description("prove that copies of a file agree, and mend them")
		.helpOption(false);
}

const generalHelp = `
First steps:
  $ dos start                           sets all up, prints a key, serves
  $ dos call -m loopback/loopback hi    a first call, without any vendor
  $ dos doctor                          what is missing

Amounts are credits (100 credits = 1 USD); "5usd" works too.

Exit codes:
  0  done
  1  refused by a rule, or a check found something wrong
  2  the command line or config.yaml is not as it must be
  3  disk, network or a vendor failed
  130  interrupted (Ctrl-C)

Guides: docs/guides/cli.md, docs/guides/configuration.md`;

function asUsage(thrown: CommanderError): Error {
	if (thrown.code === "commander.help")
		return usage("A command is missing: see above.");
	const message = thrown.message
		.replace(/^error: /, "")
		.replace(/\n(?=\()/, " ")
		.replace(
			/^command-argument value ('.*') is invalid for argument '(.*)'\./,
			"$1 is no <$2>.",
		)
		.replace(
			/^option '(.*)' argument ('.*') is invalid\./,
			"$2 does not fit $1.",
		);
	return usage(
		`${message.charAt(0).toUpperCase()}${message.slice(1)}${/[.)]$/.test(message) ? "" : "."} --help shows how it is used.`,
	);
}

function traceOf(thrown: unknown): string {
	if (!(thrown instanceof Error)) return String(thrown);
	return `${thrown.stack}${thrown.cause === undefined ? "" : `\ncaused by: ${traceOf(thrown.cause)}`}`;
}
