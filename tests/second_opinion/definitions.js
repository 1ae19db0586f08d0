// Every state machine's definition to asl-validator. Standard input: {where: definition}; standard output: [[where, problem]].
const validator = require(require.resolve("asl-validator", { paths: [process.argv[2]] }));

const definitions = JSON.parse(require("fs").readFileSync(0, "utf8"));
const problems = Object.entries(definitions).flatMap(([where, definition]) =>
  validator(definition).errors.map((error) => [where, error.message || JSON.stringify(error)]));
console.log(JSON.stringify(problems));
