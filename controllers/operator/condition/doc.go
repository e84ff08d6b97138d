// Package condition writes conditions by the rules that kubectl wait, Argo CD and Flux read alike.
//
// In flow the verdict of a reconciler, such as working or failed, with a reason and a sentence; out flow the conditions of a
// status. Ready is Unknown while the operator works and False only after a failure; Reconciling and Stalled exist only while they
// are True; every condition carries the generation that it speaks about.
package condition
