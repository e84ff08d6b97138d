// Package conditions edits status conditions by the rules that kubectl wait, Argo CD and Flux share.
//
// Ready is Unknown while the operator works, and False only after a failure. Reconciling and Stalled exist only while they are True.
// Every condition has the generation that it was observed for. Lint checks these rules in tests.
package conditions
