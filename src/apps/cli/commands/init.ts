import type { MicroCredits } from "../../../kernel/money.ts";
import { withLedger } from "../../ledger.ts";
import { amountText } from "../amounts.ts";
import type { Session } from "../session.ts";
import { type SetUp, setUp, writeStarterConfig } from "../setup.ts";
import { pairs } from "../table.ts";

export async function init(
	session: Session,
	options: { readonly grant: MicroCredits },
): Promise<void> {
	const configWritten = writeStarterConfig(session.home);
	const { account } = session.config().config;
	await withLedger(
		session.home,
		async (ledger) => {
			const done = {
				...(await setUp(ledger, { account, grant: options.grant })),
				configWritten,
			};
			session.result(done, () => setUpText(session, done));
		},
		{ create: true },
	);
}

/** What a person sees after setting up. */
export function setUpText({ home, style }: Session, done: SetUp): string {
	if (
		!done.configWritten &&
		!done.accountOpened &&
		!done.key &&
		done.granted === undefined
	) {
		return `Everything is set up in ${home.folder} already. Next: dos start`;
	}
	const rows: [string, string][] = [["home", home.folder]];
	if (done.configWritten) rows.push(["settings", home.config]);
	if (done.accountOpened) rows.push(["account", done.account]);
	if (done.granted !== undefined)
		rows.push(["credits", amountText(done.granted)]);
	if (done.key) rows.push(["key", `${style.bold(done.key.secret)}`]);
	return `${pairs(rows)}${done.key ? "\n\nThe key is shown this once: keep it where secrets are kept." : ""}`;
}
