// Command suites runs the project's tests: go run ./suites [-full] [SUITE...]
//
// In: the checkout, and hack/budget.yaml, which gives each suite its seconds and lists the tests that may be
// skipped. Out: a line for each package as it ends, the output of what failed, a closing table, one last line with
// the verdict, and an exit code. What the suites need (linters, Envoy, an API server, a cluster with the images)
// is built or started first, and what was started is stopped at the end.
//
// A suite fails when a test fails, when it runs out of its seconds, when a test is skipped that the budget does
// not list, and when it finds no test at all. The suites after it run all the same.
//
// Which suite a test belongs to:
//
//	e2e      it is in a package below e2e
//	envtest  its package imports a package named envtest
//	golden   Golden is in its name
//	unit     everything else
package main
