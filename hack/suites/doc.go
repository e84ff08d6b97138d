// Command suites runs the project's tests: go run ./suites [-full] [-shard 2/6] [SUITE...], or go run ./suites -changed [-since COMMIT]
//
// Input: the checkout, and hack/budget.yaml, which sets the time limit of each suite and lists the tests that may be
// skipped. Output: a line per finished package, the output of failures, a summary table, one last line with the result,
// and an exit code. Requirements of the suites (linters, Envoy, an API server, a cluster with the images) are built or
// started first. What was started is stopped at the end.
//
// A suite fails if a test fails, if it exceeds its time limit, if a test is skipped that the budget does not list, or
// if it finds no test. The remaining suites run anyway. Up to three failed tests of a suite are repeated: those that pass then are listed
// as flaky, and fail only a full run.
//
// With -shard, the packages of all suites are divided into parts of about the same length. The last line of each part has its commit.
// With -full, its result is written to full-run.yaml in the cache folder, and -whole says whether these results add up to a whole run.
//
// A test belongs to this suite:
//
//	e2e      its package is below e2e
//	envtest  its package imports a package named envtest
//	golden   its name contains Golden
//	realtime its package has deadlines for real programs, such as sidecars
//	unit     all others
//
// In `make test`, the suite realtime runs alone. After that, e2e runs beside all others, which have less of the processor. In a full run, one suite runs at a time.
package main
