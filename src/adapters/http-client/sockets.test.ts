import { httpClientContract } from "../../ports/http-client.contract.ts";
import { socketHttpClient } from "./sockets.ts";

httpClientContract("sockets", (options) => socketHttpClient(options));
