#!/bin/sh
# Make grafana.json again from the types that Grafana publishes: needs Node and the npm registry.
# What is kept is read by tests/test_boards.py; nothing else needs it.
set -eu

VERSION=${1:-13.2.3}
GENERATOR=2.4.0
KINDS="bargauge heatmap stat statetimeline table text timeseries"

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
npm install --no-audit --no-fund --silent "@grafana/schema@$VERSION" \
    "ts-json-schema-generator@$GENERATOR"
types=node_modules/@grafana/schema/dist/types/raw

schema() {
    file="$types/$1/x/types.gen.d.ts"
    grep -q "interface $2 " "$file" || return 0
    printf '{"compilerOptions":{"module":"esnext","moduleResolution":"bundler","strict":true},"files":["%s"]}' \
        "$file" >tsconfig.json
    npx --no-install ts-json-schema-generator --tsconfig tsconfig.json --no-type-check \
        --path "$file" --type "$2" --out "$3.json"
}

schema dashboard Dashboard dashboard
for kind in $KINDS; do
    schema "composable/$kind/panelcfg" Options "$kind.options"
    schema "composable/$kind/panelcfg" FieldConfig "$kind.custom"
done

VERSION=$VERSION GENERATOR=$GENERATOR node >"$here/grafana.json" <<'END'
const { readdirSync, readFileSync } = require("fs");
const { VERSION, GENERATOR } = process.env;
const bare = (node) => {
  if (Array.isArray(node)) return node.map(bare);
  if (node === null || typeof node !== "object") return node;
  const kept = Object.entries(node).filter(([key, value]) => !(key === "description" && typeof value === "string"));
  return Object.fromEntries(kept.map(([key, value]) => [key, bare(value)]));
};
const files = readdirSync(".").filter((name) => /^(dashboard|\w+\.(options|custom))\.json$/.test(name)).sort();
const schemas = files.map((name) => [name.slice(0, -5), bare(JSON.parse(readFileSync(name)))]);
const about = `@grafana/schema ${VERSION} (Grafana Labs, Apache-2.0), turned into JSON Schema by ts-json-schema-generator ${GENERATOR}`;
console.log(JSON.stringify({ about, schemas: Object.fromEntries(schemas) }, null, 1));
END
