import { findVendors } from "../../../adapters/vendors/registry.ts";
import { formatCredits } from "../../../kernel/money.ts";
import type { PriceSheet } from "../../../ports/price-book.ts";
import { openPrices } from "../../compose.ts";
import type { Session } from "../session.ts";
import { table, wrap } from "../table.ts";

export async function vendors(session: Session): Promise<void> {
	const { config } = session.config();
	const found = findVendors({
		environment: session.environment,
		configured: config.vendors,
	});
	const list = found.map(({ vendor, on, keySource, whyNot }) => ({
		vendor: vendor.id,
		name: vendor.name,
		on,
		...(keySource !== undefined && { key: keySource }),
		...(whyNot !== undefined && { whyNot }),
		protocols: vendor.bases,
	}));
	session.result({ vendors: list }, () => {
		const { style } = session;
		const longest = Math.max(...list.map(({ vendor }) => vendor.length));
		const indent = " ".repeat(longest + 7);
		return list
			.map(({ vendor, on, key, whyNot }) => {
				const state = on ? style.green("on ") : style.dim("off");
				const why = wrap(
					whyNot ?? key ?? "needs no key",
					(session.width ?? Number.POSITIVE_INFINITY) - indent.length,
					indent,
				);
				return `${vendor.padEnd(longest)}  ${state}  ${why}`;
			})
			.join("\n");
	});
}

export async function models(
	session: Session,
	filter: string | undefined,
	options: { readonly all?: boolean },
): Promise<void> {
	const { config } = session.config();
	const found = findVendors({
		environment: session.environment,
		configured: config.vendors,
	});
	const prices = await openPrices(config, found);
	const now = session.now();
	const wanted = (name: string) =>
		filter === undefined || name.toLowerCase().includes(filter.toLowerCase());
	const aliases = Object.entries(config.models)
		.filter(([alias, target]) => wanted(alias) || wanted(target))
		.map(([alias, target]) => {
			const slash = target.indexOf("/");
			return {
				model: alias,
				aliasOf: target,
				...pricesOf(
					prices.find(target.slice(0, slash), target.slice(slash + 1), now),
				),
			};
		});
	const known = found
		.filter(({ on }) => on || options.all)
		.flatMap(({ vendor, on }) =>
			prices
				.models(vendor.id)
				.filter(({ model }) => wanted(`${vendor.id}/${model}`))
				.map(({ model, contextWindow }) => ({
					model: `${vendor.id}/${model}`,
					on,
					...(contextWindow !== undefined && { contextWindow }),
					...pricesOf(prices.find(vendor.id, model, now)),
				})),
		);
	const list = [...aliases, ...known];
	session.result({ priceBook: prices.version, models: list }, () => {
		if (list.length === 0) {
			return `No model${filter === undefined ? "" : ` whose name holds "${filter}"`}.${options.all ? "" : " dos models --all looks at vendors that are off as well; dos vendors says what turns them on."}`;
		}
		const rows = list.map((one) => {
			const { model, input, output } = one;
			const alias = "aliasOf" in one ? one.aliasOf : undefined;
			const context = "contextWindow" in one ? one.contextWindow : undefined;
			return [
				alias === undefined ? model : `${model} = ${alias}`,
				context === undefined ? "" : context.toLocaleString("en"),
				input === undefined ? "unknown" : formatCredits(input),
				output === undefined
					? input === undefined
						? "unknown"
						: ""
					: formatCredits(output),
			];
		});
		return `${table(
			[
				{ title: "model", shrink: 20 },
				{ title: "context", align: "right" },
				{ title: "in", align: "right" },
				{ title: "out", align: "right" },
			],
			rows,
			session.width,
		)}\n\nin, out: credits per million tokens (100 credits = 1 USD).`;
	});
}

/** Micro-credits per million tokens; nothing where no price is known. */
function pricesOf(sheet: PriceSheet | undefined): {
	readonly input?: number;
	readonly output?: number;
	readonly sheet?: string;
} {
	if (!sheet) return {};
	const input = sheet.rates.input?.[0]?.price;
	const output = sheet.rates.output?.[0]?.price;
	return {
		...(input !== undefined && { input }),
		...(output !== undefined && { output }),
		sheet: sheet.id,
	};
}
