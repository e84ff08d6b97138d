// Package dataplane observes what carries the sidecars of a mesh, and restarts it.
//
// In flow the pods that an injector has given a sidecar, the workloads behind them and their disruption budgets, by watches of their
// own that keep in memory only what is asked; out flow rollout.Workloads, and restarts as one annotation of a pod template.
package dataplane
