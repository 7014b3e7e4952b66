import { clientName } from "./format.ts";

/** Who it is, and by what that is known. The whole key is what one points at. */
export function ClientName({ client }: { client: string }) {
  const { kind, name } = clientName(client);
  return (
    <span class="client" title={client}>
      <span class="kind">{kind}</span> <span class="who">{name}</span>
    </span>
  );
}
